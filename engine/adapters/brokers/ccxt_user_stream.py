"""What Binance tells of an account's orders by itself, through ccxt.pro."""

import logging
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from engine.adapters.brokers.ccxt_client import JUNK, RECV_WINDOW_MS
from engine.adapters.brokers.ccxt_reports import Unreadable, streamed
from engine.errors import BrokerUnavailable, QuarterdeckError
from engine.links.binance import SPOT_ONLY, Addresses, point
from engine.links.streaming import StreamThread
from engine.ports import OrderListener

log = logging.getLogger("quarterdeck.binance")


class UserStream:
    """The user data stream as hints: whoever listens asks the venue for the truth."""

    def __init__(
        self,
        key: str,
        secret: str,
        addresses: Addresses,
        timestamp: Callable[[], int],
        symbol_of: Callable[[str], str],
        first_wait_s: float,
    ) -> None:
        self._key = key
        self._secret = secret
        self._addresses = addresses
        self._timestamp = timestamp
        self._symbol_of = symbol_of
        self._first_wait_s = first_wait_s

    def listen(self, listener: OrderListener) -> Callable[[], None]:
        """Begin; the answer ends it."""
        import aiohttp
        import ccxt

        async def session(connected: Callable[[], None]) -> None:
            await self._follow(listener, connected)

        stream = StreamThread(
            "binance-user-stream",
            session,
            (ccxt.BaseError, aiohttp.ClientError, QuarterdeckError, OSError, TimeoutError, *JUNK),
            on_connected=listener.on_connected,
            on_disconnected=listener.on_disconnected,
            first_wait_s=self._first_wait_s,
        )
        stream.start()
        return stream.stop

    async def _follow(self, listener: OrderListener, connected: Callable[[], None]) -> None:
        import ccxt.pro

        client: Any = ccxt.pro.binance(
            {
                "apiKey": self._key,
                "secret": self._secret,
                "options": {**SPOT_ONLY, "recvWindow": RECV_WINDOW_MS},
            }
        )
        point(client, self._addresses)
        client.nonce = self._timestamp
        # The listing is not needed: events are read as they come, and it is megabytes.
        client.set_markets([])
        try:
            await client.authenticate({"type": "spot"})
            connected()
            while True:
                for order in await client.watch_orders():
                    self._tell(listener, order["info"])
        finally:
            await client.close()

    def _tell(self, listener: OrderListener, event: Any) -> None:
        try:
            report = streamed(event, self._symbol_of)
        except (Unreadable, ValidationError, BrokerUnavailable) as error:
            log.warning("an event of the stream cannot be read: %s", error)
            return
        listener.on_report(report)
