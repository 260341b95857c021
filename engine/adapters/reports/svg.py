"""Small charts as inline SVG: no script, sharp in print, coloured by the page's style sheet."""

from collections.abc import Callable, Sequence
from html import escape

from engine.domain.performance.tables import Bin, Curve
from engine.domain.performance.words import money, percent

WIDTH, HEIGHT = 960.0, 260.0
RIGHT, BOTTOM, TOP = 96.0, 22.0, 8.0
"""Room for the numbers beside a chart, for the dates under it, and above it."""

TICKS = 4

Write = Callable[[float], str]


def equity_svg(curve: Curve, quote: str) -> str:
    """Worth over time, with the market beside it where that is known."""
    if len(curve.time) < 2:
        return ""
    market = [] if curve.market is None else [("market", curve.market)]
    values = [*curve.equity, *(curve.market or ())]
    low, high = _bounds(min(values), max(values))
    parts = [_grid(low, high, money), _dates(curve)]
    for name, line in [*market, ("equity", curve.equity)]:
        parts.append(f'<polyline class="{name}" points="{_points(curve, line, low, high)}"/>')
    return _svg(f"Equity over time, {quote}" if quote else "Equity over time", parts)


def underwater_svg(curve: Curve) -> str:
    """How far the worth lies under its highest so far."""
    if len(curve.time) < 2:
        return ""
    low = min(*curve.underwater, -0.001)
    points = _points(curve, curve.underwater, low, 0.0)
    area = f"0,{TOP:.1f} {points} {WIDTH - RIGHT:.1f},{TOP:.1f}"
    parts = [_grid(low, 0.0, percent), _dates(curve), f'<polygon class="under" points="{area}"/>']
    return _svg("Drawdown over time", parts)


def histogram_svg(bins: Sequence[Bin]) -> str:
    """Trades by their return; losses and wins have colours of their own."""
    if not bins:
        return ""
    most = max(one.count for one in bins)
    step = (WIDTH - RIGHT) / len(bins)
    parts = [_grid(0.0, float(most), lambda value: f"{value:,.0f}")]
    for at, one in enumerate(bins):
        top = _height(one.count, 0.0, most)
        words = f"{percent(one.low)} to {percent(one.high)}: {one.count:,} trades"
        parts.append(
            f'<rect class="{"loss" if one.low < 0 else "win"}" x="{at * step + 0.5:.1f}"'
            f' y="{top:.1f}" width="{max(0.5, step - 1):.1f}" height="{HEIGHT - BOTTOM - top:.1f}">'
            f"<title>{escape(words)}</title></rect>"
        )
    parts.append(_ends(percent(bins[0].low), percent(bins[-1].high)))
    return _svg("Trades by their return", parts)


def _svg(title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )


def _bounds(low: float, high: float) -> tuple[float, float]:
    """Some air around the values; a flat line runs through the middle."""
    air = (high - low) * 0.04 or abs(high) * 0.01 or 1.0
    return low - air, high + air


def _height(value: float, low: float, high: float) -> float:
    return TOP + (HEIGHT - BOTTOM - TOP) * (1 - (value - low) / (high - low))


def _points(curve: Curve, values: Sequence[float], low: float, high: float) -> str:
    """A line by time, not by count: a curve's points are not evenly apart."""
    first, last = curve.time[0].timestamp(), curve.time[-1].timestamp()
    scale = (WIDTH - RIGHT) / ((last - first) or 1.0)
    return " ".join(
        f"{(time.timestamp() - first) * scale:.1f},{_height(value, low, high):.1f}"
        for time, value in zip(curve.time, values, strict=True)
    )


def _grid(low: float, high: float, write: Write) -> str:
    """Level lines with their numbers on the right."""
    parts = []
    for tick in range(TICKS + 1):
        value = low + (high - low) * tick / TICKS
        y = _height(value, low, high)
        parts.append(
            f'<line class="grid" x1="0" x2="{WIDTH - RIGHT:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{WIDTH - RIGHT + 6:.1f}" y="{y + 4:.1f}">{escape(write(value))}</text>'
        )
    return "".join(parts)


def _dates(curve: Curve) -> str:
    return _ends(f"{curve.time[0]:%Y-%m-%d}", f"{curve.time[-1]:%Y-%m-%d}")


def _ends(first: str, last: str) -> str:
    """What the axis begins and ends with."""
    return (
        f'<text x="0" y="{HEIGHT - 6:.1f}">{escape(first)}</text>'
        f'<text x="{WIDTH - RIGHT:.1f}" y="{HEIGHT - 6:.1f}" text-anchor="end">{escape(last)}'
        "</text>"
    )
