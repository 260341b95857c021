"""A study before it runs: everything read and checked, nothing tried yet."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.domain.backtest_runs import BacktestRequest
from engine.domain.candles import Candles
from engine.domain.search_space import SearchSpace
from engine.domain.studies import StudyRequest
from engine.domain.study_kinds import Method
from engine.domain.trials import Bench, LoadStrategy
from engine.domain.walk_forward import Fold, Window
from engine.errors import StrategyError
from engine.ports import StrategyHost
from engine.services.backtest_candles import Progress, fingerprint, no_progress
from engine.services.backtest_plans import BacktestPlanner, Plan
from engine.services.study_space import plan_windows, space_of


@dataclass(frozen=True, slots=True)
class StudyPreview:
    """What a study would do. ``bars`` is None for a market, which is asked only when it runs."""

    space: SearchSpace
    symbol: str
    quote: str
    bars: int | None
    folds: Sequence[Fold]
    trials: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StudySetting:
    """A study with its candles. Of these the first ``start`` come before the period."""

    request: StudyRequest
    space: SearchSpace
    bench: Bench
    start: int
    quote: str
    warnings: tuple[str, ...]
    sha256: str

    @property
    def candles(self) -> Candles:
        """All candles, those before the period too."""
        return self.bench.candles

    def folds(self, warmup: int) -> tuple[Fold, ...]:
        """The windows, as places in the candles. Raises ConfigError for too few candles."""
        found = plan_windows(self.request, len(self.candles) - self.start, warmup)
        return tuple(
            Fold(_moved(fold.train, self.start), _moved(fold.test, self.start)) for fold in found
        )


class StudyPlanner:
    """Checks study requests and reads what they need; thread-safe."""

    def __init__(self, planner: BacktestPlanner, host: StrategyHost, load: LoadStrategy) -> None:
        self._planner = planner
        self._host = host
        self._load = load

    def preview(self, request: StudyRequest) -> StudyPreview:
        """Check everything that can be checked without asking a market for candles.

        Raises ConfigError (with the field), NotFound, StrategyError, DataError.
        """
        space, warmup = self._space(request)
        plan = self._planner.preview(_as_defaults(request))
        leg = plan.legs[0]
        is_planned = leg.coverage.is_planned
        bars = leg.coverage.bars
        folds = plan_windows(request, bars, warmup)
        trials = space.grid_size if request.method is Method.GRID else request.trials
        return StudyPreview(
            space, leg.instrument.symbol, plan.quote, None if is_planned else bars, folds,
            trials * len(folds), plan.warnings,
        )  # fmt: skip

    def prepare(self, request: StudyRequest, on_progress: Progress = no_progress) -> StudySetting:
        """Read the candles too. Raises like ``preview``."""
        space, _warmup = self._space(request)
        plan = self._planner.prepare(_as_defaults(request), on_progress)
        strategy_id = request.backtest.strategy
        path = Path(self._host.get(strategy_id).path)
        try:
            source = path.read_bytes()
        except OSError as error:
            raise StrategyError(f"strategy '{strategy_id}': {path} cannot be read") from error
        leg = plan.legs[0]
        bench = Bench(
            path=str(path), source=source, load=self._load, symbol=leg.instrument.symbol,
            candles=leg.candles, terms=plan.terms, objective=request.objective,
            min_trades=request.min_trades, fine=leg.fine,
        )  # fmt: skip
        digest = hashlib.sha256(source).hexdigest() + fingerprint(plan.legs)
        return StudySetting(
            request, space, bench, leg.start, plan.quote, _without_warmup(plan),
            hashlib.sha256(digest.encode()).hexdigest(),
        )  # fmt: skip

    def _space(self, request: StudyRequest) -> tuple[SearchSpace, int]:
        info = self._host.get(request.backtest.strategy)
        space = space_of(info.parameters, request.ranges, request.fixed, request.method)
        return space, info.warmup


def _as_defaults(request: StudyRequest) -> BacktestRequest:
    """The candles are those that the strategy's defaults need: what is searched may not fit to what
    is fixed before it is known."""
    return request.backtest.model_copy(update={"params": {}})


def _without_warmup(plan: Plan) -> tuple[str, ...]:
    """The warnings, less that about the warm-up: a study's windows see to that themselves."""
    return tuple(one for one in plan.warnings if "warm the strategy up" not in one)


def _moved(window: Window, by: int) -> Window:
    return Window(window.start + by, window.stop + by)
