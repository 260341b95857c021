"""Prices as Alpaca tells them by itself, through the SDK's streams; asking when it is silent."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from threading import RLock
from typing import Any, NamedTuple

from engine.adapters.brokers.alpaca import reading as read
from engine.adapters.brokers.alpaca.market import AlpacaMarket
from engine.domain.instruments import InstrumentKind, Quote
from engine.domain.money import ensure_utc, exact, plain
from engine.errors import QuarterdeckError
from engine.links.alpaca import end_stream
from engine.links.streaming import FIRST_WAIT_S, StreamThread

log = logging.getLogger("quarterdeck.alpaca")

FRESH_S = 20.0
"""Every change of the book is told, so that silence means no change; a connection that is dead is
found out by its pings within this time."""

LOOK_S = 0.1
OPEN_S = 10.0
JUNK = (AttributeError, IndexError, KeyError, TypeError, ValueError)
CHANNELS = ("quotes", "trades")
OnQuote = Callable[[Quote], None]


class Source(NamedTuple):
    """Where prices are told, and the key that opens it; never printed."""

    key: str
    secret: str
    address: str

    def __repr__(self) -> str:
        return f"Source({self.address})"


class AlpacaStreamingMarket(AlpacaMarket):
    """Implements ``StreamingMarket``: ``quote`` answers from the stream while that is there, and
    asks otherwise, so a lost or doubled message never matters.

    Alpaca allows a key one connection a kind (and 30 symbols without a subscription): where it
    refuses, prices are asked for.
    """

    def __init__(
        self, *arguments: Any, source: Source, first_wait_s: float = FIRST_WAIT_S, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._source = source
        self._first_wait_s = first_wait_s
        self._told: dict[str, tuple[float, Quote]] = {}
        self._watchers: dict[str, list[OnQuote]] = {}
        self._watch_lock = RLock()
        self._stream: StreamThread | None = None

    def quote(self, symbol: str, *, seen_price: Decimal | None = None) -> Quote:
        """The newest price. Raises NotFound, DataError."""
        return self._fresh(symbol) or super().quote(symbol, seen_price=seen_price)

    def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """Those that have a price; only what the stream has not told is asked for. Raises
        DataError."""
        known = {symbol: told for symbol in symbols if (told := self._fresh(symbol)) is not None}
        missing = [symbol for symbol in symbols if symbol not in known]
        return {**known, **super().quotes(missing)} if missing else known

    def _fresh(self, symbol: str) -> Quote | None:
        told_at, told = self._told.get(symbol, (float("-inf"), None))
        return told if time.monotonic() - told_at < FRESH_S else None

    def watch(self, symbol: str, on_quote: OnQuote) -> Callable[[], None]:
        """Call ``on_quote`` with each new price until the answer is called. Raises NotFound."""
        self.instrument(symbol)
        with self._watch_lock:
            self._watchers.setdefault(symbol, []).append(on_quote)
            if self._stream is None:
                self._stream = self._begin()

        def stop() -> None:
            with self._watch_lock:
                watchers = self._watchers.get(symbol, [])
                if on_quote in watchers:
                    watchers.remove(on_quote)
                if not watchers:
                    self._watchers.pop(symbol, None)
                    self._told.pop(symbol, None)
                ended = self._stream if not self._watchers else None
                if ended is not None:
                    self._stream = None
            if ended is not None:
                ended.stop()

        return stop

    # --- the stream's thread -------------------------------------------------------------------

    def _begin(self) -> StreamThread:
        import websockets

        stream = StreamThread(
            f"{self.market_id} prices",
            self._follow,
            (websockets.WebSocketException, QuarterdeckError, OSError, TimeoutError, *JUNK),
            on_disconnected=self._forget,
            first_wait_s=self._first_wait_s,
        )
        stream.start()
        return stream

    def _forget(self, _reason: str) -> None:
        self._told.clear()

    async def _follow(self, connected: Callable[[], None]) -> None:
        """One connection, and what is watched on it. The SDK's own loop would hide when it is
        there and when it is not."""
        client = self._client()
        subscribed: set[str] = set()
        consuming: asyncio.Task[bool] | None = None
        try:
            await client._start_ws()
            connected()
            consuming = asyncio.create_task(client._consume())
            while not consuming.done():
                with self._watch_lock:
                    wanted = set(self._watchers)
                await self._subscribe(client, wanted, subscribed)
                subscribed = wanted
                await asyncio.wait({consuming}, timeout=LOOK_S)
            consuming.result()  # raises what ended it
        finally:
            if consuming is None:
                await client.close()
            else:
                await end_stream(client, consuming)

    def _client(self) -> Any:
        from alpaca.data.enums import DataFeed
        from alpaca.data.live import CryptoDataStream, StockDataStream

        options: dict[str, Any] = {
            "raw_data": True,
            "url_override": self._source.address,
            "websocket_params": {"ping_interval": 10, "ping_timeout": 10, "open_timeout": OPEN_S,
                                 "close_timeout": 1},
        }  # fmt: skip
        if self.kind is InstrumentKind.CRYPTO:
            return CryptoDataStream(self._source.key, self._source.secret, **options)
        feed = DataFeed(self._feed["feed"])
        return StockDataStream(self._source.key, self._source.secret, feed=feed, **options)

    async def _subscribe(self, client: Any, wanted: set[str], subscribed: set[str]) -> None:
        gone, fresh = sorted(subscribed - wanted), sorted(wanted - subscribed)
        for channel in CHANNELS if gone else ():
            await client._send_unsubscribe_msg(channel, gone)
            for symbol in gone:
                client._handlers[channel].pop(symbol, None)
        if fresh:
            client.subscribe_quotes(self._on_message, *fresh)
            client.subscribe_trades(self._on_message, *fresh)
            await client._send_subscribe_msg()

    async def _on_message(self, message: Any) -> None:
        try:
            await asyncio.to_thread(self._hear, message)
        except (QuarterdeckError, *JUNK) as error:
            log.warning("a price of the stream cannot be read: %s", error)

    def _hear(self, message: Any) -> None:
        """Put a message into the quote known before; the first is asked for. Raises DataError,
        ValueError."""
        symbol = read.words(message, "S")
        _, last = self._told.get(symbol, (0.0, None))
        if last is None:
            last = super().quote(symbol)
        told_at = _moment(message["t"])
        if told_at < last.time:
            return  # came out of order
        change: dict[str, Any] = {"time": min(told_at, self.now())}
        if message["T"] == "t":
            change["last"] = _price(message, "p")
        else:
            change |= {"bid": _price(message, "bp"), "ask": _price(message, "ap")}
        self._tell(last.model_copy(update={name: one for name, one in change.items() if one}))

    def _tell(self, quote: Quote) -> None:
        self._fit_tick(quote.symbol, quote.last)
        with self._watch_lock:
            watchers = list(self._watchers.get(quote.symbol, ()))
            if watchers:
                self._told[quote.symbol] = (time.monotonic(), quote)
        for on_quote in watchers:
            on_quote(quote)


def _price(message: read.Row, name: str) -> Decimal | None:
    """A price, which the stream tells as a double; None for an empty side of the book. Raises
    ValueError."""
    value = exact(float(message[name]))
    if not value.is_finite() or value < 0:
        raise read.Unreadable(f"{name} is {value}")
    return plain(value) or None


def _moment(told: Any) -> datetime:
    """MessagePack's own time. Raises ValueError, AttributeError."""
    moment: datetime = told.to_datetime()
    return ensure_utc(moment)
