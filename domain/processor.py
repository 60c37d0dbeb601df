"""What a processor can do by itself."""

from __future__ import annotations

from collections.abc import Mapping


def multiplies_16_bit_floats(able: Mapping[str, object]) -> bool:
    """``able``: instruction sets as ``torch.cpu.get_capabilities`` names them; ``bf16`` is ARM's.

    Libraries offer bfloat16 on others too, oneDNN with AVX-512 alone, and imitate it several times slower than float32.
    """
    return any(able.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
