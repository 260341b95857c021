"""A download of candles: what was asked, how far it is, and how it ended."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.money import UtcDatetime


class DownloadState(StrEnum):
    """What a download is doing."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


ACTIVE = frozenset({DownloadState.WAITING, DownloadState.RUNNING})
RESUMABLE = frozenset({DownloadState.FAILED, DownloadState.CANCELLED, DownloadState.INTERRUPTED})


class Download(BaseModel):
    """One download. Everything before ``done_until`` is in the library; resumed, it goes on there.

    ``bars`` counts what the source gave, ``added`` what the library did not have before, and
    ``conflicts`` candles that it had with other numbers (the newer ones count).
    """

    model_config = ConfigDict(frozen=True)

    id: str
    source: str
    symbol: str = Field(description="as the source names it")
    timeframe: str
    since: UtcDatetime
    until: UtcDatetime
    set_id: str
    state: DownloadState = DownloadState.WAITING
    message: str = ""
    bars: int = 0
    added: int = 0
    conflicts: int = 0
    done_until: UtcDatetime
    asked_at: UtcDatetime
    ended_at: UtcDatetime | None = None

    @property
    def is_active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ACTIVE

    @property
    def progress(self) -> float:
        """The part of the time asked for that is done, 0 to 1."""
        if self.state is DownloadState.DONE:
            return 1.0
        return (self.done_until - self.since) / (self.until - self.since)
