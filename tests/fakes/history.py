"""Sample history for the fake services: positions, trades, orders, decisions, equity, events.

Everything is a pure function of its arguments, so that two fakes show the same.
"""

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from engine.contracts import (
    BotConfig,
    Decision,
    EquityPoint,
    Event,
    Fill,
    Level,
    Order,
    Position,
    PositionSide,
    Trade,
)
from engine.domain.decisions import Action, TraceStep, Verdict
from engine.domain.exits import fixed_levels
from engine.domain.orders import OrderState, Purpose, Side
from engine.domain.timeframes import SECONDS
from tests.fakes.sample import INSTRUMENTS, price_at

FEE = Decimal("0.001")


def position(
    bot_id: str, account_id: str, config: BotConfig, side: PositionSide, opened: datetime
) -> Position:
    """An open position of the trade amount, entered at the price of ``opened``."""
    instrument = INSTRUMENTS[config.symbol]
    price = price_at(config.symbol, opened)
    quantity = (config.amount / price).quantize(instrument.quantity_step)
    stop, target = fixed_levels(config, side, price, instrument)
    return Position(
        id=f"{bot_id}-p", bot_id=bot_id, account_id=account_id, symbol=config.symbol, side=side,
        quantity=quantity, entry_quantity=quantity, entry_value=quantity * price,
        fees=quantity * price * FEE, entry_count=1, best_price=price, stop_price=stop,
        target_price=target, opened_at=opened, watched_until=opened,
    )  # fmt: skip


def trade_of(position: Position, config: BotConfig, closed: datetime, reason: str) -> Trade:
    """The trade that a position becomes when it is closed at the price of ``closed``."""
    price = price_at(config.symbol, closed)
    value = position.quantity * price
    fees = position.fees + value * FEE
    gain = value - position.entry_value
    pnl = (gain if position.side is PositionSide.LONG else -gain) - fees
    return Trade(
        id=f"{position.id}-{int(closed.timestamp())}", bot_id=position.bot_id,
        bot_name=config.name, account_id=position.account_id, market=config.market,
        symbol=config.symbol, quote=INSTRUMENTS[config.symbol].quote, strategy=config.strategy,
        side=position.side,
        quantity=position.quantity, entry_time=position.opened_at,
        entry_price=position.average_price, entry_value=position.entry_value, exit_time=closed,
        exit_price=price, exit_value=value, fees=fees, pnl=pnl,
        return_fraction=pnl / position.entry_value, entry_count=position.entry_count,
        exit_reason=reason,
    )  # fmt: skip


def past_trades(
    bot_id: str, account_id: str, config: BotConfig, until: datetime, count: int
) -> list[Trade]:
    """``count`` closed trades before ``until``, oldest first, for every kind of exit."""
    reasons = ("signal", "take_profit", "stop_loss", "trailing_stop", "time_limit")
    side = PositionSide.SHORT if config.direction == "short" else PositionSide.LONG
    trades = []
    for number in range(count):
        opened = until - timedelta(minutes=67 * (count - number), seconds=number % 7)
        held = position(bot_id, account_id, config, side, opened)
        closed = opened + timedelta(minutes=11 + number % 41)
        trades.append(trade_of(held, config, closed, reasons[number % len(reasons)]))
    return trades


def orders_and_fills(trades: list[Trade], held: Position | None) -> tuple[list[Order], list[Fill]]:
    """The orders and fills behind closed trades and an open position, newest first."""
    legs = [
        leg
        for trade in trades
        for leg in (
            (trade, Purpose.ENTRY, trade.entry_time, trade.entry_price, trade.id),
            (trade, Purpose.EXIT, trade.exit_time, trade.exit_price, trade.id),
        )
    ]
    found = [_leg(*leg) for leg in legs]
    if held is not None:
        found.append(_leg(held, Purpose.ENTRY, held.opened_at, held.average_price, held.id))
    found.sort(key=lambda pair: pair[0].created_at, reverse=True)
    return [order for order, _ in found], [fill for _, fill in found]


def _leg(
    owner: Trade | Position, purpose: Purpose, time: datetime, price: Decimal, position_id: str
) -> tuple[Order, Fill]:
    is_buy = (owner.side is PositionSide.LONG) == (purpose is Purpose.ENTRY)
    side = Side.BUY if is_buy else Side.SELL
    key = f"{position_id}-{purpose.value}"
    order = Order(
        client_id=key, bot_id=owner.bot_id, account_id=owner.account_id, symbol=owner.symbol,
        side=side, purpose=purpose, state=OrderState.FILLED, quantity=owner.quantity,
        filled=owner.quantity, venue_id=f"v-{key}", reason="signal", decided_at=time,
        position_id=position_id, created_at=time, updated_at=time,
    )  # fmt: skip
    fill = Fill(
        id=f"f-{key}", account_id=owner.account_id, trade_id=f"t-{key}", client_id=key,
        bot_id=owner.bot_id, position_id=position_id, symbol=owner.symbol, side=side,
        purpose=purpose, price=price, quantity=owner.quantity, fee=owner.quantity * price * FEE,
        fee_asset=INSTRUMENTS[owner.symbol].quote, time=time,
    )  # fmt: skip
    return order, fill


def decisions(bot_id: str, config: BotConfig, until: datetime, count: int) -> list[Decision]:
    """``count`` decisions, newest first: holds with their reason, entries, exits and a veto."""
    step = SECONDS[config.timeframe]
    newest = datetime.fromtimestamp(until.timestamp() // step * step - step, UTC)
    return [
        _decision(bot_id, config, newest - timedelta(seconds=step * n), n) for n in range(count)
    ]


def _decision(bot_id: str, config: BotConfig, opened: datetime, number: int) -> Decision:
    action = {3: Action.ENTER_LONG, 11: Action.EXIT}.get(number % 17, Action.HOLD)
    is_veto = number % 17 == 7
    index = 50 - 25 * math.sin(number / 3)
    words = f"RSI {index:.1f} is between 30 and 70" if action is Action.HOLD else f"RSI {index:.1f}"
    trace = [
        TraceStep(step="candles", verdict=Verdict.PASS, detail="500 closed candles, none missing"),
        TraceStep(step="strategy", verdict=Verdict.HOLD if action is Action.HOLD else Verdict.PASS,
                  detail=words, values={"rsi": round(index, 2)}),
    ]  # fmt: skip
    if is_veto:
        words = "the kill switch is on"
        trace.append(TraceStep(step="risk", verdict=Verdict.VETO, detail=words))
    return Decision(
        id=f"{bot_id}-d{int(opened.timestamp())}", bot_id=bot_id, candle_time=opened,
        decided_at=opened + timedelta(seconds=SECONDS[config.timeframe], milliseconds=40),
        action=action, reason=words, price=float(price_at(config.symbol, opened)),
        confidence=0.0 if action is Action.HOLD else 0.8, trace=tuple(trace),
    )  # fmt: skip


def equity_points(bot_id: str | None, quote: str, capital: Decimal, trades: list[Trade],
                  now: datetime) -> list[EquityPoint]:  # fmt: skip
    """One point at each exit, oldest first, from ``capital`` before the first to ``now``."""
    realised = Decimal(0)
    first = min((trade.entry_time for trade in trades), default=now - timedelta(hours=1))
    moments = [(first, realised)]
    for trade in sorted(trades, key=lambda one: one.exit_time):
        realised += trade.pnl
        moments.append((trade.exit_time, realised))
    moments.append((now, realised))
    return [
        EquityPoint(id=f"{bot_id}-{quote}-e{number}", bot_id=bot_id, quote=quote, time=time,
                    equity=capital + gained, realised=gained)
        for number, (time, gained) in enumerate(moments)
    ]  # fmt: skip


def events(bot_ids: list[str], now: datetime, count: int) -> list[Event]:
    """``count`` events of all levels, newest first, of bots and of the engine itself."""
    kinds = (
        (Level.INFO, "order.filled", "Bought 0.0156 at 64,012.50."),
        (Level.INFO, "bot.started", "The bot runs."),
        (Level.WARNING, "market.late", "The candle came 4 s late."),
        (Level.ERROR, "strategy.error", "ZeroDivisionError: division by zero"),
        (Level.DEBUG, "cycle.hold", "RSI 51.2 is between 30 and 70"),
        (Level.INFO, "engine.started", "The engine started."),
    )
    found = []
    for number in range(count):
        level, kind, message = kinds[number % len(kinds)]
        is_engine = kind.startswith("engine") or not bot_ids
        bot_id = None if is_engine else bot_ids[number % len(bot_ids)]
        found.append(Event(id=f"e{number}", time=now - timedelta(seconds=13 * number), level=level,
                           kind=kind, message=message, bot_id=bot_id))  # fmt: skip
    return found
