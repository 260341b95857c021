"""``ports.ReportWriter`` as one HTML file, by a Jinja template that escapes everything."""

from collections.abc import Mapping, Sequence
from itertools import groupby, islice
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from engine.adapters.reports.svg import equity_svg, histogram_svg, underwater_svg
from engine.domain.performance.analysis import Analysis
from engine.domain.performance.catalogue import METRICS, Metric, Value
from engine.domain.performance.tables import GroupRow
from engine.domain.performance.words import MINUS, money, percent, shown, span
from engine.ports.reports import ReportSection

TEMPLATES = Path(__file__).resolve().parent / "templates"
MOST_TRADES = 1_000
"""Rows of trades in a page; the CSV has them all."""

GROUPS = {
    "bot": "Bot", "strategy": "Strategy", "symbol": "Symbol", "side": "Side",
    "exit_reason": "Exit", "weekday": "Weekday of the exit",
    "entry_hour": "Hour of the entry (UTC)",
}  # fmt: skip
"""Which groups of trades a page has, by their title."""

AMOUNTS = frozenset({"pnl", "fee", "fees", "entry_value", "exit_value"})
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_STRONGEST = 0.7
_NOTHING = 5e-9
"""What is left of adding up floats."""


class HtmlReports:
    """Writes reports; thread-safe."""

    def __init__(self) -> None:
        environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(percent=percent, money=money, span=span, tenths=_tenths)
        environment.globals.update(
            month_names=MONTHS, group_titles=GROUPS, most_trades=MOST_TRADES, tint=tint
        )
        self._template = environment.get_template("report.html")

    def html(self, title: str, subtitle: str, sections: Sequence[ReportSection]) -> str:
        """As the port says; the first 1,000 trades of each section are in it."""
        return self._template.render(
            title=title, subtitle=subtitle, sections=[_section(one) for one in sections]
        )


def _section(section: ReportSection) -> dict[str, object]:
    """What the template draws of a section."""
    one = section.analysis
    rows = list(islice(section.trades, MOST_TRADES))
    return {
        "heading": section.heading,
        "quote": one.quote,
        "analysis": one,
        "metric_groups": _metric_groups(one),
        "equity": Markup(equity_svg(one.curve, one.quote)),  # noqa: S704 -- svg.py escapes
        "underwater": Markup(underwater_svg(one.curve)),  # noqa: S704
        "histogram": Markup(histogram_svg(one.distribution)),  # noqa: S704
        "groups": {by: rows for by, rows in _groups(one).items() if rows},
        "trade_columns": list(rows[0]) if rows else [],
        "trades": [_cells(row) for row in rows],
        "trade_count": section.trade_count,
    }


def _metric_groups(one: Analysis) -> list[tuple[str, list[tuple[Metric, str, str]]]]:
    """Metrics by group: each with how it is shown, and whether that is good or bad."""
    return [
        (group, [_metric_row(metric, one) for metric in metrics])
        for group, metrics in groupby(METRICS, key=lambda metric: metric.group)
    ]


def _metric_row(metric: Metric, one: Analysis) -> tuple[Metric, str, str]:
    value: Value = getattr(one.metrics, metric.key)
    return metric, shown(metric, value, one.quote), _look(value, metric.even)


def _groups(one: Analysis) -> dict[str, Sequence[GroupRow]]:
    return {by: one.groups.get(by, ()) for by in GROUPS}


def _cells(row: Mapping[str, object]) -> list[tuple[str, str]]:
    """A trade's cells with their look. Numbers keep the digits that tell them apart."""
    cells = []
    for name, value in row.items():
        if isinstance(value, float):
            text = money(value) if name in AMOUNTS else f"{value:,.8g}"
            look = f"number {_look(value, 0.0 if name == 'pnl' else None)}"
        else:
            text, look = str(value), "number" if isinstance(value, int) else ""
        cells.append((text, look))
    return cells


def _look(value: Value, even: float | None) -> str:
    """The class of a gain or a loss, where the value is one or the other."""
    if even is None or not isinstance(value, float) or abs(value - even) < _NOTHING:
        return ""
    return "gain" if value > even else "drop"


def _tenths(fraction: float | None) -> str:
    """Percent with one decimal, as short as a cell of the heatmap needs it."""
    if fraction is None:
        return ""
    text = f"{abs(100 * fraction):.1f}"
    return f"{MINUS}{text}" if fraction < 0 and float(text) else text


def tint(fraction: float | None, most: float) -> str:
    """How strongly a cell of the heatmap is coloured, as a CSS style; nothing for no value."""
    if fraction is None or most <= 0:
        return ""
    strength = min(1.0, abs(fraction) / most) * _STRONGEST
    colour = "var(--up)" if fraction >= 0 else "var(--down)"
    return f"background: color-mix(in srgb, {colour} {100 * strength:.0f}%, transparent)"
