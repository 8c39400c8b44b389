"""A small line chart as SVG text: one series, both axes from zero."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_WIDTH, _HEIGHT = 640, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 78, 44, 44, 52
#: The width of a digit, about.
_LETTER = 7
_STEPS = 4
#: Both can be read on white and on black.
_GREY, _LINE = "#7b8494", "#8b5cf6"


def svg(points: Sequence[tuple[float, float]], *, title: str, across: str, up: str) -> str:
    """Return a chart of ``points`` (x, y), y at least 0; readable on light and on dark ground."""
    most_x, most_y = max(x for x, _ in points) or 1.0, _round_up(max(y for _, y in points))
    inner_width, inner_height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        return _LEFT + x / most_x * inner_width, _TOP + (1 - y / most_y) * inner_height

    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(title)}: {escape(up)} against {escape(across)}" font-family="sans-serif" '
        f'font-size="12" fill="{_GREY}">'
    )
    lines = [
        head,
        f'<text x="{_LEFT}" y="22" font-size="14" font-weight="600">{escape(title)}</text>',
    ]
    for step in range(_STEPS + 1):
        value = most_y * step / _STEPS
        _, y = place(0, value)
        lines.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_GREY}" '
            'stroke-opacity="0.3"/>'
        )
        lines.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_number(value)}</text>')
    placed = [place(x, y) for x, y in points]
    free_from = 0.0
    for (x, _), (across_x, _) in zip(points, placed, strict=True):
        half = len(_number(x)) * _LETTER / 2
        # What would stand in the one before says nothing; its point has a title.
        if across_x - half >= free_from:
            lines.append(f'<text x="{across_x:.1f}" y="{_HEIGHT - 30}" text-anchor="middle">{_number(x)}</text>')
            free_from = across_x + half + _LETTER
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    lines.append(f'<polyline points="{joined}" fill="none" stroke="{_LINE}" stroke-width="2"/>')
    lines += [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{_LINE}"><title>{_number(value)}</title></circle>'
        for (x, y), (_, value) in zip(placed, points, strict=True)
    ]
    lines.append(f'<text x="{_LEFT + inner_width / 2}" y="{_HEIGHT - 10}" text-anchor="middle">{escape(across)}</text>')
    middle = _TOP + inner_height / 2
    lines.append(f'<text transform="translate(16 {middle}) rotate(-90)" text-anchor="middle">{escape(up)}</text>')
    lines.append("</svg>\n")
    return "\n".join(lines)


def _round_up(value: float) -> float:
    """Return the next round number at or above ``value``."""
    if value <= 0:
        return 1.0
    scale = 10.0 ** len(str(int(value))) / 10 if value >= 1 else 0.001
    while scale < value:
        for factor in (1, 2, 4, 5, 8, 10):
            if scale * factor >= value:
                return scale * factor
        scale *= 10
    return scale


def _number(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ") if value >= 10 or value == int(value) else f"{value:.3g}"
