"""What tells others how the engine does: time series, and metrics."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engine.adapters.series.influx import InfluxSink
from engine.api.metrics_page import MetricsPage
from engine.bootstrap_core import Core
from engine.domain import gauges
from engine.domain.gauges import Sample
from engine.services.ask_model import ModelStatus
from engine.services.check_bots import Checks
from engine.services.read_series import SeriesReader
from engine.services.send_series import SeriesSender
from engine.services.series_sources import sources
from engine.services.tell_metrics import (
    BookMetrics,
    CommitCounts,
    MetricsBook,
    SeriesMetrics,
    Vitals,
)
from engine.services.track_equity import EquityKeeper

LANE = "series"


@dataclass(frozen=True)
class Monitoring:
    """``series`` is None while no server is set. Others may register sources with ``metrics``;
    nothing is asked of them while metrics are switched off."""

    core: Core
    series: SeriesSender | None
    metrics: MetricsBook
    commits: CommitCounts
    page: MetricsPage

    def begin(self) -> None:
        """Count from now on."""
        if self.core.settings.metrics_enabled:
            self.core.books.listen(self.commits.on_commit)

    async def send(self) -> None:
        """Begin a round of time series when one is due; never waits for the server."""
        if self.series is not None and self.series.begin_due() and not self._is_telling:
            await self.core.lanes.run(LANE, self.series.tell_no_answer)

    @property
    def _is_telling(self) -> bool:
        return bool(self.core.lanes.backlog(LANE))

    def close(self) -> None:
        """Send no more."""
        if self.series is not None:
            self.series.close()


def build_monitoring(
    core: Core, equity: EquityKeeper, checks: Checks, model: Callable[[], ModelStatus]
) -> Monitoring:
    """Build it."""
    book, commits, series = MetricsBook(), CommitCounts(), _series(core)
    book.register(Vitals(core.books, core.pulse, core.controls))
    book.register(BookMetrics(core.books, equity, core.instruments))
    book.register(commits)
    book.register(lambda: _machinery(core, checks))
    book.register(lambda: _models(core, model()))
    if series is not None:
        book.register(SeriesMetrics(series))
    page = MetricsPage(book.read if core.settings.metrics_enabled else None)
    return Monitoring(core, series, book, commits, page)


def _series(core: Core) -> SeriesSender | None:
    settings = core.settings
    if not settings.influx_url:
        return None
    token = settings.influx_token.get_secret_value().strip() if settings.influx_token else ""
    url, org, bucket = settings.influx_url, settings.influx_org, settings.influx_bucket
    return SeriesSender(
        core.books,
        InfluxSink(url, org, bucket, token),
        sources(SeriesReader(core.books, core.pulse)),
        target=f"{url} {org} {bucket}",
        every_s=settings.influx_every_s,
    )


def _machinery(core: Core, checks: Checks) -> Iterator[Sample]:
    """Workers, lanes and the database."""
    yield Sample(gauges.RUNNING, checks.running)
    for lane, count in core.lanes.backlogs_by_kind().items():
        yield Sample(gauges.BACKLOG, count, (lane,))
    yield Sample(gauges.WORKERS, len(core.host.worker_pids()))
    yield Sample(gauges.WORKER_BYTES, core.host.worker_bytes())
    yield Sample(gauges.WORKERS_STARTED, core.host.workers_started)
    yield Sample(gauges.COMMITS, core.store.database.commits)
    size = core.store.database.size_bytes()
    if size is not None:
        yield Sample(gauges.DATABASE, size)


def _models(core: Core, status: ModelStatus) -> Iterator[Sample]:
    """What models cost today."""
    yield Sample(gauges.AI_CALLS, status.calls_today)
    yield Sample(gauges.AI_COST, status.used_usd)
    yield Sample(gauges.AI_BUDGET, core.settings.ai_budget_usd)
