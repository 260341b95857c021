"""Studies for the API: what is asked of the services, and views of what they answer."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock

from engine.api.views import Views
from engine.contracts import BotView
from engine.contracts.studies import (
    Retune,
    RetuneSettings,
    Study,
    StudyBotRequest,
    StudyBrief,
    StudyFilter,
    StudyPage,
    StudyPreviewView,
    StudyRequest,
    TrialFilter,
    TrialPage,
    TrialRow,
    WindowView,
)
from engine.domain.objectives import OBJECTIVES
from engine.domain.scores import Scores
from engine.domain.studies import scores_of
from engine.services.retunes import Retuner
from engine.services.studies import StudyService, WinnerMaker

KEPT_STUDIES = 8


@dataclass(frozen=True)
class StudyDesk:
    """Implements ``StudyServices``. Trials of studies that have ended are kept while looked at."""

    studies: StudyService
    winners: WinnerMaker
    retuner: Retuner
    views: Views
    _kept: "OrderedDict[str, Sequence[TrialRow]]" = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def preview(self, request: StudyRequest) -> StudyPreviewView:
        """What a request would do; nothing is saved."""
        found = self.studies.preview(request)
        return StudyPreviewView(
            symbol=found.symbol, quote=found.quote, bars=found.bars,
            searched={one.name: len(one.values()) for one in found.space.dimensions},
            grid_size=found.space.grid_size, trials=found.trials, warnings=found.warnings,
            folds=tuple(
                WindowView(train_bars=fold.train.length, test_bars=fold.test.length)
                for fold in found.folds
            ),
        )  # fmt: skip

    def create(self, request: StudyRequest, actor: str) -> Study:
        """Queue a study."""
        return self.studies.create(request, actor)

    def page(self, chosen: StudyFilter) -> StudyPage:
        """Studies, newest first."""
        where = chosen.model_dump(exclude={"limit", "offset", "search"}, exclude_none=True)
        if chosen.search:
            where["search"] = chosen.search
        items, count = self.studies.list(limit=chosen.limit, offset=chosen.offset, **where)
        return StudyPage(items=tuple(map(brief, items)), count=count)

    def get(self, study_id: str) -> Study:
        """As it stands now."""
        return self.studies.get(study_id)

    def trials(self, study_id: str, chosen: TrialFilter) -> TrialPage:
        """A page of its trials so far."""
        rows = [
            one
            for one in self._trials(study_id)
            if chosen.fold in (None, one.fold) and chosen.outcome in (None, one.outcome)
        ]
        if chosen.order == "best":
            rows.sort(key=lambda one: (one.value is None, -(one.value or 0.0), one.number))
        shown = rows[chosen.offset : chosen.offset + chosen.limit]
        return TrialPage(items=tuple(shown), count=len(rows))

    def _trials(self, study_id: str) -> Sequence[TrialRow]:
        study = self.studies.get(study_id)
        if study.is_active:
            return self.studies.trials(study_id)
        key = f"{study.id} {study.finished_at}"
        with self._lock:
            known = self._kept.get(key)
        if known is None:
            known = self.studies.trials(study_id)
            with self._lock:
                self._kept[key] = known
                while len(self._kept) > KEPT_STUDIES:
                    self._kept.popitem(last=False)
        return known

    def cancel(self, study_id: str, actor: str) -> Study:
        """End it; what was tried is kept."""
        return self.studies.cancel(study_id, actor)

    def resume(self, study_id: str, actor: str) -> Study:
        """Go on where it was."""
        return self.studies.resume(study_id, actor)

    def delete(self, study_id: str, actor: str) -> None:
        """Remove it with its trials."""
        self.studies.delete(study_id, actor)

    def make_bot(self, study_id: str, request: StudyBotRequest, actor: str) -> BotView:
        """A stopped paper bot with the best parameters."""
        bot = self.winners.make(
            study_id, actor, name=request.name, market=request.market, speed=float(request.speed)
        )
        return self.views.bot(bot)

    def retune(self, key: str) -> Retune:
        """How a bot is tuned again."""
        return self.retuner.get(key)

    def set_retune(self, key: str, settings: RetuneSettings, actor: str) -> Retune:
        """Change it."""
        return self.retuner.put(key, settings, actor)


def brief(study: Study) -> StudyBrief:
    """A study as a list shows it."""
    request, summary = study.request, study.summary
    outside = None
    if summary.outside:
        scores = scores_of({name: summary.outside.get(name) for name in Scores._fields})
        outside, _why = OBJECTIVES[request.objective].value(scores, 1)
    best = summary.best_value if summary.best else study.progress.best_value
    return StudyBrief(
        id=study.id, name=study.name, state=study.state, strategy=request.backtest.strategy,
        symbol=study.symbol, objective=request.objective, method=request.method,
        progress=study.progress, inside=best, outside=outside, pbo=summary.luck.pbo,
        error=study.error, created_at=study.created_at, finished_at=study.finished_at,
    )  # fmt: skip
