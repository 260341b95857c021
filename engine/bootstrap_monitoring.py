"""What tells others how the engine does: time series, and metrics."""

from dataclasses import dataclass

from engine.adapters.series.influx import InfluxSink
from engine.bootstrap_core import Core
from engine.services.read_series import SeriesReader
from engine.services.send_series import SeriesSender
from engine.services.series_sources import sources

LANE = "series"


@dataclass(frozen=True)
class Monitoring:
    """``series`` is None while no server is set."""

    core: Core
    series: SeriesSender | None

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


def build_monitoring(core: Core) -> Monitoring:
    """Build it."""
    return Monitoring(core, _series(core))


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
