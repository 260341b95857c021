"""Watching prices for price alerts: those that bots see anyway, and the rest asked for together.

Every price that comes to the board is compared with the levels, so that a spike between two looks
counts. An alert and that it has fired are one transaction: it is told once, whatever happens.
"""

import asyncio
import logging
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta

from engine.domain.alerts import PriceAlert
from engine.domain.instruments import Quote
from engine.domain.money import text
from engine.domain.price_levels import Turn, fired_words, turn_of
from engine.domain.records import Level
from engine.errors import QuarterdeckError
from engine.ports import Venues
from engine.services.books import Books, Writing
from engine.services.candle_feed import PriceBoard
from engine.services.lanes import Lanes, market_lane
from engine.services.quote_desk import QuoteDesk

log = logging.getLogger("quarterdeck.price_alerts")

LANE = "price-alerts"
STALE = timedelta(minutes=1)
"""An older price fires nothing: its market is closed, or does not answer."""

ASK_EVERY_S = 10.0
"""Of one market, whatever number of its symbols no bot watches."""

Place = tuple[str, str]
"""A market's id and a symbol of it."""


class PriceAlertWatcher:
    """``watch`` is used on the event loop; prices come from whatever thread."""

    def __init__(self, books: Books, venues: Venues, prices: PriceBoard, lanes: Lanes) -> None:
        self._books = books
        self._venues = venues
        self._prices = prices
        self._lanes = lanes
        self._quotes = QuoteDesk(lanes, prices)
        self._alerts: Mapping[Place, Sequence[PriceAlert]] = {}
        self._turned: dict[str, Quote] = {}
        self._lock = threading.Lock()
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._asked_s: dict[str, float] = {}
        self._troubles: dict[str, str] = {}
        prices.listen(self._hear)

    async def watch(self) -> None:
        """One round: write what has fired, begin to ask for what nobody else asks for. A market
        that does not answer holds up nothing. Raises StoreError."""
        if self._lanes.backlog(LANE):
            return
        await self._lanes.run(LANE, self._settle)
        for market_id, symbols in self._unseen().items():
            if market_id not in self._asking:
                self._asking[market_id] = asyncio.create_task(self._ask(market_id, symbols))

    def _hear(self, market_id: str, quote: Quote, bot_id: str) -> None:
        """Note a price that changes an alert; ``bot_id`` is set for a replay's, which is of no
        present."""
        alerts = self._alerts.get((market_id, quote.symbol))
        if not alerts or bot_id or abs(self._books.clock.now() - quote.time) > STALE:
            return
        for alert in alerts:
            if turn_of(alert, quote.last) is not None:
                with self._lock:
                    self._turned.setdefault(alert.id, quote)  # the first: it may be a spike

    # --- on its lane ----------------------------------------------------------------------------

    def _settle(self) -> None:
        """Carry out what prices have done, then look at the alerts as they are now."""
        with self._lock:
            turned = dict(self._turned)
        for alert_id, quote in turned.items():
            with self._books.writing() as writing:
                self._turn(writing, alert_id, quote)
            with self._lock:
                self._turned.pop(alert_id, None)
        self._load()

    def _turn(self, writing: Writing, alert_id: str, quote: Quote) -> None:
        """The alert may have been changed, deleted or fired since the price came."""
        alert = writing.tx.price_alerts.find(alert_id)
        turn = turn_of(alert, quote.last) if alert is not None else None
        if alert is None or turn is None:
            return
        if turn is Turn.ARMS:
            writing.tx.price_alerts.save(alert.model_copy(update={"fired_at": None}))
            return
        instrument = writing.tx.find_instrument(alert.market, alert.symbol)
        update = {"fired_at": self._books.clock.now(), "fired_price": quote.last}
        writing.tx.price_alerts.save(alert.model_copy(update=update))
        writing.event(
            Level.INFO, "alert.price",
            fired_words(alert, quote.last, instrument.quote if instrument else ""),
            price_alert_id=alert.id, market=alert.market, symbol=alert.symbol,
            price=text(quote.last), level_price=text(alert.price), direction=str(alert.direction),
        )  # fmt: skip

    def _load(self) -> None:
        """What is watched: armed alerts, and repeating ones that wait for the other side."""
        found: dict[Place, list[PriceAlert]] = defaultdict(list)
        with self._books.store.reading() as tx:
            for alert in tx.price_alerts.select(is_enabled=True):
                if alert.fired_at is None or alert.is_repeating:
                    found[(alert.market, alert.symbol)].append(alert)
        new = found.keys() - self._alerts.keys()
        self._alerts = dict(found)
        for market_id, symbol in new:  # the last price may be beyond it already
            quote = self._prices.last(market_id, symbol)
            if quote is not None:
                self._hear(market_id, quote, "")

    # --- asking ---------------------------------------------------------------------------------

    def _unseen(self) -> dict[str, list[str]]:
        """Symbols by market that nobody has asked about for a while."""
        now, now_s = self._books.clock.now(), self._books.clock.monotonic()
        found: dict[str, list[str]] = defaultdict(list)
        for market_id, symbol in self._alerts:
            asked_s = self._asked_s.get(market_id)
            if asked_s is not None and now_s - asked_s < ASK_EVERY_S:
                continue
            quote = self._prices.last(market_id, symbol)
            if quote is None or now - quote.time >= timedelta(seconds=ASK_EVERY_S):
                found[market_id].append(symbol)
        return found

    async def _ask(self, market_id: str, symbols: Sequence[str]) -> None:
        """What is told comes to the board, and so to ``_hear``."""
        try:
            market = await self._lanes.run(market_lane(market_id), self._venues.market, market_id)
            async for _ in self._quotes.ask(market, symbols):
                self._troubles.pop(market_id, None)
        except QuarterdeckError as error:
            if self._troubles.get(market_id) != error.message:  # said once, not at each try
                self._troubles[market_id] = error.message
                log.warning("price alerts on %s are blind: %s", market_id, error.message)
        except Exception:
            log.exception("price alerts on %s could not be watched", market_id)
        finally:
            self._asked_s[market_id] = self._books.clock.monotonic()
            del self._asking[market_id]
