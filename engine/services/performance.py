"""Performance of live and paper trading: trades and equity points of the books as histories.

A trade belongs to the period in which it was closed. Returns are on the capital of all bots in
question, as if it had been there from the start: a bot that is added is no profit. Nothing of
different quote assets is added up.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np

from engine.domain.bots import Bot
from engine.domain.candles import FloatArray, IntArray
from engine.domain.money import to_epoch_ms
from engine.domain.performance.history import ClosedTrades, History, Labels
from engine.domain.performance.marking import profit_at_marks, profit_of_bots
from engine.domain.positions import PositionSide
from engine.errors import NotFound
from engine.ports import Transaction
from engine.services.books import Books
from engine.services.instrument_book import InstrumentBook

MOST_POINTS = 100_000
"""With more equity points than this in a period, the curve is of closed trades alone."""

COLUMNS = (
    "quote", "bot_id", "bot_name", "strategy", "symbol", "market", "account_id", "exit_reason",
    "side", "entry_time", "exit_time", "entry_value", "fees", "pnl",
)  # fmt: skip
LABELS = {
    "strategy": "strategy", "symbol": "symbol", "market": "market", "account": "account_id",
    "exit_reason": "exit_reason",
}  # fmt: skip
"""What live trades are grouped by beside their bot: the label, and its column."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which trades: columns that are equal to something, and the time of the exit (``since``
    inclusive, ``until`` exclusive)."""

    where: Mapping[str, str] = field(default_factory=dict)
    since: datetime | None = None
    until: datetime | None = None

    def narrowed(self, equals: Mapping[str, Any]) -> dict[str, Any]:
        """The period and these columns, as a repository is asked."""
        return {"since": self.since, "until": self.until, **equals}


@dataclass(frozen=True, slots=True)
class QuoteHistory:
    """The history of one quote asset; ``is_marked``: open positions are in its curve."""

    quote: str
    capital: float
    is_marked: bool
    history: History


Columns = dict[str, tuple[Any, ...]]
Mark = tuple[str | None, datetime, Decimal]
"""Whose open profit (None: that of all bots), when, and how much."""


class PerformanceReader:
    """Reads histories from the books; one consistent read a call."""

    def __init__(self, books: Books, instruments: InstrumentBook) -> None:
        self._books = books
        self._instruments = instruments

    def histories(self, scope: Scope) -> list[QuoteHistory]:
        """What the scope traded, by quote asset; nothing for an asset without a trade or point."""
        bots = self._bots_in(scope)
        with self._books.store.reading() as tx:
            rows = tx.trades.values(*COLUMNS, **scope.narrowed(scope.where))
            before: dict[str, Decimal] = defaultdict(Decimal)
            if scope.since is not None:
                earlier: dict[str, Any] = {"until": scope.since, **scope.where}
                for quote, pnl in tx.trades.values("quote", "pnl", **earlier):
                    before[quote] += pnl
            marks = self._marks(tx, scope, bots)
        columns, none = _by_quote(rows), dict[str, tuple[Any, ...]].fromkeys(COLUMNS, ())
        found = [
            self._history(quote, columns.get(quote, none), bots.get(quote, ()),
                          float(before[quote]), marks.get(quote, ()), scope)
            for quote in sorted({*columns, *bots})
            if scope.where.get("quote") in (None, quote)
        ]  # fmt: skip
        return [one for one in found if len(one.history.at)]

    def _bots_in(self, scope: Scope) -> dict[str, list[Bot]]:
        """The bots there are that the scope is about, by quote asset."""
        found: dict[str, list[Bot]] = {}
        for bot in list(self._books.bots.values()):
            config = bot.config
            own = {
                "bot_id": bot.id, "bot_name": config.name, "strategy": config.strategy,
                "symbol": config.symbol, "market": config.market, "account_id": bot.account_id,
            }  # fmt: skip
            if any(own.get(key, value) != value for key, value in scope.where.items()):
                continue
            try:
                quote = self._instruments.of(bot).quote
            except NotFound:
                continue  # it was never checked, and so has never traded
            found.setdefault(quote, []).append(bot)
        return found

    def _marks(
        self, tx: Transaction, scope: Scope, bots: Mapping[str, Sequence[Bot]]
    ) -> dict[str, list[Mark]]:
        """Open profit at moments by quote asset; nothing where it would be too many moments.

        All bots together have points of their own, so that there are no more of them than for one.
        """
        is_narrow = bool(set(scope.where) - {"quote"})
        ids = [bot.id for own in bots.values() for bot in own]
        chosen = scope.narrowed({"bot_id": ids if is_narrow else None})
        if (is_narrow and not ids) or tx.equity.count(**chosen) > MOST_POINTS:
            return {}
        found: dict[str, list[Mark]] = {}
        points = tx.equity.values("quote", "bot_id", "time", "unrealised", **chosen)
        for quote, bot_id, time, unrealised in points:
            found.setdefault(quote, []).append((bot_id, time, unrealised))
        return found

    def _history(
        self,
        quote: str,
        columns: Columns,
        bots: Sequence[Bot],
        before: float,
        marks: Sequence[Mark],
        scope: Scope,
    ) -> QuoteHistory:
        trades = self._trades(columns)
        capital = self._capital(columns, bots)
        at, profit = _profit(columns, trades, marks)
        firsts = [int(times.min()) for times in (trades.entry_ms, at) if len(times)]
        opened = [] if scope.until else self._open(bots)
        history = History(
            start_ms=to_epoch_ms(scope.since) if scope.since else min(firsts, default=0),
            starting_cash=capital + before,
            at=at,
            equity=capital + before + profit,
            trades=trades,
            open_since_ms=tuple(since for since, _ in opened),
            open_value=tuple(value for _, value in opened),
            open_pnl=float(profit[-1] - trades.pnl.sum()) if len(profit) else 0.0,
        )
        return QuoteHistory(quote, capital, bool(marks), history)

    def _trades(self, columns: Columns) -> ClosedTrades:
        """Columns as trades, in the order of closing."""
        labels = {by: _coded(columns[name]) for by, name in LABELS.items()}
        labels["bot"] = self._bot_labels(columns)
        long = PositionSide.LONG.value
        return ClosedTrades(
            is_long=np.array([side == long for side in columns["side"]], dtype=bool),
            entry_ms=_epochs(columns["entry_time"]),
            exit_ms=_epochs(columns["exit_time"]),
            entry_value=np.array(columns["entry_value"], dtype=np.float64),
            fees=np.array(columns["fees"], dtype=np.float64),
            pnl=np.array(columns["pnl"], dtype=np.float64),
            labels=labels,
        )

    def _bot_labels(self, columns: Columns) -> Labels:
        """Bots by id under the name they have now, or had last; equal names are told apart."""
        coded = _coded(columns["bot_id"])
        last = dict(zip(columns["bot_id"], columns["bot_name"], strict=True))
        names, taken = [], set[str]()
        for bot_id in coded.names:
            bot = self._books.bots.get(bot_id)
            name = bot.config.name if bot else str(last[bot_id])
            name = f"{name} ({bot_id[:6]})" if name in taken else name
            taken.add(name)
            names.append(name)
        return Labels(coded.codes, tuple(names))

    def _capital(self, columns: Columns, bots: Sequence[Bot]) -> float:
        """What the bots were given together. Of one that was deleted only its trades are known: it
        had what its largest entry cost."""
        known = {bot.id: bot for bot in bots}
        largest: dict[str, Decimal] = {}
        for bot_id, value in zip(columns["bot_id"], columns["entry_value"], strict=True):
            if bot_id not in known:
                largest[bot_id] = max(value, largest.get(bot_id, value))
        for bot_id in [key for key in largest if key in self._books.bots]:
            known[bot_id] = self._books.bots[bot_id]  # it trades something else by now
            del largest[bot_id]
        given = sum((bot.config.starting_capital for bot in known.values()), Decimal(0))
        return float(given + sum(largest.values(), Decimal(0)))

    def _open(self, bots: Sequence[Bot]) -> list[tuple[int, float]]:
        """Open positions: since when, and their entry value."""
        held = (self._books.positions.get(bot.id) for bot in bots)
        return [
            (to_epoch_ms(one.opened_at), float(one.entry_value)) for one in held if one is not None
        ]


def _profit(
    columns: Columns, trades: ClosedTrades, marks: Sequence[Mark]
) -> tuple[IntArray, FloatArray]:
    """Profit over time, open positions included where they were marked."""
    mark_ms = _epochs([time for _, time, _ in marks])
    amount = np.array([amount for _, _, amount in marks], dtype=np.float64)
    if all(bot is None for bot, _, _ in marks):
        return profit_at_marks(trades.exit_ms, trades.pnl, mark_ms, amount)
    of_trades = columns["bot_id"]
    codes = _coded([*of_trades, *(str(bot) for bot, _, _ in marks)]).codes
    count = len(of_trades)
    return profit_of_bots(trades.exit_ms, trades.pnl, codes[:count], mark_ms, amount, codes[count:])


def _by_quote(rows: Sequence[tuple[Any, ...]]) -> dict[str, Columns]:
    """Rows as columns, in the order of closing, by their quote asset."""
    ordered = sorted(rows, key=lambda row: (row[_EXIT], row[_ENTRY], row[_BOT]))
    by_quote: dict[str, list[tuple[Any, ...]]] = {}
    for row in ordered:
        by_quote.setdefault(row[0], []).append(row)
    return {
        quote: dict(zip(COLUMNS, zip(*own, strict=True), strict=True))
        for quote, own in by_quote.items()
    }


_EXIT, _ENTRY, _BOT = (COLUMNS.index(name) for name in ("exit_time", "entry_time", "bot_id"))


def _coded(values: Sequence[str]) -> Labels:
    """Words as codes, in the order of their first appearance."""
    codes: dict[str, int] = {}
    rows = np.array([codes.setdefault(value, len(codes)) for value in values], dtype=np.int64)
    return Labels(rows, tuple(codes))


def _epochs(moments: Sequence[datetime]) -> IntArray:
    return np.array([to_epoch_ms(moment) for moment in moments], dtype=np.int64)
