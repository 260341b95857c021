"""What Alpaca tells of an account's orders by itself, through the SDK's trading stream."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from engine.adapters.brokers.alpaca.reading import Row, Unreadable, row
from engine.domain.orders import OrderReport
from engine.errors import QuarterdeckError
from engine.links.streaming import FIRST_WAIT_S, StreamThread
from engine.ports import OrderListener

log = logging.getLogger("quarterdeck.alpaca")

Told = Callable[[Row], OrderReport | None]
JUNK = (AttributeError, IndexError, KeyError, TypeError, ValueError)
OPEN_S = 10.0


class TradeUpdates:
    """The trading stream as hints: it numbers executions otherwise than the list of trades does,
    so that an order it tells of is asked about, and only that answer is passed on."""

    def __init__(
        self, key: str, secret: str, address: str, first_wait_s: float = FIRST_WAIT_S
    ) -> None:
        self._key = key
        self._secret = secret
        self._address = address
        self._first_wait_s = first_wait_s

    def listen(self, listener: OrderListener, told: Told) -> Callable[[], None]:
        """Begin; ``told`` makes a report of an order, or None of one that does not matter. The
        answer ends it."""
        import websockets

        async def session(connected: Callable[[], None]) -> None:
            await self._follow(listener, told, connected)

        stream = StreamThread(
            "alpaca-trade-updates",
            session,
            (websockets.WebSocketException, QuarterdeckError, OSError, TimeoutError, *JUNK),
            on_connected=listener.on_connected,
            on_disconnected=listener.on_disconnected,
            first_wait_s=self._first_wait_s,
        )
        stream.start()
        return stream.stop

    async def _follow(
        self, listener: OrderListener, told: Told, connected: Callable[[], None]
    ) -> None:
        """One connection. The SDK's own loop would hide when it is there and when it is not."""
        from alpaca.trading.stream import TradingStream

        client: Any = TradingStream(
            self._key, self._secret, raw_data=True, url_override=self._address,
            websocket_params={"ping_interval": 10, "ping_timeout": 20, "open_timeout": OPEN_S,
                              "close_timeout": 1},
        )  # fmt: skip

        async def tell(message: Any) -> None:
            await asyncio.to_thread(_tell, listener, told, message)

        client.subscribe_trade_updates(tell)
        try:
            await client._start_ws()
            connected()
            await client._consume()
        finally:
            await client.close()


def _tell(listener: OrderListener, told: Told, message: Any) -> None:
    try:
        report = told(row(row(row(message).get("data")).get("order")))
    except (Unreadable, QuarterdeckError) as error:
        log.warning("an event of the stream is left to the next look: %s", error)
        return
    if report is not None:
        listener.on_report(report)
