"""A loopback Alpaca that behaves as docs.alpaca.markets says, with faults scripted by name.

In a test: ``with alpaca_exchange() as exchange:`` and clients at ``exchange.url``.
"""

from tests.fakes.alpaca.exchange import KEY, SECRET, AlpacaExchange
from tests.fakes.alpaca.faults import FAULTS, Fault
from tests.fakes.alpaca.server import alpaca_exchange, stocked_exchange

__all__ = [
    "FAULTS",
    "KEY",
    "SECRET",
    "AlpacaExchange",
    "Fault",
    "alpaca_exchange",
    "stocked_exchange",
]
