"""A stand-in for the package MetaTrader5, with a small broker behind it, faults included.

``StandIn`` has the functions, shapes, constants and errors of version 5.0.6231 and refuses what
the package refuses. ``stocked`` makes one with a few symbols.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.fakes.metatrader5.package import StandIn
from tests.fakes.metatrader5.records import CONSTANTS, TerminalInfo
from tests.fakes.metatrader5.trading import LOST
from tests.fakes.metatrader5.world import Symbol, World

__all__ = ["CONSTANTS", "LOST", "StandIn", "Symbol", "TerminalInfo", "World", "stocked"]

CRYPTO = "BTCUSD"


def stocked(now: Callable[[], datetime], **options: Any) -> StandIn:
    """A broker with a coin, pairs, a share and a symbol that is not shown."""
    world = World(now, **options)
    lots = Decimal(100_000)
    forex = CONSTANTS["SYMBOL_CALC_MODE_FOREX"]
    for symbol in (
        Symbol(
            CRYPTO, "BTC", "USD", "Crypto\\BTCUSD", Decimal(100), 2, step=Decimal("0.001"),
            least=Decimal("0.001"), execution=CONSTANTS["SYMBOL_TRADE_EXECUTION_EXCHANGE"],
            never_closes=True, has_last=True,
        ),
        Symbol("EURUSD", "EUR", "USD", "Forex\\EURUSD", Decimal("1.1"), 5, lots, calc_mode=forex),
        Symbol("EURJPY", "EUR", "JPY", "Forex\\EURJPY", Decimal("165"), 3, lots, calc_mode=forex),
        Symbol(
            "USDJPY", "USD", "JPY", "Forex\\USDJPY", Decimal(150), 3, lots, calc_mode=forex,
            execution=CONSTANTS["SYMBOL_TRADE_EXECUTION_INSTANT"],
        ),
        Symbol(
            "#AAPL", "USD", "USD", "Stocks\\US\\AAPL", Decimal(200), 2, step=Decimal(1),
            least=Decimal(1), calc_mode=CONSTANTS["SYMBOL_CALC_MODE_EXCH_STOCKS"],
            trade_mode=CONSTANTS["SYMBOL_TRADE_MODE_LONGONLY"],
        ),
        Symbol(
            "GBPUSD", "GBP", "USD", "Forex\\GBPUSD", Decimal("1.3"), 5, lots, calc_mode=forex,
            is_visible=False,
        ),
    ):  # fmt: skip
        world.symbols[symbol.name] = symbol
        world.set_price(symbol.name, symbol.price)
    return StandIn(world)
