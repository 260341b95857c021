"""What the HTTP API asks of research: backtests, studies, performance. See ``services.py``."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from engine.contracts import BotView, Chart
from engine.contracts.backtests import (
    BacktestBotRequest,
    BacktestChartQuery,
    BacktestFilter,
    BacktestPage,
    BacktestPreview,
    BacktestReport,
    BacktestRequest,
    BacktestRun,
    BacktestTradeFilter,
    BacktestTradePage,
    Comparison,
)
from engine.contracts.performance import PerformanceFilter, PerformanceView, ReportTable
from engine.contracts.studies import (
    Retune,
    RetuneSettings,
    Study,
    StudyBotRequest,
    StudyFilter,
    StudyPage,
    StudyPreviewView,
    StudyRequest,
    TrialFilter,
    TrialPage,
)


class BacktestServices(Protocol):
    """Backtests. ``run_id`` is a run's id; all but ``preview``, ``create``, ``page`` raise NotFound
    for one that is not there."""

    def preview(self, request: BacktestRequest) -> BacktestPreview:
        """Validate everything, save nothing. Raises ConfigError naming the field, NotFound."""
        ...

    def create(self, request: BacktestRequest, actor: str) -> BacktestRun:
        """Queue a run. Raises like ``preview``, and Conflict behind too many."""
        ...

    def run_again(self, run_id: str, actor: str) -> BacktestRun:
        """The same once more. Raises like ``create``."""
        ...

    def page(self, chosen: BacktestFilter) -> BacktestPage:
        """Newest first."""
        ...

    def report(self, run_id: str) -> BacktestReport:
        """Without an analysis until it is done."""
        ...

    def trades(self, run_id: str, chosen: BacktestTradeFilter) -> BacktestTradePage:
        """A page of its trades. Raises Conflict until it is done."""
        ...

    def trades_csv(self, run_id: str, chosen: BacktestTradeFilter) -> Iterator[str]:
        """Every trade that matches, as CSV. Raises Conflict until it is done."""
        ...

    def html(self, run_id: str) -> str:
        """A report to keep, as one page. Raises Conflict until it is done."""
        ...

    def chart(self, run_id: str, query: BacktestChartQuery) -> Chart:
        """A window of its candles with its trades. Raises Conflict until it is done."""
        ...

    def cancel(self, run_id: str, actor: str) -> BacktestRun:
        """End it at whatever stage. Raises Conflict when it has ended."""
        ...

    def delete(self, run_id: str, actor: str) -> None:
        """Raises Conflict while it waits or runs."""
        ...

    def make_bot(self, run_id: str, request: BacktestBotRequest, actor: str) -> BotView:
        """A stopped paper bot. Raises ConfigError naming the field, Conflict (name taken)."""
        ...

    def compare(self, run_ids: Sequence[str]) -> Comparison:
        """Raises ConfigError for other than two to five, Conflict for one that is not done."""
        ...


class StudyServices(Protocol):
    """Studies. ``study_id`` is a study's id; all but ``preview``, ``create``, ``page`` raise
    NotFound for one that is not there."""

    def preview(self, request: StudyRequest) -> StudyPreviewView:
        """Validate everything, save nothing. Raises ConfigError naming the field, NotFound."""
        ...

    def create(self, request: StudyRequest, actor: str) -> Study:
        """Queue a study. Raises like ``preview``, and Conflict behind too many."""
        ...

    def page(self, chosen: StudyFilter) -> StudyPage:
        """Newest first."""
        ...

    def get(self, study_id: str) -> Study:
        """As it stands now."""
        ...

    def trials(self, study_id: str, chosen: TrialFilter) -> TrialPage:
        """A page of its trials so far."""
        ...

    def cancel(self, study_id: str, actor: str) -> Study:
        """Raises Conflict when it has ended."""
        ...

    def resume(self, study_id: str, actor: str) -> Study:
        """Raises Conflict when it runs or is done."""
        ...

    def delete(self, study_id: str, actor: str) -> None:
        """Raises Conflict while it waits or runs."""
        ...

    def make_bot(self, study_id: str, request: StudyBotRequest, actor: str) -> BotView:
        """A stopped paper bot. Raises ConfigError naming the field, Conflict."""
        ...

    def retune(self, key: str) -> Retune:
        """How a bot is tuned again."""
        ...

    def set_retune(self, key: str, settings: RetuneSettings, actor: str) -> Retune:
        """Raises ConfigError naming the field."""
        ...


class PerformanceServices(Protocol):
    """How well it went."""

    def view(self, chosen: PerformanceFilter, /) -> PerformanceView:
        """Figures by quote asset; an asset in which nothing was traded is left out."""
        ...

    def html(self, chosen: PerformanceFilter, /) -> str:
        """The same as a self-contained page."""
        ...

    def csv(self, chosen: PerformanceFilter, table: ReportTable, /) -> Iterator[str]:
        """One of its tables, complete. Each step of the iterator may run on another thread."""
        ...
