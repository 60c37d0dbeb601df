"""What a processor can do by itself."""

from __future__ import annotations

from collections.abc import Mapping


def multiplies_16_bit_floats(able: Mapping[str, object]) -> bool:
    """``able``: instruction sets as ``torch.cpu.get_capabilities`` names them; ``bf16`` is ARM's.

    Libraries offer bfloat16 on others too, oneDNN with AVX-512 alone, and imitate it several times slower than float32.
    """
    return any(able.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def gains_from_16_bit_floats(able: Mapping[str, object]) -> bool:
    """True where a whole model runs faster in bfloat16 than in float32.

    Intel's AVX-512 multiplies twice as many of them at half the pace, and converting comes on top: without its matrix
    units (AMX) float32 took two thirds of the time for a question's reading and composing (docs/quality.md).
    """
    is_intel = "intel" in str(able.get("cpu_name", "")).lower()
    return bool(able.get("amx_bf16")) or (multiplies_16_bit_floats(able) and not is_intel)
