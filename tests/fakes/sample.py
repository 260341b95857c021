"""Sample data for the fake services: prices, instruments, strategies, bots and their past.

Everything is a pure function of its arguments, so that two fakes show the same.
"""

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from engine.contracts import (
    BotConfig,
    BotState,
    Decision,
    Desired,
    EquityPoint,
    Event,
    Fill,
    Instrument,
    Level,
    MarketView,
    Order,
    Position,
    PositionSide,
    StrategyView,
    Trade,
)
from engine.domain.decisions import Action, TraceStep, Verdict
from engine.domain.exits import fixed_levels
from engine.domain.instruments import InstrumentKind
from engine.domain.money import exact
from engine.domain.orders import OrderState, Purpose, Side
from engine.domain.timeframes import SECONDS

FEE = Decimal("0.001")

MARKETS = (
    MarketView(id="simulated", title="Simulated market",
               description="Made-up prices that behave like real ones; no network, no account.",
               timeframes=tuple(SECONDS)),
    MarketView(id="ccxt:binance", title="Binance (public prices)",
               description="Real prices, paper money.", timeframes=("1m", "5m", "15m", "1h", "1d")),
    MarketView(id="ccxt:kraken", title="Kraken (public prices)", description="Real prices.",
               timeframes=(), error="Kraken does not answer: the name could not be resolved."),
)  # fmt: skip

_LISTED = (
    # symbol, name, kind, price, tick, step, least notional, can be sold short
    ("BTC/USDT", "Bitcoin", InstrumentKind.CRYPTO, 64_000, "0.01", "0.00001", "10", False),
    ("ETH/USDT", "Ether", InstrumentKind.CRYPTO, 3_100, "0.01", "0.0001", "10", False),
    ("SOL/USDT", "Solana", InstrumentKind.CRYPTO, 148, "0.01", "0.001", "10", False),
    ("DOGE/USDT", "Dogecoin", InstrumentKind.CRYPTO, 0.12, "0.00001", "1", "10", False),
    ("AAPL/USD", "Apple", InstrumentKind.STOCK, 212, "0.01", "0.001", "1", True),
    ("MSFT/USD", "Microsoft", InstrumentKind.STOCK, 431, "0.01", "0.001", "1", True),
    ("EUR/USD", "Euro", InstrumentKind.FOREX, 1.08, "0.00001", "1", "1", True),
    ("GBP/USD", "Pound sterling", InstrumentKind.FOREX, 1.27, "0.00001", "1", "1", True),
)

INSTRUMENTS = {
    symbol: Instrument(symbol=symbol, name=name, kind=kind, base=symbol.partition("/")[0],
                       quote=symbol.partition("/")[2], price_tick=Decimal(tick),
                       quantity_step=Decimal(step), min_notional=Decimal(least), can_short=short)
    for symbol, name, kind, _price, tick, step, least, short in _LISTED
}  # fmt: skip

_BASE_PRICE = {row[0]: row[3] for row in _LISTED}


def _schema(**fields: tuple[str, str, float, float, float]) -> dict[str, Any]:
    """Fields as (title, description, default, least, most); whole numbers are integers."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: {"type": "integer" if isinstance(default, int) else "number", "title": title,
                   "description": words, "default": default, "minimum": least, "maximum": most}
            for name, (title, words, default, least, most) in fields.items()
        },
    }  # fmt: skip


STRATEGIES = (
    StrategyView(
        id="rsi", title="RSI", summary="In while oversold, out while overbought.",
        doc="Relative strength index after Wilder. Enters below the lower threshold and leaves "
            "above the upper one.",
        path="strategies/rsi.py", warmup=15, error=None,
        parameters=_schema(
            period=("Period", "candles the index looks back", 14, 2, 200),
            oversold=("Oversold", "enter below this", 30.0, 1, 99),
            overbought=("Overbought", "leave above this", 70.0, 1, 99),
        ),
    ),
    StrategyView(
        id="ma_cross", title="Moving-average cross", summary="Trades the bar on which they cross.",
        doc="Two simple moving averages of the close.", path="strategies/ma_cross.py", warmup=51,
        error=None,
        parameters=_schema(
            fast=("Fast", "candles of the fast average", 20, 2, 500),
            slow=("Slow", "candles of the slow average", 50, 3, 1000),
        ),
    ),
    StrategyView(
        id="bollinger", title="Bollinger bands", summary="Buys below the lower band.", doc="",
        path="strategies/bollinger.py", warmup=20, error=None,
        parameters=_schema(
            period=("Period", "candles of the average", 20, 2, 500),
            width=("Width", "standard deviations", 2.0, 0.1, 10),
        ),
    ),
    StrategyView(
        id="broken", title="broken", summary="", doc="", path="strategies/broken.py", warmup=0,
        parameters={}, error="line 12: SyntaxError: '(' was never closed",
    ),
)  # fmt: skip

# name, symbol, strategy, timeframe, state, reason, side of an open position
_CAST: tuple[tuple[str, str, str, str, BotState, str, PositionSide | None], ...] = (
    ("btc-rsi", "BTC/USDT", "rsi", "1m", BotState.RUNNING, "", PositionSide.LONG),
    ("eth-cross", "ETH/USDT", "ma_cross", "5m", BotState.RUNNING, "", None),
    ("sol-bands", "SOL/USDT", "bollinger", "15m", BotState.PAUSED, "Entries are paused.",
     PositionSide.LONG),
    ("eur-short", "EUR/USD", "rsi", "1m", BotState.RUNNING, "", PositionSide.SHORT),
    ("aapl-day", "AAPL/USD", "ma_cross", "1h", BotState.SLEEPING,
     "Outside its hours (08:00 to 20:00 UTC).", None),
    ("link-fault", "MSFT/USD", "rsi", "1m", BotState.FAULTED,
     "Three strategy errors in a row: ZeroDivisionError in strategies/rsi.py.", None),
    ("doge-idle", "DOGE/USDT", "rsi", "15m", BotState.STOPPED, "", None),
    ("gbp-start", "GBP/USD", "bollinger", "5m", BotState.STARTING, "Reading its history.", None),
    ("msft-stop", "MSFT/USD", "ma_cross", "1m", BotState.STOPPING, "Closing its position.",
     PositionSide.LONG),
)  # fmt: skip


def price_at(symbol: str, moment: datetime) -> Decimal:
    """The price, on the tick: three waves of a week, an hour and a minute around a base."""
    t, phase = moment.timestamp(), sum(map(ord, symbol))
    wave = 0.03 * math.sin(t / 96_000 + phase) + 0.008 * math.sin(t / 570 + phase)
    raw = _BASE_PRICE[symbol] * (1 + wave + 0.0015 * math.sin(t / 9.5 + phase))
    return exact(raw).quantize(INSTRUMENTS[symbol].price_tick)


def bot_config(index: int) -> BotConfig:
    """The configuration of the sample bot with this number; names repeat with a number."""
    name, symbol, strategy, timeframe, _state, _reason, side = _CAST[index % len(_CAST)]
    turn = index // len(_CAST)
    defaults = next(one.parameters for one in STRATEGIES if one.id == strategy)["properties"]
    return BotConfig(
        name=f"{name}-{turn + 1}" if turn else name,
        market="simulated",
        symbol=symbol,
        strategy=strategy,
        params={key: field["default"] for key, field in defaults.items()},
        timeframe=timeframe,
        interval_s=SECONDS[timeframe],
        amount=Decimal(1000),
        direction="short" if side is PositionSide.SHORT else "long",  # type: ignore[arg-type]
    )


def bot_state(index: int) -> tuple[BotState, Desired, str]:
    """Actual state, desired state and reason of the sample bot with this number."""
    state, reason = _CAST[index % len(_CAST)][4:6]
    if state is BotState.PAUSED:
        return state, Desired.PAUSED, reason
    is_stopped = state in (BotState.STOPPED, BotState.STOPPING)
    return state, Desired.STOPPED if is_stopped else Desired.RUNNING, reason


def position_side(index: int) -> PositionSide | None:
    """The side that the sample bot with this number holds, if any."""
    return _CAST[index % len(_CAST)][6]


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
        symbol=config.symbol, strategy=config.strategy, side=position.side,
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
    return [_decision(bot_id, config, newest - timedelta(seconds=step * n), n) for n in range(count)]


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
