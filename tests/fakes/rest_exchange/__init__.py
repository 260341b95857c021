"""A loopback service that speaks exactly what rest/example.yaml describes, faults by name."""

from tests.fakes.rest_exchange.api import FAULTS
from tests.fakes.rest_exchange.exchange import KEY, SECRET, ExampleExchange
from tests.fakes.rest_exchange.server import example_exchange

__all__ = ["FAULTS", "KEY", "SECRET", "ExampleExchange", "example_exchange"]
