"""What a person does with studies: look ahead, start, cancel, resume, delete, make a bot."""

from collections.abc import Sequence
from typing import Any

from engine.domain.backtest_runs import BacktestRun, Coverage, FileSource, labels_of
from engine.domain.bots import Bot, ExitRules
from engine.domain.studies import (
    RESUMABLE,
    Study,
    StudyProgress,
    StudyRequest,
    StudyState,
    TrialRow,
)
from engine.errors import ConfigError, Conflict
from engine.ports import CandleFiles, Searches, SearchPlan, StrategyHost, Venues
from engine.services.backtests import PAPER, bot_config
from engine.services.books import Books, new_id
from engine.services.bots import BotService
from engine.services.study_run import study_trials
from engine.services.study_runner import StudyRunner
from engine.services.study_setting import StudyPlanner, StudyPreview
from engine.services.study_space import space_of


class StudyService:
    """Commands on studies; each is checked in full before anything is written."""

    def __init__(
        self,
        books: Books,
        planner: StudyPlanner,
        runner: StudyRunner,
        searches: Searches,
        host: StrategyHost,
    ) -> None:
        self._books = books
        self._planner = planner
        self._runner = runner
        self._searches = searches
        self._host = host

    def preview(self, request: StudyRequest) -> StudyPreview:
        """What a request would do. Raises ConfigError (with the field), NotFound, StrategyError,
        DataError."""
        return self._planner.preview(request)

    def create(self, request: StudyRequest, actor: str, retune_of: str = "") -> Study:
        """Queue a study. Raises like ``preview``."""
        preview = self._planner.preview(request)
        study = Study(
            id=new_id(), name=request.name or _name_of(request, preview), request=request,
            symbol=preview.symbol, created_at=self._books.clock.now(), retune_of=retune_of,
            progress=StudyProgress(folds=len(preview.folds), planned=preview.trials),
        )  # fmt: skip
        self._runner.queue(study, actor)
        return study

    def get(self, study_id: str) -> Study:
        """As it stands now. Raises NotFound."""
        with self._books.store.reading() as tx:
            return self._runner.current(tx.studies.get(study_id))

    def list(self, *, limit: int, offset: int = 0, **where: Any) -> tuple[Sequence[Study], int]:
        """A page, newest first, and how many there are."""
        self._runner.save_again()
        with self._books.store.reading() as tx:
            found = tx.studies.select(is_descending=True, limit=limit, offset=offset, **where)
            count = tx.studies.count(**where)
        return [self._runner.current(one) for one in found], count

    def trials(self, study_id: str) -> Sequence[TrialRow]:
        """All trials so far, fold by fold, in their order. Raises NotFound, StrategyError when the
        strategy's file is gone or broken, StoreError."""
        study = self.get(study_id)
        if not study.source_sha256:  # it has not begun: there is no record, and none is made
            return []
        request = study.request
        info = self._host.get(request.backtest.strategy)
        space = space_of(info.parameters, request.ranges, request.fixed, request.method)
        plan = SearchPlan(space.dimensions, request.method, request.pruner, request.seed)
        folds = max(1, study.progress.folds if study.state is not StudyState.QUEUED else 1)
        begun = max(1, study.progress.fold) if study.state is not StudyState.DONE else folds
        return study_trials(self._searches, study.id, plan, begun)

    def cancel(self, study_id: str, actor: str) -> Study:
        """End it; what was tried is kept. Raises NotFound, Conflict when it has ended."""
        study = self.get(study_id)
        if not self._runner.cancel(study.id):
            raise Conflict("This study has ended already.")
        with self._books.writing() as writing:
            writing.audit(actor, "study.cancel", study.id, name=study.name)
        return self.get(study_id)

    def resume(self, study_id: str, actor: str) -> Study:
        """Go on where it was. Raises NotFound, Conflict when it runs or is done."""
        study = self.get(study_id)
        if study.state not in RESUMABLE:
            raise Conflict(f"This study is {study.state.value}; it cannot be resumed.")
        waiting = study.model_copy(
            update={"state": StudyState.QUEUED, "finished_at": None, "error": "",
                    "error_field": ""}
        )  # fmt: skip
        self._runner.queue(waiting, actor, is_new=False)
        return self.get(study_id)

    def delete(self, study_id: str, actor: str) -> None:
        """Remove a study that has ended, with its trials. Raises NotFound, Conflict."""
        study = self.get(study_id)
        if study.is_active:
            raise Conflict("Cancel the study before you delete it.")
        with self._books.writing() as writing:
            writing.tx.studies.delete(study.id)
            writing.audit(actor, "study.delete", study.id, name=study.name)
        self._searches.delete(study.id)


class WinnerMaker:
    """Makes paper bots of studies' winners."""

    def __init__(
        self, studies: StudyService, bots: BotService, files: CandleFiles, venues: Venues
    ) -> None:
        self._studies = studies
        self._bots = bots
        self._files = files
        self._venues = venues

    def make(self, study_id: str, actor: str, *, name: str, market: str, speed: float) -> Bot:
        """A new, stopped bot with the best parameters. An empty ``market`` is where the candles
        came from: a file is replayed at ``speed`` (0: as fast as it goes). Raises Conflict for a
        study without a winner, ConfigError with the field, NotFound.
        """
        study = self._studies.get(study_id)
        if study.state is not StudyState.DONE or not study.summary.best:
            raise Conflict("This study has no winner to make a bot of.")
        market_id = market or self._market_of(study, speed)
        if not self._venues.account_of(market_id, "study").startswith(PAPER):
            raise ConfigError("Only paper accounts are offered here.", field="market")
        return self._bots.create(bot_config(as_run(study), name, market_id, study.symbol), actor)

    def _market_of(self, study: Study, speed: float) -> str:
        source = study.request.backtest.source
        if not isinstance(source, FileSource):
            return source.market
        path = self._files.read(source.files[0]).market_id
        return f"{path}?speed={speed:g}" if speed else path


def as_run(study: Study) -> BacktestRun:
    """The winner as a backtest's run."""
    request, summary = study.request.backtest, study.summary
    exact = {name: repr(value) for name, value in summary.exits.items()}  # text: kept exactly
    rules = ExitRules.model_validate({**request.terms.exits.model_dump(), **exact})
    terms = request.terms.model_copy(update={"exits": rules})
    params = {**request.params, **summary.params}
    coverage = Coverage(
        symbol=study.symbol, source=labels_of(request.source)[0], read_timeframe=request.timeframe,
        timeframe=request.timeframe, bars=0,
    )  # fmt: skip
    return BacktestRun(
        id=study.id, name=study.name, created_at=study.created_at, coverage=(coverage,),
        request=request.model_copy(update={"params": params, "terms": terms}),
    )  # fmt: skip


def _name_of(request: StudyRequest, preview: StudyPreview) -> str:
    backtest, count = request.backtest, len(preview.folds)
    folds = f", {count} folds" if count > 1 else ""
    place = f"{backtest.strategy} {preview.symbol} {backtest.timeframe}"
    return f"{place} by {request.objective.value}{folds}"[:80]
