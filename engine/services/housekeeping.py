"""Housekeeping: old HOLDs, signals, alerts and debug events go, old equity points are thinned."""

from datetime import timedelta

from engine.domain.alerts import AlertState
from engine.domain.decisions import Action
from engine.domain.delivery_rules import FINAL
from engine.domain.records import Level
from engine.domain.signals import SignalKind
from engine.ports import Venues
from engine.services.books import Books
from engine.services.track_equity import EquityKeeper

MOST_HOLDS = 20_000
"""Of one bot: some six hours of candles of one second, seven months of quarters of an hour."""


PRICES_KEPT = timedelta(days=1)
"""They are candles by then."""


class Housekeeper:
    """Keeps the database small. Trades, fills, orders and the audit trail are never touched."""

    def __init__(
        self,
        books: Books,
        venues: Venues,
        equity: EquityKeeper,
        hold_retention_days: int,
        signal_retention_days: int,
        alert_retention_days: int,
    ) -> None:
        self._books = books
        self._venues = venues
        self._equity = equity
        self._retention = timedelta(days=hold_retention_days)
        self._signal_retention = timedelta(days=signal_retention_days)
        self._alert_retention = timedelta(days=alert_retention_days)

    def tidy(self) -> None:
        """One round; blocking, for a thread of its own."""
        now = self._books.clock.now()
        until = now - self._retention
        # A replay's decisions carry the replay's time: their age says nothing.
        live = [bot.id for bot in list(self._books.bots.values())
                if not self._venues.is_stepped(bot.config.market)]  # fmt: skip
        with self._books.writing() as writing:
            if live:
                writing.tx.decisions.prune(until, action=Action.HOLD, bot_id=live)
            writing.tx.events.prune(until, level=Level.DEBUG)
        with self._books.store.transaction() as tx:
            tx.signals.prune(now - self._signal_retention)
            tx.signals.prune(now - PRICES_KEPT, kind=SignalKind.PRICES)
            tx.alerts.prune(now - self._alert_retention, state=AlertState.ROUTED)
            tx.deliveries.prune(now - self._alert_retention, state=FINAL)
        for bot_id in list(self._books.bots):
            self._keep_newest_holds(bot_id)
        self._equity.thin()

    def _keep_newest_holds(self, bot_id: str) -> None:
        """A bot that decides every second would fill the disk long before its HOLDs are old."""
        with self._books.store.reading() as tx:
            oldest_kept = tx.decisions.select(
                bot_id=bot_id,
                action=Action.HOLD,
                is_descending=True,
                offset=MOST_HOLDS - 1,
                limit=1,
            )
        if oldest_kept:
            until = oldest_kept[0].candle_time
            with self._books.writing() as writing:
                writing.tx.decisions.prune(until, bot_id=bot_id, action=Action.HOLD)
