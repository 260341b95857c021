"""Writes docs/metrics.md from the catalogue of metrics: ``python -m tests.support.metrics_page``.

A test fails while the page and the catalogue differ.
"""

from itertools import groupby

from engine.domain.performance.catalogue import METRICS, Better, Metric
from engine.domain.performance.facts import FEWEST_ANNUAL_DAYS
from engine.domain.performance.sampling import FEWEST_DAYS
from tooling.place import ROOT

PAGE = ROOT / "docs" / "metrics.md"

HEAD = f"""# Metrics

What the panel, the reports and the API call by these names, how each is computed, and when it is
empty. The same table in the code (`engine/domain/performance/catalogue.py`) makes the figures, the
reports and this page; `python -m tests.support.metrics_page` writes it. The formulas are checked
against [empyrical](https://github.com/stefan-jansen/empyrical-reloaded) and SciPy on the returns of
real markets, by `tests/unit/test_metrics_independent.py`.

- *r* are returns of even periods. One period is a day (UTC), from the worth at its last bar to that
  of the next day's; a backtest of less than {FEWEST_DAYS} days takes every bar as a period. The
  first one begins with the starting cash, so that the returns compound to the total return.
- A year has 252 days where the market rests on Saturdays (its Sunday counts to Monday) and 365
  elsewhere; of shorter bars it has as many as the median day has, times the days.
- The risk-free rate and the least acceptable return are 0. Below {FEWEST_ANNUAL_DAYS} days nothing
  is compounded to a year.
- P&L is after fees. A trade belongs to the period in which it was closed.
- For live and paper trading returns are on the capital of the bots in question, as if it had been
  there from the start; what is open is worth its price at each equity point.

A figure that is not defined is empty: never zero, never infinite. In JSON it is `null`, in CSV an
empty cell.
"""


def page() -> str:
    """The page's text."""
    parts = [HEAD]
    for group, metrics in groupby(METRICS, key=lambda metric: metric.group):
        parts.append(f"\n## {group}\n\n| metric | key | better | formula | empty when |\n")
        parts.append("|---|---|---|---|---|\n")
        parts.extend(map(_row, metrics))
    return "".join(parts)


def _row(metric: Metric) -> str:
    better = "" if metric.better is Better.NEITHER else metric.better.value
    formula = f"{metric.formula} ({metric.source})" if metric.source else metric.formula
    cells = (metric.title, f"`{metric.key}`", better, formula, metric.empty)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
