"""The pages' calls about news."""

from engine.contracts.news import NewsFilter, NewsPage, NewsRefresh, NewsStatus
from panel.connection import Connection

API = "/api/v1/news"


class NewsCalls(Connection):
    """What news there is, and where it comes from."""

    def news(self, chosen: NewsFilter | None = None) -> NewsPage:
        """A page of news, newest first."""
        return self._get(NewsPage, API, (chosen or NewsFilter()).model_dump(mode="json"))

    def news_status(self) -> NewsStatus:
        """The sources, those without a key too."""
        return self._get(NewsStatus, f"{API}/status")

    def refresh_news(self, symbol: str) -> NewsStatus:
        """Ask every source about a symbol, in the background."""
        return self._post(NewsStatus, f"{API}/refresh", NewsRefresh(symbol=symbol))
