"""The calls of docs/api.md that are about backtests."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from engine.contracts import BotView, Chart
from engine.contracts.backtests import (
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
from panel.connection import Connection

API = "/api/v1/backtests"

Body = BacktestRequest | Mapping[str, Any]
"""A request, or a mapping that may hold anything: the engine judges it."""


class BacktestCalls(Connection):
    """Backtests; every call raises EngineOff or EngineRefused."""

    def preview_backtest(self, body: Body) -> BacktestPreview:
        """What a backtest would use; nothing is saved."""
        return self._post(BacktestPreview, f"{API}/preview", body)

    def create_backtest(self, body: Body) -> BacktestRun:
        """Queue a backtest."""
        return self._post(BacktestRun, API, body)

    def backtests(self, chosen: BacktestFilter | None = None) -> BacktestPage:
        """A page of the backtests that match, newest first."""
        query = (chosen or BacktestFilter()).model_dump(mode="json")
        return self._get(BacktestPage, API, query)

    def backtest(self, run_id: str) -> BacktestReport:
        """One backtest with everything it found."""
        return self._get(BacktestReport, _run(run_id))

    def backtest_trades(self, run_id: str, chosen: BacktestTradeFilter) -> BacktestTradePage:
        """A page of its trades."""
        query = chosen.model_dump(mode="json")
        return self._get(BacktestTradePage, _run(run_id, "trades"), query)

    def backtest_trades_csv(self, run_id: str, chosen: BacktestTradeFilter) -> bytes:
        """All its trades that match, as CSV."""
        query = chosen.model_dump(mode="json", exclude={"limit", "offset"})
        return self._send("GET", _run(run_id, "trades.csv"), query=query).content

    def backtest_html(self, run_id: str) -> bytes:
        """Its report as one HTML file."""
        return self._send("GET", _run(run_id, "report.html")).content

    def backtest_chart(
        self, run_id: str, *, symbol: str = "", at: datetime | None = None, limit: int = 300
    ) -> Chart:
        """Its candles around a moment (None: the newest), with its trades."""
        query = {"symbol": symbol, "limit": limit, "at": at.isoformat() if at else None}
        return self._get(Chart, _run(run_id, "chart"), query)

    def cancel_backtest(self, run_id: str) -> BacktestRun:
        """End a backtest that waits or runs."""
        return self._post(BacktestRun, _run(run_id, "cancel"))

    def run_backtest_again(self, run_id: str) -> BacktestRun:
        """Queue the same once more."""
        return self._post(BacktestRun, _run(run_id, "again"))

    def delete_backtest(self, run_id: str) -> None:
        """Remove a backtest with its files."""
        self._send("DELETE", _run(run_id))

    def bot_of_backtest(self, run_id: str, body: Mapping[str, Any]) -> BotView:
        """A stopped paper bot that does what the backtest did."""
        return self._post(BotView, _run(run_id, "bot"), body)

    def compare_backtests(self, run_ids: Sequence[str]) -> Comparison:
        """Two to five backtests side by side."""
        return self._get(Comparison, f"{API}/compare", {"ids": ",".join(run_ids)})


def _run(run_id: str, verb: str = "") -> str:
    path = f"{API}/{quote(run_id, safe='')}"
    return f"{path}/{verb}" if verb else path
