"""A scatter of lines as SVG, with a logarithmic x axis; no plotting library."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 860, 460, 70, 40, 250, 60
_COLOURS = ("#888888", "#b07aa1", "#59a14f", "#f28e2b", "#4e79a7", "#9c755f", "#e15759")


def plot_lines(
    path: Path, title: str, x_label: str, y_label: str, lines: Mapping[str, Sequence[tuple[float, float]]]
) -> None:
    """``lines``: points (x, y) by name; x above zero."""
    points = [point for line in lines.values() for point in line]
    low, high = math.log10(min(x for x, _ in points) * 0.8), math.log10(max(x for x, _ in points) * 1.25)
    bottom, top = max(0.0, min(y for _, y in points) - 0.01), max(y for _, y in points) + 0.005

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)
        up = (y - bottom) / (top - bottom) * (_HEIGHT - _TOP - _BOTTOM)
        return _LEFT + across, _HEIGHT - _BOTTOM - up

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        'font-size="13"><rect width="100%" height="100%" fill="white"/>',
        f'<text x="{_LEFT}" y="24" font-size="15">{escape(title)}</text>',
        f'<text x="{_LEFT}" y="{_HEIGHT - 14}">{escape(x_label)}</text>',
        f'<text x="16" y="{_HEIGHT / 2}" transform="rotate(-90 16 {_HEIGHT / 2})" '
        f'text-anchor="middle">{escape(y_label)}</text>',
    ]
    right = _WIDTH - _RIGHT
    for x in (value * 10.0**power for power in range(-2, 5) for value in (1, 2, 5)):
        if low <= math.log10(x) <= high:
            across, _ = place(x, bottom)
            parts.append(f'<path d="M{across:.1f} {_TOP}V{_HEIGHT - _BOTTOM}" stroke="#eeeeee"/>')
            parts.append(f'<text x="{across:.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{x:g}</text>')
    step = 0.02 if top - bottom < 0.2 else 0.05
    for number in range(math.ceil(bottom / step), int(top / step) + 1):
        _, up = place(points[0][0], number * step)
        parts.append(f'<path d="M{_LEFT} {up:.1f}H{right}" stroke="#eeeeee"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{up + 4:.1f}" text-anchor="end">{number * step:.2f}</text>')
    for number, (name, line) in enumerate(lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        placed = [place(x, y) for x, y in line]
        track = " L".join(f"{x:.1f} {y:.1f}" for x, y in placed)
        parts.append(f'<path d="M{track}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.extend(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in placed)
        parts.append(f'<circle cx="{right + 22}" cy="{_TOP + 20 + 24 * number}" r="5" fill="{colour}"/>')
        parts.append(f'<text x="{right + 34}" y="{_TOP + 25 + 24 * number}">{escape(name)}</text>')
    path.write_text("\n".join([*parts, "</svg>", ""]), encoding="utf-8")
