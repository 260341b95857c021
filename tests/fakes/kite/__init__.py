"""A loopback Kite Connect v3, as it documents itself, with faults scripted by name.

In a test: ``with kite_server() as kite:`` and the SDK's client with ``root=kite.url``.
"""

from tests.fakes.kite.faults import FAULTS, Fault
from tests.fakes.kite.kite import API_KEY, API_SECRET, Kite
from tests.fakes.kite.server import kite_server

__all__ = ["API_KEY", "API_SECRET", "FAULTS", "Fault", "Kite", "kite_server"]
