"""What Alpaca tells of an account's orders by itself, through the SDK's trading stream."""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

from engine.adapters.brokers.alpaca.reading import Row, Unreadable, row
from engine.domain.orders import OrderReport
from engine.errors import BrokerError, NotFound, QuarterdeckError
from engine.links.alpaca import end_stream
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

        is_over = threading.Event()

        def tell(message: Any) -> None:
            report = _told_by(message, told)
            if report is not None and not is_over.is_set():
                listener.on_report(report)

        async def session(connected: Callable[[], None]) -> None:
            await self._follow(tell, connected)

        def end() -> None:
            is_over.set()
            stream.stop()

        stream = StreamThread(
            "alpaca-trade-updates",
            session,
            (websockets.WebSocketException, QuarterdeckError, OSError, TimeoutError, *JUNK),
            on_connected=listener.on_connected,
            on_disconnected=listener.on_disconnected,
            first_wait_s=self._first_wait_s,
        )
        stream.start()
        return end

    async def _follow(self, tell: Callable[[Any], None], connected: Callable[[], None]) -> None:
        """One connection. The SDK's own loop would hide when it is there and when it is not."""
        from alpaca.trading.stream import TradingStream

        client: Any = TradingStream(
            self._key, self._secret, raw_data=True, url_override=self._address,
            websocket_params={"ping_interval": 10, "ping_timeout": 20, "open_timeout": OPEN_S,
                              "close_timeout": 1},
        )  # fmt: skip

        async def on_update(message: Any) -> None:
            await asyncio.to_thread(tell, message)  # it asks, and pings must not wait for that

        client.subscribe_trade_updates(on_update)
        consuming: asyncio.Task[Any] | None = None
        try:
            await client._start_ws()
            connected()
            consuming = asyncio.create_task(client._consume())
            await asyncio.wait({consuming})
            consuming.result()  # raises what ended it
        finally:
            if consuming is None:
                await client.close()
            else:
                await end_stream(client, consuming)


def _told_by(message: Any, told: Told) -> OrderReport | None:
    try:
        return told(row(row(row(message).get("data")).get("order")))
    except (Unreadable, NotFound, BrokerError) as error:
        log.warning("an event of the stream is left to the next look: %s", error)
        return None
