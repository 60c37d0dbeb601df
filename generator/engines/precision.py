"""Which devices multiply 16-bit floats themselves."""

from __future__ import annotations

import torch


def multiplies_bfloat16(device: torch.device) -> bool:
    """False for a processor that would imitate them, several times slower than in float32."""
    if device.type != "cpu":
        return True
    able = torch.cpu.get_capabilities()
    return any(able.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))  # the last is ARM's


def best_precision(device: torch.device) -> torch.dtype:
    return torch.bfloat16 if multiplies_bfloat16(device) else torch.float32
