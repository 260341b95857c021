"""What is known of candles and hours at this moment."""

from pydantic import Field

from engine.contracts.base import Contract
from engine.domain.money import UtcDatetime


class LiveFacts(Contract):
    """Of one bot. ``sleeps_until`` with ``sleeps_why`` while it sleeps, ``sleeps_local`` the same
    moment in its market's time; a sleep whose end nobody knows has a reason and no end.

    ``newest_candle_at``: when the newest candle closed that it could decide on. ``source_words``:
    whose the candles are when they are not its market's own. ``data_error``: why there are none.
    """

    sleeps_until: UtcDatetime | None = None
    sleeps_why: str = ""
    sleeps_local: str = ""
    is_market_open: bool = True
    newest_candle_at: UtcDatetime | None = None
    source_words: str = ""
    data_error: str = ""


class FeedView(Contract):
    """One feed: ``GET /market-data``. ``newest`` is when the newest candle closed; None: there is
    none that could be decided on, and ``error`` says why. ``age_s`` is by the market's time.

    ``source`` is whose candles these are; ``other_since`` is set when they are not the market's
    own. ``revisions`` counts past candles that the market has changed.
    """

    market: str
    symbol: str
    timeframe: str
    source: str
    newest: UtcDatetime | None
    age_s: float | None
    is_late: bool
    is_market_open: bool
    bots: int = Field(description="that trade on it")
    requests: int
    errors: int
    revisions: int
    error: str = ""
    failing_since: UtcDatetime | None = None
    other_since: UtcDatetime | None = None
    words: str = Field(default="", description="what a person should know of its candles")
