"""A loopback exchange that answers as OKX's API v5 documents for spot.

It trades in the matching engine of ``tests.fakes.exchange``, whose prices, balances and faults a
test uses as there: ``with okx_exchange() as exchange:``, and a client at ``exchange.url``.
"""

from tests.fakes.okx.server import PASSPHRASE, okx_exchange

__all__ = ["PASSPHRASE", "okx_exchange"]
