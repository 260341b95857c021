"""What the API tells of the engine itself, all of it from memory."""

from dataclasses import dataclass

from engine import __version__
from engine.api.views import Views, lateness
from engine.contracts import EngineStats, Health
from engine.domain.bots import ACTIVE_STATES
from engine.services.books import Books
from engine.services.candle_feed import CandleFeed
from engine.services.pulse import Pulse


@dataclass(frozen=True)
class SelfViews:
    """``engine_id`` is another one at every start."""

    engine_id: str
    books: Books
    pulse: Pulse
    feed: CandleFeed
    views: Views

    def health(self) -> Health:
        """Who it is, and its heartbeat."""
        return Health(
            status="ok",
            version=__version__,
            engine_id=self.engine_id,
            started_at=self.pulse.started_at,
            heartbeat_at=self.pulse.heartbeat_at,
            modes=self.views.modes(),
        )

    def stats(self) -> EngineStats:
        """How late jobs and cycles were."""
        return EngineStats(
            live_bots=sum(bot.state in ACTIVE_STATES for bot in list(self.books.bots.values())),
            cycles_run=self.pulse.cycles,
            candle_requests=self.feed.requests,
            jobs=lateness(tuple(self.pulse.job_lateness_s)),
            cycles=lateness(tuple(self.pulse.cycle_lateness_s)),
        )
