"""Everything that a page or a report shows of one history."""

from pydantic import BaseModel, ConfigDict

from engine.domain.performance.catalogue import measured
from engine.domain.performance.drawdowns import Drawdown
from engine.domain.performance.facts import Facts
from engine.domain.performance.history import History
from engine.domain.performance.metrics import Metrics
from engine.domain.performance.remarks import Case, Remark, remarks_on
from engine.domain.performance.tables import (
    DERIVED,
    ROLLING_DAYS,
    Bin,
    Curve,
    GroupRow,
    Rolling,
    YearRow,
    curve_of,
    distribution_of,
    groups_of,
    months_of,
    rolling_of,
)

DEEPEST = 10


class Analysis(BaseModel):
    """Figures, curves, tables and remarks of one history, ready to be sent and drawn.

    ``groups`` has the closed trades by side, entry_hour, weekday, month (of the exit) and by each
    of their labels (symbol, exit_reason, ...). Money is in ``quote``.
    """

    model_config = ConfigDict(frozen=True)

    quote: str
    metrics: Metrics
    curve: Curve
    months: tuple[YearRow, ...]
    rolling: Rolling
    distribution: tuple[Bin, ...]
    drawdowns: tuple[Drawdown, ...]
    groups: dict[str, tuple[GroupRow, ...]]
    remarks: tuple[Remark, ...]


def analyse(history: History, *, quote: str = "", rolling_days: int = ROLLING_DAYS) -> Analysis:
    """Measure a history and say in words what stands out.

    ``rolling_days`` is the window of the rolling figures. Raises ValueError for one under 2.
    """
    facts = Facts(history)
    metrics = measured(facts)
    groups = {by: groups_of(history.trades, by) for by in (*DERIVED, *history.trades.labels)}
    case = Case(metrics, quote, groups["weekday"], groups.get("exit_reason", ()))
    return Analysis(
        quote=quote,
        metrics=metrics,
        curve=curve_of(facts),
        months=months_of(facts),
        rolling=rolling_of(facts, rolling_days),
        distribution=distribution_of(history.trades),
        drawdowns=tuple(facts.drawdowns.deepest(DEEPEST)),
        groups=groups,
        remarks=remarks_on(case),
    )
