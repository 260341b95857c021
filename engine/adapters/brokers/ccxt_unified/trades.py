"""The account's trades in a symbol: page by page, in spans as long as the exchange answers."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from engine.adapters.brokers.ccxt_reports import Unreadable
from engine.adapters.brokers.ccxt_unified import reading
from engine.adapters.brokers.ccxt_unified.client import UnifiedClient
from engine.adapters.brokers.ccxt_unified.habits import Habits
from engine.domain.money import to_epoch_ms
from engine.domain.orders import Execution
from engine.errors import BrokerUnavailable

PAGE = 100  # trades of one answer, of an exchange of which ccxt does not say it
MOST_PAGES = 200  # of one span
MOST_SPANS = 400
DAY_MS = 86_400_000


class TradeList:
    """Reads the account's trades. Asked for what came since a moment, many exchanges tell only of
    the days that follow it (two at HTX, seven at Bybit and KuCoin): they are asked for one span
    after another, or an order that rested for longer would never have its trades."""

    def __init__(self, client: UnifiedClient, habits: Habits) -> None:
        self._client = client
        self._habits = habits

    def since(self, symbol: str, moment: datetime) -> list[Execution]:
        """All at or after ``moment``, each once, oldest first. Raises BrokerUnavailable,
        AccessDenied."""
        found: dict[str, Execution] = {}
        for start_ms, until in self._spans(to_epoch_ms(moment)):
            found |= {one.trade_id: one for one in self._within(symbol, start_ms, until)}
        kept = (one for one in found.values() if one.time >= moment)
        return sorted(kept, key=lambda one: one.time)

    def _spans(self, start_ms: int) -> Iterator[tuple[int, dict[str, int]]]:
        """Where each begins and, but of the last, which lasts until now, its end. Nothing is asked
        of the days that the exchange does not keep."""
        days = self._client.feature("fetchMyTrades", "untilDays")
        if days and not self._habits.lists_to_now:
            span_ms, now_ms = int(days * DAY_MS), self._client.now_ms()
            kept_days = self._client.feature("fetchMyTrades", "daysBack")
            if kept_days and now_ms - start_ms > span_ms:
                start_ms = max(start_ms, now_ms - int(kept_days * DAY_MS))
            if now_ms - start_ms > MOST_SPANS * span_ms:
                raise BrokerUnavailable(
                    f"{self._client.name} tells of {days} days of trades at a time: those of"
                    f" {(now_ms - start_ms) // DAY_MS} days cannot be read."
                )
            while now_ms - start_ms > span_ms:
                yield start_ms, {"until": start_ms + span_ms}
                start_ms += span_ms
        yield start_ms, {}

    def _within(self, symbol: str, start_ms: int, until: dict[str, int]) -> list[Execution]:
        """The trades of one span, however many pages that takes."""
        found = page = self._page(symbol, start_ms, until)
        for _ in range(MOST_PAGES):
            if len(page) < self._page_size:
                return found
            found, page = self._more(symbol, start_ms, until, found)
        raise BrokerUnavailable(f"{self._client.name}: {symbol} has more trades than can be read.")

    @property
    def _page_size(self) -> int:
        return int(self._client.feature("fetchMyTrades", "limit") or PAGE)

    def _more(
        self, symbol: str, start_ms: int, until: dict[str, int], found: list[Execution]
    ) -> tuple[list[Execution], list[Execution]]:
        """All trades with those of one more page, and the page. Of more than a page holds, some
        exchanges give the oldest, others the newest: it is gone on at the end that has more."""
        known = {trade.trade_id for trade in found}
        page = self._page(symbol, to_epoch_ms(found[-1].time), until)
        if all(trade.trade_id in known for trade in page):
            page = self._page(symbol, start_ms, {"until": to_epoch_ms(found[0].time)})
        fresh = [trade for trade in page if trade.trade_id not in known]
        if not fresh and len(page) >= self._page_size:
            raise BrokerUnavailable(f"{self._client.name}: trades of {symbol} cannot be paged.")
        return sorted(found + fresh, key=lambda trade: trade.time), page

    def _page(self, symbol: str, start_ms: int, until: dict[str, Any]) -> list[Execution]:
        answer = self._client.ask("fetch_my_trades", symbol, start_ms, self._page_size, **until)
        try:
            return reading.executions(answer, symbol)
        except (Unreadable, ValidationError) as error:
            raise BrokerUnavailable(
                f"{self._client.name}: an answer cannot be read: {error}"
            ) from error
