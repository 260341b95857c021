"""News: what there is, where it comes from, and a user's own."""

from pydantic import ConfigDict, Field

from engine.contracts.base import Contract
from engine.domain.money import UtcDatetime
from engine.domain.news import NewsItem

__all__ = [
    "NewsFilter", "NewsItem", "NewsNote", "NewsPage", "NewsRefresh", "NewsSourceView", "NewsStatus",
]  # fmt: skip

SYMBOL = r"[A-Za-z0-9][A-Za-z0-9.\-:/]*"


class NewsFilter(Contract):
    """Which news; an empty field does not narrow. ``symbol`` may be BTC, BTC/USDT, AAPL, EUR/USD;
    ``search`` is a part of title or summary."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbol: str = Field(default="", max_length=40, pattern=f"^({SYMBOL})?$")
    source: str = Field(default="", max_length=40, pattern=r"^[a-z0-9]*$")
    search: str = Field(default="", max_length=100)
    limit: int = Field(default=50, ge=1, le=500)
    offset: int = Field(default=0, ge=0, le=1_000_000)


class NewsPage(Contract):
    """``GET /news``: newest first; ``count`` is how many match in all."""

    items: tuple[NewsItem, ...]
    count: int


class NewsSourceView(Contract):
    """One source. ``setting`` is the variable that its key is in; ``waiting`` questions are being
    asked now; ``last_error`` is empty once it has answered again."""

    id: str
    title: str
    setting: str
    is_configured: bool
    waiting: int = 0
    kept: int = 0
    last_asked_at: UtcDatetime | None = None
    last_answer_at: UtcDatetime | None = None
    last_error: str = ""
    last_error_at: UtcDatetime | None = None
    paused_until: UtcDatetime | None = None


class NewsStatus(Contract):
    """``GET /news/status``. ``symbols`` are those that there is news of
    the last week about."""

    every_s: int
    kept_days: int
    sources: tuple[NewsSourceView, ...]
    own_kept: int = 0
    symbols: tuple[str, ...] = ()


class NewsRefresh(Contract):
    """``POST /news/refresh``: ask about ``symbol`` now."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbol: str = Field(min_length=1, max_length=40, pattern=f"^{SYMBOL}$")


class NewsNote(Contract):
    """``POST /news``: a piece of news of one's own. An empty ``symbol`` is the market as a whole;
    without ``published_at`` it is of now."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=1, max_length=2_000)
    symbol: str = Field(default="", max_length=40, pattern=f"^({SYMBOL})?$")
    summary: str = Field(default="", max_length=20_000)
    url: str = Field(default="", max_length=500)
    sentiment: float | None = Field(default=None, ge=-1, le=1, allow_inf_nan=False)
    published_at: UtcDatetime | None = None
