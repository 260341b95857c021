"""Sample data for the fake services: prices, instruments, strategies and bots.

Everything is a pure function of its arguments, so that two fakes show the same.
"""

import math
from datetime import datetime
from decimal import Decimal
from typing import Any

from engine.contracts import (
    BotConfig,
    BotState,
    Desired,
    Instrument,
    MarketView,
    PositionSide,
    StrategyView,
)
from engine.domain.bots import Direction
from engine.domain.instruments import InstrumentKind
from engine.domain.money import exact
from engine.domain.timeframes import SECONDS

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
        direction=Direction.SHORT if side is PositionSide.SHORT else Direction.LONG,
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
