"""Binance through its own interface, and what goes wrong there."""

from collections.abc import Sequence

from tests.contract.all_venues import MakeVenue, Trouble
from tests.contract.brokers import ccxt_venue
from tests.contract.ccxt_troubles import AT_BINANCE

VENUES: dict[str, MakeVenue] = {"ccxt-binance": ccxt_venue}
OCO_VENUES = VENUES
TROUBLES: dict[str, Sequence[Trouble]] = {"ccxt-binance": AT_BINANCE}
