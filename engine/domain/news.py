"""News: text of strangers, which is data and never an instruction."""

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.money import UtcDatetime


class NewsItem(BaseModel):
    """One piece of news. ``sentiment`` is the source's own, -1 to 1, where it has one."""

    model_config = ConfigDict(frozen=True)

    id: str
    source: str
    symbol: str = Field(description="what was asked for: BTC, AAPL, EURUSD; empty: the market")
    published_at: UtcDatetime
    title: str
    summary: str = ""
    url: str = ""
    sentiment: float | None = None
    fetched_at: UtcDatetime
