"""Live prices as an exchange tells them by itself, through ccxt.pro; asking when it is silent."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from threading import RLock
from typing import Any

from engine.adapters.market_data.ccxt_public import CcxtPublicMarket
from engine.adapters.market_data.ccxt_reading import JUNK, quote_of
from engine.domain.instruments import Quote
from engine.errors import DataError, QuarterdeckError
from engine.links.streaming import StreamThread

log = logging.getLogger("quarterdeck.ccxt")

FRESH_S = 5.0  # a ticker comes every second; one that is older than this is not the price any more
LOOK_S = 0.1
FULL_TICKER = {"watchTickers": {"name": "ticker"}}  # Binance's default has neither bid nor ask
OnQuote = Callable[[Quote], None]


class CcxtStreamingMarket(CcxtPublicMarket):
    """Implements ``StreamingMarket`` over the same exchange: ``quote`` answers from the stream
    while that is fresh and asks otherwise, so a lost or doubled frame never matters.

    One thread for all symbols that are watched; it lives as long as anybody watches.
    """

    def __init__(self, *arguments: Any, first_wait_s: float = 0.5, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._first_wait_s = first_wait_s
        self._told: dict[str, tuple[float, Quote]] = {}
        self._watchers: dict[str, list[OnQuote]] = {}
        self._watch_lock = RLock()
        self._stream: StreamThread | None = None

    def quote(self, symbol: str, *, seen_price: Decimal | None = None) -> Quote:
        """The newest price. Raises NotFound, DataError."""
        return self._fresh(symbol) or super().quote(symbol, seen_price=seen_price)

    def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """The newest prices; only those that the stream has not told lately are asked for. Raises
        DataError."""
        found = {one: quote for one in symbols if (quote := self._fresh(one)) is not None}
        missing = [one for one in symbols if one not in found]
        return {**found, **super().quotes(missing)} if missing else found

    def _fresh(self, symbol: str) -> Quote | None:
        """What the stream has told of a symbol, while that is its price."""
        told_at, told = self._told.get(symbol, (float("-inf"), None))
        return told if time.monotonic() - told_at < FRESH_S else None

    def watch(self, symbol: str, on_quote: OnQuote) -> Callable[[], None]:
        """Call ``on_quote`` with each new price until the answer is called; never, at an exchange
        whose prices ccxt cannot watch. Raises NotFound."""
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

    # --- the stream's thread ---------------------------------------------------------------------

    def _begin(self) -> StreamThread:
        import aiohttp

        vendor = (self._ccxt.BaseError, aiohttp.ClientError)
        errors = (*vendor, QuarterdeckError, OSError, TimeoutError, *JUNK)
        stream = StreamThread(
            f"{self.market_id} prices", self._follow, errors,
            on_disconnected=self._forget, first_wait_s=self._first_wait_s,
        )  # fmt: skip
        stream.start()
        return stream

    def _forget(self, _reason: str) -> None:
        self._told.clear()

    async def _follow(self, connected: Callable[[], None]) -> None:
        """Watch what is asked for, and look again and again for what is asked for anew."""
        client = self._pro_client()
        tasks: dict[str, asyncio.Task[None]] = {}
        try:
            if not client.has.get("watchTicker"):
                log.info("ccxt cannot watch prices of %s: they are asked for", self._name)
                await asyncio.Event().wait()  # until nobody watches any more
            while True:
                with self._watch_lock:
                    wanted = set(self._watchers)
                for symbol in tasks.keys() - wanted:
                    tasks.pop(symbol).cancel()
                for symbol in wanted - tasks.keys():
                    watching = self._watch_one(client, symbol, connected)
                    tasks[symbol] = asyncio.create_task(watching)
                await asyncio.sleep(LOOK_S)
                for task in tasks.values():
                    if task.done():
                        task.result()  # raises what ended it: everything is connected anew
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)
            await client.close()

    def _pro_client(self) -> Any:
        import ccxt.async_support
        import ccxt.pro

        # Of a few exchanges there is no client that streams.
        kind = getattr(ccxt.pro, self._name, None) or getattr(ccxt.async_support, self._name)
        client = kind({"options": self.options() | FULL_TICKER})
        self.point(client)
        client.set_markets(self.listed())  # what was listed over the other client: not asked twice
        return client

    async def _watch_one(self, client: Any, symbol: str, connected: Callable[[], None]) -> None:
        while True:
            ticker = await client.watch_ticker(symbol)
            try:
                quote = quote_of(symbol, ticker, self.now())
            except (DataError, *JUNK) as error:
                log.warning("a price of %s cannot be read: %s", symbol, error)
                continue
            connected()
            self._tell(quote)

    def _tell(self, quote: Quote) -> None:
        _, last = self._told.get(quote.symbol, (0.0, None))
        if last is not None and quote.time < last.time:
            return  # came out of order
        with self._watch_lock:
            watchers = list(self._watchers.get(quote.symbol, ()))
            if watchers:
                self._told[quote.symbol] = (time.monotonic(), quote)
        for on_quote in watchers:
            on_quote(quote)
