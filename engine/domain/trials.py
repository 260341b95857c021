"""One trial: a strategy with one set of parameters, simulated in and out of sample.

Everything here is a pure function of a bench (what all trials of a study share, sent to each worker
once) and a small task, so that it gives the same on whichever machine it runs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from pydantic import ValidationError

from engine.domain.backtest import Leg, backtest
from engine.domain.backtests import BacktestResult, BacktestTerms
from engine.domain.candles import Candles, FloatArray
from engine.domain.look_ahead import find_look_ahead
from engine.domain.objectives import OBJECTIVES
from engine.domain.scores import NO_SCORES, Ruler, Scores
from engine.domain.search_space import Value
from engine.domain.sharing import shared_indicators
from engine.domain.strategy import Signals, Strategy
from engine.domain.study_kinds import ObjectiveKey
from engine.domain.timeframes import timeframe_s
from engine.domain.unfit import Unfit
from engine.domain.walk_forward import Window

SLICES = 64
"""Into so many parts the training is cut for the overfitting measures."""

LoadStrategy = Callable[[str, bytes], type[Strategy]]
"""From a file's path and content to its class; raises StrategyError. Runs strategy code."""


class TrialOutcome(StrEnum):
    """What became of a trial. Only a scored one can win."""

    SCORED = "scored"
    PRUNED = "pruned"
    INELIGIBLE = "ineligible"
    REFUSED = "refused"
    FAILED = "failed"


class TrialTask(NamedTuple):
    """What is to be tried, and on which bars. ``lead`` is how many candles before a window warm
    its indicators up, at the most. ``test`` None: only in sample, for an early look at the first
    part of the training."""

    params: Mapping[str, Any]
    exits: Mapping[str, Value]
    train: Window
    test: Window | None = None
    lead: int = 0


class TrialResult(NamedTuple):
    """What came of it. ``value`` is the objective in sample, None where ``note`` says why not;
    ``slices`` are the training's returns in SLICES parts."""

    outcome: TrialOutcome
    value: float | None = None
    note: str = ""
    inside: Scores = NO_SCORES
    outside: Scores = NO_SCORES
    slices: tuple[float, ...] = ()


class View(NamedTuple):
    """A window: the candles that the strategy sees, those of them that count, what happened inside
    these, and how many come before."""

    seen: Candles
    judged: Candles
    fine: Candles | None
    lead: int


@dataclass
class Bench:
    """What all trials of a study share. ``fine`` are finer candles of the same span, for what
    happens inside a candle. ``path`` need not exist where it runs: ``source`` is what is in it."""

    path: str
    source: bytes
    load: LoadStrategy
    symbol: str
    candles: Candles
    terms: BacktestTerms
    objective: ObjectiveKey
    min_trades: int
    fine: Candles | None = None
    _class: type[Strategy] | None = field(default=None, compare=False)
    _views: dict[tuple[Window, int], View] = field(default_factory=dict, compare=False)
    _rulers: dict[Window, Ruler] = field(default_factory=dict, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        """Without what each worker makes for itself."""
        return self.__dict__ | {"_class": None, "_views": {}, "_rulers": {}}

    def strategy(self, params: Mapping[str, Any]) -> Strategy:
        """An instance. Raises Unfit when the strategy refuses these parameters."""
        if self._class is None:
            self._class = self.load(self.path, self.source)
        try:
            return self._class(**params)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            words = str(problem.get("ctx", {}).get("error", problem["msg"]))
            place = ".".join(map(str, problem["loc"]))
            raise Unfit(f"{place}: {words}" if place else words, field="params") from error

    def terms_with(self, exits: Mapping[str, Value]) -> BacktestTerms:
        """The terms with some exit rules replaced."""
        if not exits:
            return self.terms
        exact = {name: value if name == "time_limit_s" else Decimal(repr(value))
                 for name, value in exits.items()}  # fmt: skip
        rules = self.terms.exits.model_copy(update=exact)
        return self.terms.model_copy(update={"exits": rules})

    def simulate(
        self, strategy: Strategy, terms: BacktestTerms, window: Window, lead: int
    ) -> BacktestResult:
        """The account over a window's bars, flat and with all its cash at their beginning."""
        return backtest([self.leg(strategy, window, lead)], terms)

    def leg(self, strategy: Strategy, window: Window, lead: int) -> Leg:
        """A window's candles with what the strategy says about them, warmed up before."""
        view = self._view(window, lead)
        signals = strategy.signals(view.seen)
        signals.check(len(view.seen))
        if view.lead:
            cut = slice(view.lead, None)
            signals = Signals(
                enter_long=signals.enter_long[cut],
                exit_long=signals.exit_long[cut],
                enter_short=signals.enter_short[cut],
                exit_short=signals.exit_short[cut],
                size=None if signals.size is None else signals.size[cut],
            )
        warmup = max(0, strategy.warmup - view.lead)
        return Leg(self.symbol, view.judged, signals, view.fine, warmup)

    def _view(self, window: Window, lead: int) -> "View":
        """The candles of a window and before it, always the same objects, so that indicators over
        them can be shared."""
        known = self._views.get((window, lead))
        if known is None:
            first = max(0, window.start - lead)
            seen = self.candles[slice(first, window.stop)]
            judged = seen[slice(window.start - first, None)]
            fine = None if self.fine is None else _inside(self.fine, judged)
            known = self._views[window, lead] = View(seen, judged, fine, window.start - first)
        return known

    def ruler(self, window: Window, example: BacktestResult) -> Ruler:
        """Measures results over a window's bars."""
        known = self._rulers.get(window)
        if known is None:
            known = self._rulers[window] = Ruler(example)
        return known


def try_one(bench: Bench, task: TrialTask) -> TrialResult:
    """Carry out one trial. Raises whatever the strategy's own code does."""
    try:
        strategy = bench.strategy(task.params)
    except Unfit as error:
        return TrialResult(TrialOutcome.REFUSED, note=error.message)
    terms = bench.terms_with(task.exits)
    result = bench.simulate(strategy, terms, task.train, task.lead)
    ruler = bench.ruler(task.train, result)
    inside = ruler.scores(result)
    least = 1 if task.test is None else bench.min_trades
    value, note = OBJECTIVES[bench.objective].value(inside, least)
    outside, slices = NO_SCORES, ()
    if task.test is not None:
        tested = bench.simulate(strategy, terms, task.test, task.lead)
        outside = bench.ruler(task.test, tested).scores(tested)
        slices = tuple(sliced(result).tolist())
    outcome = TrialOutcome.INELIGIBLE if value is None else TrialOutcome.SCORED
    return TrialResult(outcome, value, note, inside, outside, slices)


def try_many(bench: Bench, tasks: Sequence[TrialTask]) -> list[TrialResult]:
    """Several trials on one worker, which computes each indicator once for all of them."""
    with shared_indicators():
        return [_tried(bench, task) for task in tasks]


def _tried(bench: Bench, task: TrialTask) -> TrialResult:
    try:
        return try_one(bench, task)
    except Exception as error:  # noqa: BLE001  strategy code may raise anything; it is the outcome
        words = getattr(error, "message", f"{type(error).__name__}: {error}")
        return TrialResult(TrialOutcome.FAILED, note=" ".join(str(words).split())[:300])


def _inside(fine: Candles, candles: Candles) -> Candles:
    """The finer candles within the span of ``candles``."""
    end_ms = int(candles.time[-1]) + timeframe_s(candles.timeframe) * 1000
    first, stop = np.searchsorted(fine.time, (int(candles.time[0]), end_ms))
    return fine[slice(int(first), int(stop))]


def sliced(result: BacktestResult) -> FloatArray:
    """The account's returns in SLICES parts of even length, as fractions of the starting cash.
    Shape: (SLICES,), or fewer bars than that: one a bar."""
    count = len(result.equity)
    ends = np.linspace(0, count, min(SLICES, count) + 1).astype(int)[1:] - 1
    worth = np.concatenate(([result.starting_cash], result.equity[ends]))
    return np.asarray(np.diff(worth) / result.starting_cash)


class Inspection(NamedTuple):
    """What must be known of a strategy before a study: the longest warm-up and history that its
    parameters ask for, and the sentence that refuses it when it looks ahead."""

    warmup: int
    history: int
    refusal: str = ""


def inspect(bench: Bench, combinations: Sequence[Mapping[str, Any]]) -> Inspection:
    """Look at a strategy with each of these parameters; those that it refuses are passed over.

    The look-ahead check takes the first that it accepts. Raises Unfit when it accepts none,
    and whatever the strategy's own code does.
    """
    accepted: list[Strategy] = []
    refusal: Unfit | None = None
    for params in combinations:
        try:
            accepted.append(bench.strategy(params))
        except Unfit as error:
            refusal = refusal or error
    if not accepted:
        words = refusal.message if refusal else "there is nothing to try"
        raise Unfit(f"The strategy refuses these parameters: {words}.", field="params")
    found = find_look_ahead(accepted[0], bench.candles)
    return Inspection(
        warmup=max(one.warmup for one in accepted),
        history=max(max(one.history, one.warmup) for one in accepted),
        refusal=found.sentence if found else "",
    )
