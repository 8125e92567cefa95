"""The ratios to nginx as a picture that a page can show: SVG, with no library and no script."""

from collections.abc import Sequence
from typing import Protocol
from xml.sax.saxutils import escape


class Measured(Protocol):
    """What the chart shows of a peer: CPU as multiples of nginx's."""

    @property
    def name(self) -> str:
        """Who it is."""

    @property
    def small_ratio(self) -> float:
        """Per request of 1 kB."""

    @property
    def large_ratio(self) -> float:
        """Per request of 100 kB."""

    @property
    def event_ratio(self) -> float:
        """Per event of a stream."""


COLOURS = {"nginx": "#8b949e", "floor": "#d29922", "compiled": "#2da44e", "gateway": "#1f6feb"}
"""Each is told from the background of a light page and of a dark one."""
LABELS = {
    "nginx": "nginx (C)",
    "floor": "least possible in Python",
    "gateway": "Inference Gateway",
    "compiled": "the same, compiled",
}
WIDTH, LEFT, RIGHT, BAR, GAP, TOP = 720, 190, 70, 18, 26, 46


def chart(rows: Sequence[Measured], date: str) -> str:
    """Draw a group of bars for each kind of work, nginx as the measure."""
    shown = [row for row in rows if row.name in COLOURS]
    groups = {
        "a request of 1 kB": [row.small_ratio for row in shown],
        "a request of 100 kB": [row.large_ratio for row in shown],
        "an event of a stream": [row.event_ratio for row in shown],
    }
    scale = (WIDTH - LEFT - RIGHT) / max(ratio for ratios in groups.values() for ratio in ratios)
    parts, y = [_text(10, 22, f"CPU time as multiples of nginx's, {date}", weight="bold")], TOP
    for label, ratios in groups.items():
        parts.append(_text(10, y + BAR * len(shown) / 2 + 5, label))
        for row, ratio in zip(shown, ratios, strict=True):
            parts.append(_bar(y, ratio * scale, COLOURS[row.name]))
            parts.append(_text(LEFT + ratio * scale + 6, y + 13, f"{ratio:.2f}"))
            y += BAR
        y += GAP
    for index, row in enumerate(shown):
        x = 10 + index * 180
        parts.append(f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{COLOURS[row.name]}"/>')
        parts.append(_text(x + 18, y, LABELS[row.name]))
    size = f'width="{WIDTH}" height="{y + 16}" viewBox="0 0 {WIDTH} {y + 16}"'
    title = "<title>CPU time per request and per event, as multiples of nginx's</title>"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">{title}\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _bar(y: float, length: float, colour: str) -> str:
    return f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR - 4}" rx="2" fill="{colour}"/>'


def _text(x: float, y: float, text: str, *, weight: str = "normal") -> str:
    # A grey that reads on white and on black alike.
    style = f'font-family="sans-serif" font-size="13" font-weight="{weight}" fill="#848d97"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'
