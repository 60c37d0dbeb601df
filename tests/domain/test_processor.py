from __future__ import annotations

import pytest

from domain.processor import gains_from_16_bit_floats, multiplies_16_bit_floats


@pytest.mark.parametrize(
    ("able", "multiplies"),
    [
        ({"avx512_f": True, "avx512_vnni": True, "avx512_bf16": False, "amx_bf16": False}, False),
        ({"avx2": True}, False),
        ({"avx512_f": True, "avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
        ({"neon": True, "bf16": True}, True),
    ],
)
def test_sixteen_bit_floats_need_instructions_of_their_own(able: dict[str, bool], multiplies: bool) -> None:
    assert multiplies_16_bit_floats(able) is multiplies


@pytest.mark.parametrize(
    ("able", "gains"),
    [
        ({"cpu_name": "Intel Xeon", "avx512_bf16": True, "amx_bf16": False}, False),
        ({"cpu_name": "Intel Xeon", "avx512_bf16": True, "amx_bf16": True}, True),
        ({"cpu_name": "AMD EPYC", "avx512_bf16": True}, True),
        ({"cpu_name": "AMD EPYC", "avx512_f": True}, False),
        ({"bf16": True}, True),
    ],
)
def test_16_bit_floats_at_half_the_pace_are_no_gain(able: dict[str, object], gains: bool) -> None:
    assert gains_from_16_bit_floats(able) is gains
