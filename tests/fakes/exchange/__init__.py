"""A loopback exchange that behaves as Binance spot documents, with faults scripted by name.

In a test: ``with binance_exchange() as exchange:`` and a client at ``exchange.url``. As a process:
``python -m tests.fakes.exchange --port N``, driven through ``ExchangeAdmin``.
"""

from tests.fakes.exchange.admin import ExchangeAdmin
from tests.fakes.exchange.exchange import KEY, SECRET, BinanceExchange
from tests.fakes.exchange.faults import FAULTS, Fault
from tests.fakes.exchange.server import binance_exchange, stocked_exchange

__all__ = [
    "FAULTS",
    "KEY",
    "SECRET",
    "BinanceExchange",
    "ExchangeAdmin",
    "Fault",
    "binance_exchange",
    "stocked_exchange",
]
