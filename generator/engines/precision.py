"""Which devices multiply 16-bit floats themselves."""

from __future__ import annotations

import torch

from domain.processor import gains_from_16_bit_floats, multiplies_16_bit_floats


def multiplies_bfloat16(device: torch.device) -> bool:
    """False for a processor that would imitate them, several times slower than in float32."""
    return device.type != "cpu" or multiplies_16_bit_floats(torch.cpu.get_capabilities())


def best_precision(device: torch.device) -> torch.dtype:
    is_faster = device.type != "cpu" or gains_from_16_bit_floats(torch.cpu.get_capabilities())
    return torch.bfloat16 if is_faster else torch.float32
