"""What a backtest would do: checked in full before anything runs, field by field."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.domain.backtest_runs import BacktestRequest, Coverage, FileSource
from engine.domain.backtests import BacktestTerms
from engine.domain.bots import Direction
from engine.domain.money import ZERO
from engine.domain.timeframes import timeframe_delta
from engine.errors import ConfigError
from engine.ports import StrategyHost
from engine.services.backtest_candles import CandleLeg, CandleReader, Progress, no_progress

LEAST_BARS = 2
LEAST_WARMUP_SHARE = 0.05
"""How much of the period warming up must take for a warning."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A request that was checked. ``request`` has every parameter filled in, ``terms`` the
    market's steps; ``problem`` is why it cannot run with these candles, or empty."""

    request: BacktestRequest
    terms: BacktestTerms
    legs: Sequence[CandleLeg]
    warmup: int
    quote: str
    warnings: tuple[str, ...]
    problem: str = ""

    @property
    def coverage(self) -> tuple[Coverage, ...]:
        """The candles of each symbol."""
        return tuple(leg.coverage for leg in self.legs)


class BacktestPlanner:
    """Checks requests; used for previews, and again with the candles when a run begins."""

    def __init__(self, reader: CandleReader, host: StrategyHost) -> None:
        self._reader = reader
        self._host = host

    def preview(self, request: BacktestRequest) -> Plan:
        """Check everything, ask no market for candles.

        Raises ConfigError (with the field), NotFound, StrategyError, DataError.
        """
        params = self._host.validate(request.strategy, request.params)
        request = request.model_copy(update={"params": params})
        legs = self._reader.plan(request, self._host.history(request.strategy, params))
        return self._plan(request, legs)

    def prepare(self, request: BacktestRequest, on_progress: Progress = no_progress) -> Plan:
        """Read every candle. Raises like ``preview``, and ConfigError for a plan with a problem."""
        history = self._host.history(request.strategy, request.params)
        legs = self._reader.read(request, history, on_progress)
        plan = self._plan(request, legs)
        require_possible(plan)
        return plan

    def _plan(self, request: BacktestRequest, legs: Sequence[CandleLeg]) -> Plan:
        warmup = self._host.warmup(request.strategy, request.params)
        quote = _one_quote(request, legs)
        _check_terms(request, legs)
        terms = request.terms
        warnings: list[str] = []
        if request.has_market_rules:
            terms, warning = _with_market_rules(terms, legs)
            warnings += [warning] if warning else []
        for leg in legs:
            warnings += _about(leg.coverage, warmup)
        return Plan(
            request=request,
            terms=terms,
            legs=legs,
            warmup=warmup,
            quote=quote,
            warnings=tuple(warnings),
            problem=next((words for leg in legs if (words := _lack(leg.coverage, warmup))), ""),
        )


def require_possible(plan: Plan) -> None:
    """Raises ConfigError for a plan that its candles do not allow."""
    if plan.problem:
        raise ConfigError(plan.problem, field="since")


def _one_quote(request: BacktestRequest, legs: Sequence[CandleLeg]) -> str:
    """The asset that all symbols are paid in. Raises ConfigError when there are several."""
    field = "source.files" if isinstance(request.source, FileSource) else "source.symbols"
    symbols = [leg.instrument.symbol for leg in legs]
    if len(set(symbols)) < len(symbols):
        raise ConfigError("Two of these are the same symbol; take one of them.", field=field)
    quotes = sorted({leg.instrument.quote for leg in legs})
    if len(quotes) > 1:
        raise ConfigError(
            f"The symbols are paid in {' and '.join(quotes)}; one account has one of them.",
            field=field,
        )
    return quotes[0]


def _check_terms(request: BacktestRequest, legs: Sequence[CandleLeg]) -> None:
    terms = request.terms
    if terms.amount is not None and terms.amount > terms.cash:
        raise ConfigError("The trade amount is more than the cash.", field="terms.amount")
    for leg in legs:
        if terms.direction is not Direction.LONG and not leg.instrument.can_short:
            raise ConfigError(
                f"{leg.instrument.symbol} cannot be sold short on this market; choose long only.",
                field="terms.direction",
            )


def _with_market_rules(
    terms: BacktestTerms, legs: Sequence[CandleLeg]
) -> tuple[BacktestTerms, str]:
    """The terms with the symbols' steps where they do not say; a warning when these differ."""
    rules = [_rules(leg) for leg in legs]
    if any(one != rules[0] for one in rules):
        return terms, "The symbols are rounded differently: here quantities and prices are not."
    left_out = {
        name: value for name, value in rules[0].items() if getattr(terms, name) in (None, ZERO)
    }
    return terms.model_copy(update=left_out), ""


def _rules(leg: CandleLeg) -> dict[str, Any]:
    names = ("price_tick", "quantity_step", "min_quantity", "min_notional")
    return {name: getattr(leg.instrument, name) for name in names}


def _lack(coverage: Coverage, warmup: int) -> str:
    """Why there are too few candles; empty when there are enough."""
    count = coverage.bars + coverage.warmup_bars
    if coverage.bars < LEAST_BARS:
        return (
            f"{coverage.source} has {coverage.bars} {coverage.timeframe} candles of"
            f" {coverage.symbol} in this period; choose another period."
        )
    if count <= warmup:
        return (
            f"Too few candles: {coverage.symbol} has {count:,} of {coverage.timeframe} up to the"
            f" end of the period, and the strategy needs {warmup:,} before its first signal."
            " Choose a longer period or a shorter timeframe."
        )
    return ""


def _about(coverage: Coverage, warmup: int) -> list[str]:
    """What a person should know about a symbol's candles."""
    words = []
    inside = warmup - coverage.warmup_bars
    if coverage.bars * LEAST_WARMUP_SHARE < inside < coverage.bars:
        words.append(
            f"{coverage.symbol}: the first {inside:,} of {coverage.bars:,} candles only warm the"
            " strategy up, as there are not enough before the period."
        )
    if coverage.gaps:
        words.append(
            f"{coverage.symbol}: {coverage.gaps:,} gaps with {coverage.missing:,} missing"
            f" {coverage.read_timeframe} candles, the longest of {_span(coverage.longest_gap_s)}."
            " The strategy sees the candles as if they followed one another."
        )
    return words


def _span(seconds: int) -> str:
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds} seconds"


def with_until(plan: Plan) -> BacktestRequest:
    """The request with its end fixed, so that a rerun asks for the same candles."""
    ends = [leg.coverage.last for leg in plan.legs if leg.coverage.is_planned]
    if plan.request.until is not None or not ends or ends[0] is None:
        return plan.request
    until = ends[0] + timeframe_delta(plan.request.timeframe)
    return plan.request.model_copy(update={"until": until})
