"""Exchanges through ccxt's unified interface, and what goes wrong there."""

from collections.abc import Sequence

from tests.contract.all_venues import MakeVenue, Trouble
from tests.contract.ccxt_troubles import AT_BINANCE, AT_OKX
from tests.contract.ccxt_venues import okx, unified_binance

VENUES: dict[str, MakeVenue] = {"ccxt-unified-binance": unified_binance, "ccxt-okx": okx}
TROUBLES: dict[str, Sequence[Trouble]] = {
    "ccxt-okx": AT_OKX,
    "ccxt-unified-binance": [
        trouble for trouble in AT_BINANCE if trouble.name in ("rules", "order-doubled", "banned")
    ],
}
