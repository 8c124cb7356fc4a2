"""Charts as inline SVG text. Colours come from the page's CSS variables, so one drawing serves light and dark."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 510
WIDE = 1064


def _svg(height: float, body: list[str], label: str, width: int = WIDTH) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height:.0f}" role="img" aria-label="{escape(label)}" xmlns="http://www.w3.org/2000/svg">'
        f"{''.join(body)}</svg>"
    )


def _text(x: float, y: float, text: str, cls: str = "tick", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{cls}" text-anchor="{anchor}">{escape(text)}</text>'


def nice_step(span: float, ticks: int) -> float:
    """A step of 1, 2 or 5 times a power of ten that cuts `span` into about `ticks` parts."""
    raw = span / max(ticks, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * m for m in (1, 2, 5, 10) if power * m >= raw * 0.999)


@dataclass(frozen=True)
class Line:
    """One series of a line chart."""

    name: str
    colour: str
    values: Sequence[float]
    hollow: bool = False


def lines(series: Sequence[Line], label: str, x_name: str, form: Callable[[float], str]) -> str:
    """Values per round, one line per series; hollow series are drawn dashed with open marks, so equal lines stay visible."""
    height, left, right, top, bottom = 300, 46, 16, 14, 40
    every = [v for s in series for v in s.values]
    step = nice_step(max(every) - min(every) or 1.0, 5)
    low, high = math.floor(min(every) / step) * step, math.ceil(max(every) / step) * step
    count = len(series[0].values)

    def x(i: int) -> float:
        return left + 18 + (WIDTH - left - right - 36) * i / max(count - 1, 1)

    def y(v: float) -> float:
        return top + (height - top - bottom) * (high - v) / (high - low)

    body = []
    for k in range(round((high - low) / step) + 1):
        v = low + k * step
        body.append(f'<line x1="{left}" x2="{WIDTH - right}" y1="{y(v):.1f}" y2="{y(v):.1f}" class="grid"/>')
        body.append(_text(left - 8, y(v) + 4, form(v), anchor="end"))
    for i in range(count):
        body.append(_text(x(i), height - bottom + 20, str(i + 1), anchor="middle"))
    body.append(_text((left + WIDTH - right) / 2, height - 4, x_name, "axis", "middle"))
    for s in series:
        path = " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in enumerate(s.values))
        dash = ' stroke-dasharray="2 5"' if s.hollow else ""
        body.append(f'<polyline points="{path}" fill="none" stroke="var({s.colour})" stroke-width="2.25"{dash} stroke-linecap="round" stroke-linejoin="round"/>')
        for i, v in enumerate(s.values):
            fill, radius = ("none", 7) if s.hollow else (f"var({s.colour})", 4)
            body.append(
                f'<circle cx="{x(i):.1f}" cy="{y(v):.1f}" r="{radius}" fill="{fill}" stroke="var({s.colour})" stroke-width="1.75">'
                f"<title>{escape(s.name)}, round {i + 1}: {escape(form(v))}</title></circle>"
            )
    return _svg(height, body, label)


@dataclass(frozen=True)
class Bar:
    """One bar of parts, in the order of the legend."""

    name: str
    parts: Sequence[float]
    note: str = ""


def bars(rows: Sequence[Bar], names: Sequence[str], colours: Sequence[str], label: str, axis: str, form: Callable[[float], str]) -> str:
    """Horizontal stacked bars with the total behind each."""
    left, right, top, thick, pitch = 62, 62, 6, 17, 26
    height = top + pitch * len(rows) + 42
    step = nice_step(max(sum(r.parts) for r in rows), 4)
    high = math.ceil(max(sum(r.parts) for r in rows) / step - 1e-9) * step
    scale = (WIDTH - left - right) / high
    base = top + pitch * len(rows)
    body = []
    for k in range(round(high / step) + 1):
        at = left + k * step * scale
        body.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{top}" y2="{base}" class="grid"/>')
        body.append(_text(at, base + 16, form(k * step), anchor="middle"))
    body.append(_text(left + (WIDTH - left - right) / 2, height - 4, axis, "axis", "middle"))
    for r, row in enumerate(rows):
        y, at = top + r * pitch + (pitch - thick) / 2, float(left)
        body.append(_text(left - 10, y + thick - 5, row.name, "name", "end"))
        for name, colour, value in zip(names, colours, row.parts, strict=True):
            length = value * scale
            if length > 0:
                body.append(
                    f'<rect x="{at:.2f}" y="{y}" width="{max(length - (1 if length > 3 else 0), 0.4):.2f}" height="{thick}" rx="1.5" fill="var({colour})">'
                    f"<title>{escape(row.name)}, {escape(name)}: {escape(form(value))}</title></rect>"
                )
            at += length
        body.append(_text(at + 6, y + thick - 5, row.note or form(sum(row.parts)), "value"))
    return _svg(height, body, label)


def shares(histograms: Sequence[Sequence[int]], colours: Sequence[str], label: str) -> str:
    """What each client holds: one column per client, one stripe per class."""
    height, left, right, top, bottom = 250, 46, 8, 18, 38
    high = max(sum(h) for h in histograms)
    step = nice_step(high, 4)
    high = math.ceil(high / step) * step
    scale = (height - top - bottom) / high
    pitch = (WIDTH - left - right) / len(histograms)
    body = []
    for k in range(round(high / step) + 1):
        y = height - bottom - k * step * scale
        body.append(f'<line x1="{left}" x2="{WIDTH - right}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        body.append(_text(left - 8, y + 4, f"{k * step:.0f}", anchor="end"))
    for c, histogram in enumerate(histograms):
        x, y = left + c * pitch + pitch * 0.16, float(height - bottom)
        for digit, number in enumerate(histogram):
            size = number * scale
            y -= size
            if size > 0:
                body.append(
                    f'<rect x="{x:.1f}" y="{y:.2f}" width="{pitch * 0.68:.1f}" height="{max(size - 0.8, 0.3):.2f}" fill="var({colours[digit]})">'
                    f"<title>client {c}: {number} images of the digit {digit}</title></rect>"
                )
        body.append(_text(x + pitch * 0.34, y - 5, str(sum(histogram)), "value", "middle"))
        body.append(_text(x + pitch * 0.34, height - bottom + 17, str(c), anchor="middle"))
    body.append(_text((left + WIDTH - right) / 2, height - 4, "client (slot of the roster)", "axis", "middle"))
    return _svg(height, body, label)


def presence(states: Sequence[Sequence[str]], legend: dict[str, tuple[str, str, str]], label: str) -> str:
    """Rounds down, clients across. `legend` maps a state to its words, colour and glyph: colour is never the only sign."""
    left, top, size, gap = 76, 24, 27.0, 4.5
    pitch = (WIDE - left) / len(states[0])
    height = top + len(states) * (size + gap) + 8
    body = [_text(left - 10, top - 9, "client", "axis", "end")]
    for c in range(len(states[0])):
        body.append(_text(left + c * pitch + (pitch - gap) / 2, top - 9, str(c), anchor="middle"))
    for r, row in enumerate(states):
        y = top + r * (size + gap)
        body.append(_text(left - 10, y + size / 2 + 4, f"round {r + 1}", "name", "end"))
        for c, state in enumerate(row):
            words, colour, glyph = legend[state]
            x = left + c * pitch
            body.append(
                f'<g><rect x="{x:.1f}" y="{y:.1f}" width="{pitch - gap:.1f}" height="{size}" rx="5" fill="var({colour})">'
                f"<title>round {r + 1}, client {c}: {escape(words)}</title></rect>"
                f'{_text(x + (pitch - gap) / 2, y + size / 2 + 4.5, glyph, "glyph", "middle")}</g>'
            )
    return _svg(height, body, label, WIDE)
