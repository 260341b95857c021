"""Studies without an engine: on candle files, for the command line."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.domain.studies import StudyProgress, StudyRequest, StudySummary, TrialRow
from engine.ports import Compute, Searches, SearchPlan, StrategyHost
from engine.services.study_run import StudyRun, study_trials
from engine.services.study_setting import StudyPlanner
from engine.services.study_space import space_of


@dataclass(frozen=True)
class OfflineTuner:
    """What ``tune`` needs; the same parts as the engine's, and no database."""

    planner: StudyPlanner
    host: StrategyHost
    compute: Compute
    searches: Searches

    def run(
        self, request: StudyRequest, name: str, on_progress: Callable[[StudyProgress], None]
    ) -> StudySummary:
        """Carry a study out, or go on with the one of this name. Raises like ``StudyRun``."""
        setting = self.planner.prepare(request)
        return StudyRun(name, setting, self.compute, self.searches, on_progress).run()

    def trials(self, request: StudyRequest, name: str, folds: int) -> Sequence[TrialRow]:
        """What was tried."""
        info = self.host.get(request.backtest.strategy)
        space = space_of(info.parameters, request.ranges, request.fixed, request.method)
        plan = SearchPlan(space.dimensions, request.method, request.pruner, request.seed)
        return study_trials(self.searches, name, plan, folds)
