"""Records of the books as points of time series.

Only what is kept is read, and nothing is asked of whoever keeps it: no commit knows of this.
"""

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from engine.domain.advice import Advice
from engine.domain.decisions import Decision
from engine.domain.mailbox import BoxOrder
from engine.domain.measurements import (
    AI_DECISIONS,
    BOT_CYCLES,
    EQUITY,
    MARKET_SIGNALS,
    MT5_EXECUTIONS,
    TRADE_EXECUTIONS,
    SeriesPoint,
    point_of,
)
from engine.domain.money import ZERO
from engine.domain.orders import Order, Side
from engine.domain.positions import Fill, Trade
from engine.domain.records import EquityPoint
from engine.domain.signals import Signal
from engine.domain.timeframes import timeframe_delta
from engine.domain.venue_accounts import mode_of
from engine.ports import Transaction
from engine.services.books import Books

REPLAY = "replay:"
METATRADER = frozenset({"mt5", "mt5_ea"})
BPS = Decimal(10_000)
ALL_BOTS = "all"


class Durations(Protocol):
    """How long cycles took."""

    def duration_s(self, bot_id: str, moment: datetime) -> float | None:
        """Seconds of the cycle that ran at ``moment``; None when it is not remembered."""
        ...


@dataclass(frozen=True)
class Names:
    """What things are called that records know by their ids."""

    books: Books

    def bot(self, bot_id: str | None) -> str:
        """A bot's name; '' for nobody's and for one that is no more."""
        bot = self.books.bots.get(bot_id or "")
        return bot.config.name if bot else ""

    def symbol(self, bot_id: str | None) -> str:
        """What a bot decides on, wherever it is routed; '' where there is none."""
        bot = self.books.bots.get(bot_id or "")
        return bot.config.symbol if bot else ""

    def is_replay(self, bot_id: str) -> bool:
        """Whether a bot's time is not ours."""
        bot = self.books.bots.get(bot_id)
        return bot is not None and bot.config.market.startswith(REPLAY)

    def metatrader(self, account_id: str) -> str | None:
        """The name of an account in a MetaTrader terminal; None for others."""
        account = self.books.venue_accounts.get(account_id.partition(":")[2])
        return account.name if account is not None and account.venue in METATRADER else None


class SeriesReader:
    """Makes points; ``tx`` is a transaction that reads."""

    def __init__(self, books: Books, durations: Durations) -> None:
        self._names = Names(books)
        self._books = books
        self._durations = durations
        self._peaks: dict[tuple[str | None, str], Decimal] = {}

    # --- fills ----------------------------------------------------------------------------------

    def fills(self, tx: Transaction, rows: Sequence[Fill]) -> list[SeriesPoint]:
        """As executions, each with the result of the trade that it closed."""
        rows = [one for one in rows if not one.account_id.startswith(f"paper:{REPLAY}")]
        closed = _closed_by(tx, rows)
        points = [self._execution(one, closed.get(one.id)) for one in rows]
        deals = [one for one in rows if self._names.metatrader(one.account_id) is not None]
        if deals:
            ids = sorted({one.client_id for one in deals})
            orders = {one.client_id: one for one in tx.orders.select(client_id=ids)}
            boxes = {one.client_id: one for one in tx.box_orders.select(client_id=ids)}
            points += [
                self._deal(one, orders.get(one.client_id), boxes.get(one.client_id))
                for one in deals
            ]
        return points

    def _execution(self, fill: Fill, trade: Trade | None) -> SeriesPoint:
        return point_of(
            TRADE_EXECUTIONS, fill.time, fill.id,
            {
                "bot": self._names.bot(fill.bot_id), "symbol": fill.symbol, "side": fill.side,
                "purpose": fill.purpose, "mode": mode_of(fill.account_id), "quote": fill.quote,
            },
            {
                "price": fill.price, "quantity": fill.quantity,
                "value": fill.price * fill.quantity, "fee": fill.fee, "fee_asset": fill.fee_asset,
                "pnl": trade.pnl if trade else None,
                "return_fraction": trade.return_fraction if trade else None,
                "exit_reason": trade.exit_reason if trade else None,
                "order_id": fill.client_id, "trade_id": fill.trade_id,
            },
        )  # fmt: skip

    def _deal(self, fill: Fill, order: Order | None, box: BoxOrder | None) -> SeriesPoint:
        given_at = order.sent_at if order is not None else None
        wanted = order.price if order is not None else None
        return point_of(
            MT5_EXECUTIONS, fill.time, fill.id,
            {
                "account": self._names.metatrader(fill.account_id) or "",
                "bot": self._names.bot(fill.bot_id), "symbol": fill.symbol, "side": fill.side,
                "status": "filled",
            },
            {
                "ticket": fill.trade_id, "order_id": fill.client_id, "price": fill.price,
                "quantity": fill.quantity, "retcode": box.retcode if box else None,
                "lag_s": _seconds(given_at, fill.time),
                "slippage_bps": _slippage_bps(fill, wanted),
            },
        )  # fmt: skip

    def box_orders(self, tx: Transaction, rows: Sequence[BoxOrder]) -> list[SeriesPoint]:
        """Those that ended without a deal; deals are fills."""
        ended = [one for one in rows if one.end and not one.deals]
        ids = sorted({one.client_id for one in ended})
        orders = {one.client_id: one for one in tx.orders.select(client_id=ids)} if ids else {}
        return [self._unfilled(one, orders.get(one.client_id)) for one in ended]

    def _unfilled(self, box: BoxOrder, order: Order | None) -> SeriesPoint:
        return point_of(
            MT5_EXECUTIONS, box.created_at, box.id,
            {
                "account": self._names.metatrader(box.account_id) or "",
                "bot": self._names.bot(order.bot_id if order else None), "symbol": box.symbol,
                "side": box.side, "status": box.end,
            },
            {
                "ticket": box.order, "order_id": box.client_id, "retcode": box.retcode,
                "reason": box.reason,
            },
        )  # fmt: skip

    # --- what was wanted ------------------------------------------------------------------------

    def decisions(self, _tx: Transaction, rows: Sequence[Decision]) -> list[SeriesPoint]:
        """Of bots that there are, replays apart."""
        return [
            self._cycle(one) for one in rows
            if one.bot_id in self._books.bots and not self._names.is_replay(one.bot_id)
        ]  # fmt: skip

    def _cycle(self, decision: Decision) -> SeriesPoint:
        bot = self._books.bots[decision.bot_id]
        closed_at = decision.candle_time + timeframe_delta(bot.config.timeframe)
        return point_of(
            BOT_CYCLES, decision.decided_at, "",
            {"bot": bot.config.name, "symbol": bot.config.symbol, "action": decision.action},
            {
                "lateness_s": _seconds(closed_at, decision.decided_at),
                "duration_s": self._durations.duration_s(bot.id, decision.decided_at),
                "confidence": decision.confidence, "price": decision.price,
            },
        )  # fmt: skip

    def signals(self, tx: Transaction, rows: Sequence[Signal]) -> list[SeriesPoint]:
        """Each as it stands; never its body."""
        nobodys = [one for one in rows if one.bot_id is None]
        pushed = {str(name) for (name,) in tx.pushed_prices.values("symbol")} if nobodys else set()
        return [
            point_of(
                MARKET_SIGNALS, one.received_at, one.id,
                {
                    "source": one.source, "kind": one.kind, "bot": self._names.bot(one.bot_id),
                    "symbol": self._names.symbol(one.bot_id) or _pushed_symbol(one, pushed),
                },
                {
                    "state": one.state, "outcome": one.outcome,
                    "action": one.order.action if one.order else None,
                    "lag_s": _seconds(one.sent_at, one.received_at),
                    "acted_s": _seconds(one.received_at, one.acted_at),
                    "copies": one.copies, "orders": len(one.order_ids), "id": one.id,
                },
            )
            for one in rows
        ]  # fmt: skip

    def advice(self, _tx: Transaction, rows: Sequence[Advice]) -> list[SeriesPoint]:
        """Each as it stands; never what was said."""
        return [self._asked(one) for one in rows]

    def _asked(self, advice: Advice) -> SeriesPoint:
        decision, outcome = advice.decision, advice.outcome
        return point_of(
            AI_DECISIONS, advice.asked_at, advice.id,
            {
                "bot": advice.bot_name, "symbol": advice.symbol, "provider": advice.provider,
                "model": advice.model, "purpose": advice.purpose,
            },
            {
                "state": advice.state, "action": advice.action or None,
                "verdict": advice.verdict or None,
                "risk_level": decision.risk_level if decision else None,
                "confidence": decision.confidence if decision else None,
                "latency_s": advice.latency_s, "tokens_in": advice.tokens_in,
                "tokens_out": advice.tokens_out, "cost_usd": advice.cost,
                "is_right": outcome.is_right if outcome else None,
                "move": outcome.move if outcome else None, "id": advice.id,
            },
        )  # fmt: skip

    # --- what it is worth -----------------------------------------------------------------------

    def equity(self, tx: Transaction, rows: Sequence[EquityPoint]) -> list[SeriesPoint]:
        """With how far each is below the highest point that the books knew by then."""
        if rows:
            self._load_peaks(tx, {(one.bot_id, one.quote) for one in rows}, rows[0].time)
        return [
            self._worth(one) for one in rows
            if one.bot_id is None
            or (one.bot_id in self._books.bots and not self._names.is_replay(one.bot_id))
        ]  # fmt: skip

    def _load_peaks(
        self, tx: Transaction, keys: Iterable[tuple[str | None, str]], until: datetime
    ) -> None:
        for bot_id, quote in keys:
            if (bot_id, quote) not in self._peaks:
                past = tx.equity.values("equity", bot_id=bot_id, quote=quote, until=until)
                self._peaks[bot_id, quote] = max((value for (value,) in past), default=ZERO)

    def _worth(self, point: EquityPoint) -> SeriesPoint:
        key = (point.bot_id, point.quote)
        peak = self._peaks[key] = max(self._peaks[key], point.equity)
        is_total = point.bot_id is None
        return point_of(
            EQUITY, point.time, "",
            {
                "scope": "total" if is_total else "bot",
                "bot": ALL_BOTS if is_total else self._names.bot(point.bot_id),
                "quote": point.quote,
            },
            {
                "equity": point.equity, "realised": point.realised,
                "unrealised": point.unrealised,
                "drawdown": (peak - point.equity) / peak if peak > 0 else None,
            },
        )  # fmt: skip


def _closed_by(tx: Transaction, fills: Sequence[Fill]) -> Mapping[str, Trade]:
    """The trade that a fill has closed, by the fill: the last one of its position."""
    ids = sorted({one.position_id for one in fills if one.position_id})
    if not ids:
        return {}
    trades = tx.trades.select(id=ids)
    if not trades:
        return {}
    rows = tx.fills.values(
        "id", "position_id", "time",
        since=min(one.entry_time for one in trades),
        bot_id=sorted({one.bot_id for one in trades}),
        position_id=[one.id for one in trades],
    )  # fmt: skip
    last: dict[str, str] = {}
    for key, position_id, _time in sorted(rows, key=lambda row: (row[2], row[0])):
        last[position_id] = key
    return {last[one.id]: one for one in trades if one.id in last}


def _pushed_symbol(signal: Signal, known: Container[str]) -> str:
    """The symbol of what MetaTrader pushes; '' for any that it has no prices of."""
    try:
        body = json.loads(signal.body)
    except ValueError:
        return ""
    said = body.get("symbol") if isinstance(body, dict) else None
    return said if isinstance(said, str) and said in known else ""


def _seconds(begin: datetime | None, end: datetime | None) -> float | None:
    return None if begin is None or end is None else (end - begin).total_seconds()


def _slippage_bps(fill: Fill, wanted: Decimal | None) -> Decimal | None:
    """How much worse than the order's price, in basis points; below zero where it was better."""
    if not wanted:
        return None
    worse = fill.price - wanted if fill.side is Side.BUY else wanted - fill.price
    return worse / wanted * BPS
