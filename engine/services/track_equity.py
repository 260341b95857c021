"""Equity: what each bot is worth at the present price, sampled into the books."""

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from engine.domain.bots import Bot
from engine.domain.ledger import open_pnl
from engine.domain.money import ZERO
from engine.domain.records import EquityPoint
from engine.errors import NotFound
from engine.ports import Transaction, Venues
from engine.services.books import Books, new_id
from engine.services.candle_feed import PriceBoard
from engine.services.instrument_book import InstrumentBook

SPARKLINE_POINTS = 40
TOTAL_POINTS = 2_000
BOT_SAMPLE_EVERY = timedelta(minutes=1)
THIN_AFTER = timedelta(days=1)
THIN_BATCH = 500


@dataclass(frozen=True, slots=True)
class Worth:
    """A bot's profit so far and what it is worth, in its quote asset."""

    equity: Decimal
    realised: Decimal
    unrealised: Decimal
    price: Decimal | None
    price_at: datetime | None

    @property
    def profit(self) -> Decimal:
        """Realised and unrealised together."""
        return self.realised + self.unrealised


@dataclass
class _Track:
    """What is remembered of a bot between samples."""

    day_profit: Decimal = ZERO
    sampled_at: datetime | None = None
    written: tuple[Decimal, Decimal] | None = None


class EquityKeeper:
    """Values bots on the last prices seen, and keeps the curves."""

    def __init__(
        self, books: Books, prices: PriceBoard, instruments: InstrumentBook, venues: Venues
    ) -> None:
        self._books = books
        self._prices = prices
        self._instruments = instruments
        self._venues = venues
        self._day = books.clock.now().date()
        self._tracks: dict[str, _Track] = {}
        self._sparklines: dict[str, deque[float]] = {}
        self._totals: dict[str, deque[EquityPoint]] = {}

    def load(self) -> None:
        """Take up the curves, and today's beginning, from the books."""
        midnight = _midnight(self._books.clock.now())
        with self._books.store.reading() as tx:
            newest = tx.equity.select(bot_id=None, is_descending=True, limit=TOTAL_POINTS)
            for point in reversed(newest):
                self._total_curve(point.quote).append(point)
            for bot in self._books.bots.values():
                points = tx.equity.select(bot_id=bot.id, is_descending=True, limit=SPARKLINE_POINTS)
                line = self.sparkline_of(bot.id)
                line.extend(float(point.equity) for point in reversed(points))
                # A replay's days are not ours: what it earned before this start was not today.
                is_replay = self._venues.is_stepped(bot.config.market)
                before = bot.realised_pnl if is_replay else _profit_before(tx, bot, midnight)
                self._tracks[bot.id] = _Track(day_profit=before)

    def worth(self, bot: Bot) -> Worth:
        """The bot at the last price seen; without one, its position counts at cost."""
        quote = self._prices.find(bot)
        position = self._books.positions.get(bot.id)
        unrealised = ZERO
        if position is not None and quote is not None:
            unrealised = open_pnl(position, quote.last)
        return Worth(
            equity=bot.capital + unrealised,
            realised=bot.realised_pnl,
            unrealised=unrealised,
            price=quote.last if quote else None,
            price_at=quote.time if quote else None,
        )

    def today(self, bot: Bot, worth: Worth) -> Decimal:
        """Profit since midnight UTC, open positions included."""
        track = self._tracks.get(bot.id)
        return worth.profit - (track.day_profit if track else ZERO)

    def sparkline_of(self, bot_id: str) -> deque[float]:
        """The newest equity samples of a bot, oldest first."""
        return self._sparklines.setdefault(bot_id, deque(maxlen=SPARKLINE_POINTS))

    def total_curves(self) -> dict[str, Sequence[EquityPoint]]:
        """The summed equity by quote asset, oldest first."""
        return {quote: tuple(points) for quote, points in sorted(self._totals.items())}

    def _total_curve(self, quote: str) -> deque[EquityPoint]:
        return self._totals.setdefault(quote, deque(maxlen=TOTAL_POINTS))

    # --- sampling -------------------------------------------------------------------------------

    def sample(self) -> None:
        """Take one sample of every bot and of the sums; blocking, for a thread of its own."""
        now = self._books.clock.now()
        points: list[EquityPoint] = []
        sums: dict[str, list[Decimal]] = defaultdict(lambda: [ZERO, ZERO, ZERO])
        is_new_day = now.date() != self._day
        for bot in list(self._books.bots.values()):
            worth = self.worth(bot)
            try:
                quote = self._instruments.of(bot).quote
            except NotFound:
                continue
            for place, amount in enumerate((worth.equity, worth.realised, worth.unrealised)):
                sums[quote][place] += amount
            self.sparkline_of(bot.id).append(float(worth.equity))
            track = self._tracks.setdefault(bot.id, _Track())
            if is_new_day:
                track.day_profit = worth.profit
            if self._is_due(bot, track, worth, now):
                points.append(
                    _point(bot.id, quote, now, worth.equity, worth.realised, worth.unrealised)
                )
        self._day = now.date()
        points += [_point(None, quote, now, *amounts) for quote, amounts in sums.items()]
        if points:
            with self._books.writing() as writing:
                writing.tx.equity.add(*points)
        for point in points:
            if point.bot_id is None:
                self._total_curve(point.quote).append(point)

    def _is_due(self, bot: Bot, track: _Track, worth: Worth, now: datetime) -> bool:
        """Whether a bot's own point is written now: changed, and a minute after the last."""
        if track.sampled_at is not None and now - track.sampled_at < BOT_SAMPLE_EVERY:
            return False
        state = (worth.realised, worth.unrealised)
        if track.written == state:
            return False
        if self._venues.is_stepped(bot.config.market):
            return False  # its curve is kept in the replay's own time, at each closed trade
        track.sampled_at, track.written = now, state
        return True

    def thin(self) -> None:
        """Of points older than a day keep the last of each hour."""
        until = self._books.clock.now() - THIN_AFTER
        with self._books.store.reading() as tx:
            old = tx.equity.select(since=until - THIN_AFTER, until=until)
        last_of_hour = {(p.bot_id, p.quote, _hour(p.time)): p.id for p in old}
        kept = set(last_of_hour.values())
        going = [point.id for point in old if point.id not in kept]
        for start in range(0, len(going), THIN_BATCH):
            with self._books.writing() as writing:
                writing.tx.equity.prune(until, id=going[start : start + THIN_BATCH])


def _point(
    bot_id: str | None,
    quote: str,
    now: datetime,
    equity: Decimal,
    realised: Decimal,
    unrealised: Decimal,
) -> EquityPoint:
    return EquityPoint(id=new_id(), bot_id=bot_id, quote=quote, time=now, equity=equity,
                       realised=realised, unrealised=unrealised)  # fmt: skip


def _profit_before(tx: Transaction, bot: Bot, midnight: datetime) -> Decimal:
    """A bot's profit at the beginning of today."""
    last = tx.equity.select(bot_id=bot.id, until=midnight, is_descending=True, limit=1)
    return last[0].realised + last[0].unrealised if last else ZERO


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
