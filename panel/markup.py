"""Small pieces of HTML for ``st.html``: states, gains, sparklines. All text is escaped here."""

from collections.abc import Sequence
from decimal import Decimal
from html import escape
from urllib.parse import quote

from engine.contracts import BotView
from panel.charts import sparkline
from panel.format import TRANSIENT, colour, figure, money, state_colour, state_of
from panel.modes import mode_html
from panel.palette import BLUE

SPARK_WIDTH, SPARK_HEIGHT = 300, 34
NO_BREAK = "\u00a0"


def state_html(bot: BotView) -> str:
    """A bot's state and mode; the reason of the state is the hint."""
    state = state_of(bot)
    shown = f"{state}…" if state in TRANSIENT else state
    look = f"qd-state qd-{state_colour(state)}"
    return f'<span class="{look}" title="{escape(bot.reason)}">{shown}</span> {mode_html(bot.mode)}'


def gain_html(amount: Decimal | None, asset: str, extra: str = "", *, is_named: bool = True) -> str:
    """A signed amount of an asset, and ``extra`` after it, in the colour of a gain or a loss.

    ``is_named`` writes the asset too; without it a label must name it.
    """
    write = money if is_named else figure
    shown = escape(f"{write(amount, asset, is_signed=True)}{extra}".replace(" %", f"{NO_BREAK}%"))
    return f'<span class="qd-{colour(amount)}">{shown}</span>'


def pairs_html(rows: Sequence[tuple[str, str]]) -> str:
    """Names and values as a list of two columns, a line each. Long names break after a ``_``."""
    cells = "".join(
        f"<div><dt>{escape(name).replace('_', '_<wbr>')}</dt><dd>{escape(value)}</dd></div>"
        for name, value in rows
    )
    return f'<div class="qd-settings"><dl>{cells}</dl></div>'


def review_html(rows: Sequence[tuple[str, str]], title: str = "") -> str:
    """Names and values beside a form: what would come of it."""
    cells = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows)
    heading = f"<p><b>{escape(title)}</b></p>" if title else ""
    return f'{heading}<dl class="qd-review">{cells}</dl>'


def sparkline_html(values: Sequence[float]) -> str:
    """Equity as a small line, empty below two points. A picture, as st.html takes no SVG."""
    points = sparkline(values, points=60)
    if len(points) < 2:
        return ""
    low, high = min(points), max(points)
    if low == high:  # a flat line runs through the middle
        low, high = low - 1, high + 1
    step = SPARK_WIDTH / (len(points) - 1)
    path = " ".join(
        f"{index * step:.1f},{(SPARK_HEIGHT - 4) * (1 - (value - low) / (high - low)) + 2:.1f}"
        for index, value in enumerate(points)
    )
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SPARK_WIDTH} {SPARK_HEIGHT}"'
        f' preserveAspectRatio="none"><polyline points="{path}" fill="none" stroke="{BLUE}"'
        ' stroke-width="1.4" vector-effect="non-scaling-stroke"/></svg>'
    )
    return f'<img class="qd-spark" alt="Equity" src="data:image/svg+xml,{quote(svg)}">'
