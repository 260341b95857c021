"""Summaries of a quarter of a day, a day and a week: each once, a missed one when it can be."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from engine.domain.bots import Bot
from engine.domain.money import ZERO, text
from engine.domain.periods import Period, PeriodKind, last_period
from engine.domain.positions import Trade
from engine.domain.records import Level
from engine.domain.summaries import Facts, Money, OpenPosition, summary_text
from engine.errors import NotFound
from engine.ports import Transaction, Venues
from engine.services.books import Books
from engine.services.instrument_book import InstrumentBook
from engine.services.tell_start import STARTED
from engine.services.track_equity import EquityKeeper

LATE_AFTER = timedelta(minutes=10)
UNTOLD = ("summary_6h", "summary_daily", "summary_weekly")
"""Alerts that a summary does not count."""


@dataclass
class _Sums:
    """What an asset's bots have earned so far; filled bot by bot, trade by trade."""

    equity: Decimal = ZERO
    change: Decimal = ZERO
    realised: Decimal = ZERO
    fees: Decimal = ZERO
    won: int = 0
    lost: int = 0


class Summaries:
    """Writes the newest summary of each kind that is due; blocking, for a thread of its own.

    A summary's event is named after its period, so that it is written once whatever happens.
    Replays are left out: their time is not that of the period.
    """

    def __init__(
        self,
        books: Books,
        equity: EquityKeeper,
        instruments: InstrumentBook,
        venues: Venues,
        zone: ZoneInfo,
    ) -> None:
        self._books = books
        self._equity = equity
        self._instruments = instruments
        self._venues = venues
        self._zone = zone
        self._told: dict[PeriodKind, str] = {}

    def tell_due(self) -> None:
        """One round. Raises StoreError."""
        now = self._books.clock.now()
        for kind in PeriodKind:
            period = last_period(kind, now, self._zone)
            if self._told.get(kind) != period.name:
                self._tell(period, now)
                self._told[kind] = period.name

    def _tell(self, period: Period, now: datetime) -> None:
        """Nothing when it was told before, or when there was no engine yet in that time."""
        name = f"summary_{period.kind}-{period.name}"
        with self._books.store.reading() as tx:
            first = tx.events.select(kind=STARTED, limit=1)
            if tx.events.find(name) is not None or not first or first[0].time >= period.end:
                return
            facts = self._facts(tx, period, is_late=now - period.end > LATE_AFTER)
        with self._books.writing() as writing:
            writing.event(
                Level.INFO, f"alert.summary_{period.kind}", summary_text(facts), event_id=name,
                since=period.start.isoformat(), until=period.end.isoformat(),
                late=facts.is_late, open=len(facts.open), errors=facts.errors,
                warnings=facts.warnings, bots={str(k): v for k, v in facts.states.items()},
                money=[_as_data(one) for one in facts.money],
            )  # fmt: skip

    def _facts(self, tx: Transaction, period: Period, *, is_late: bool) -> Facts:
        bots = [bot for bot in list(self._books.bots.values()) if not self._is_replay(bot.market)]
        levels = Counter(
            level for level, kind in tx.alerts.values(
                "level", "kind", since=period.start, until=period.end)
            if kind not in UNTOLD
        )  # fmt: skip
        return Facts(
            period=period, money=self._money(tx, bots, period), open=self._open(bots),
            states=Counter(bot.state for bot in bots), errors=levels[Level.ERROR],
            warnings=levels[Level.WARNING], is_late=is_late,
        )  # fmt: skip

    def _is_replay(self, market: str) -> bool:
        try:
            return self._venues.is_stepped(market)
        except NotFound:  # of a trade whose market is gone
            return False

    def _money(self, tx: Transaction, bots: Sequence[Bot], period: Period) -> list[Money]:
        """By asset, that with the most bots first."""
        sums: dict[str, _Sums] = {}
        counts: Counter[str] = Counter()
        for bot in bots:
            quote = self._quote(bot)
            if quote is None:
                continue
            counts[quote] += 1
            after = _profit_at(tx, bot, period.end)
            own = sums.setdefault(quote, _Sums())
            own.equity += bot.config.starting_capital + after
            own.change += after - _profit_at(tx, bot, period.start)
        for trade in self._trades(tx, period):
            own = sums.setdefault(trade.quote, _Sums())
            own.realised += trade.pnl
            own.fees += trade.fees
            own.won += trade.pnl > 0
            own.lost += trade.pnl <= 0
        ordered = sorted(sums, key=lambda quote: (-counts[quote], quote))
        return [Money(quote=quote, **vars(sums[quote])) for quote in ordered]

    def _trades(self, tx: Transaction, period: Period) -> list[Trade]:
        trades = tx.trades.select(since=period.start, until=period.end)
        return [one for one in trades if not self._is_replay(one.market)]

    def _quote(self, bot: Bot) -> str | None:
        try:
            return self._instruments.of(bot).quote
        except NotFound:
            return None

    def _open(self, bots: Sequence[Bot]) -> list[OpenPosition]:
        found = []
        for bot in bots:
            position = self._books.positions.get(bot.id)
            if position is not None:
                worth = self._equity.worth(bot)
                pnl = worth.unrealised if worth.price is not None else None
                quote = self._quote(bot) or ""
                found.append(OpenPosition(bot.config.name, position.symbol, quote, pnl))
        return found


def _profit_at(tx: Transaction, bot: Bot, moment: datetime) -> Decimal:
    """What a bot had earned by then, open positions included; zero before it was ever valued."""
    last = tx.equity.select(bot_id=bot.id, until=moment, is_descending=True, limit=1)
    return last[0].realised + last[0].unrealised if last else ZERO


def _as_data(one: Money) -> dict[str, str | int]:
    return {
        "quote": one.quote, "equity": text(one.equity), "change": text(one.change),
        "realised": text(one.realised), "fees": text(one.fees), "won": one.won, "lost": one.lost,
    }  # fmt: skip
