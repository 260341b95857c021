"""Amounts in one base currency: the rates there are, kept fresh at a slow pace."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from engine.domain.conversion import STALE_AFTER, Rate, Rates, Sum, add_in, find_pairs
from engine.domain.instruments import Quote
from engine.errors import QuarterdeckError
from engine.ports import Venues
from engine.services.account_ledger import AccountLedger
from engine.services.books import Books
from engine.services.candle_feed import PriceBoard
from engine.services.instrument_book import InstrumentBook
from engine.services.lanes import Lanes

log = logging.getLogger("quarterdeck.convert")

MOST_QUOTES = 20
"""Prices that one market is asked for in one round."""

SIMULATED = "simulated"


@dataclass(frozen=True)
class Terms:
    """What amounts are shown in. ``equals`` are pairs of assets that a person counts as equal
    where no market says what one costs in the other."""

    currency: str = "USD"
    equals: tuple[tuple[str, str], ...] = ()


class Converter:
    """Adds amounts of many assets up in the base currency.

    Rates are the prices that bots watch anyway; a pair that is missing is asked for on the
    markets that bots use, on lanes of its own, so that nobody's stop waits for it. Prices of
    replays are of another time and never used.
    """

    def __init__(
        self,
        books: Books,
        prices: PriceBoard,
        instruments: InstrumentBook,
        ledger: AccountLedger,
        venues: Venues,
        lanes: Lanes,
        terms: Terms,
    ) -> None:
        self._books = books
        self._prices = prices
        self._instruments = instruments
        self._ledger = ledger
        self._venues = venues
        self._lanes = lanes
        self._terms = terms
        self._asked: dict[tuple[str, str], Rate] = {}
        self._asking: set[asyncio.Task[None]] = set()

    @property
    def currency(self) -> str:
        """What everything is added up in."""
        return self._terms.currency

    def add_up(self, amounts: Mapping[str, Decimal], rates: Rates | None = None) -> Sum:
        """The sum of amounts by asset; from memory. ``rates`` for several sums of one moment."""
        return add_in(amounts, self.currency, rates or self.rates())

    def rates(self) -> Rates:
        """Everything known at this moment."""
        declared = [
            Rate(base=base, quote=quote, price=Decimal(1), time=None, source="setting")
            for base, quote in self._terms.equals
        ]
        return Rates([*self._live(), *declared])

    def _live(self) -> list[Rate]:
        """Everything that a market has said."""
        return [*self._asked.values(), *self._watched()]

    def _watched(self) -> list[Rate]:
        """Prices of the symbols that bots watch, each once."""
        found = []
        watching = {(bot.market, bot.symbol): bot for bot in list(self._books.bots.values())}
        for bot in watching.values():
            quote = self._prices.find(bot)
            if quote is None or self._venues.is_stepped(bot.market):
                continue
            try:
                instrument = self._instruments.of(bot)
            except QuarterdeckError:
                continue  # its rules were never kept: nobody knows what the price is of
            found += _rates_of(quote, instrument.base, instrument.quote, bot.market)
        return found

    # --- asking ---------------------------------------------------------------------------------

    async def refresh(self) -> None:
        """Begin to ask each market for the pairs that are missing; one still busy is left alone."""
        for market_id in self._market_ids():
            lane = f"rates:{market_id}"
            if not self._lanes.backlog(lane):
                task = asyncio.create_task(self._lanes.run(lane, self.ask, market_id))
                self._asking.add(task)
                task.add_done_callback(self._asked_for)

    def _asked_for(self, task: "asyncio.Task[None]") -> None:
        self._asking.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("rates could not be asked for", exc_info=error)

    def ask(self, market_id: str) -> None:
        """Ask one market for what leads from assets in use to the base currency; blocking. What
        it does not answer stays as old as it is, and becomes stale."""
        try:
            market = self._venues.market(market_id)
            listed = {one.symbol: one for one in market.instruments()}
        except QuarterdeckError as error:
            log.info("no rates of %s: %s", market_id, error)
            return
        pairs = [(one.symbol, one.base, one.quote) for one in listed.values()]
        known = [one for one in self._watched() if self._is_usable(one, market_id)]
        for symbol in find_pairs(self._assets(), self.currency, pairs, known)[:MOST_QUOTES]:
            try:
                quote = market.quote(symbol)
            except QuarterdeckError as error:
                log.info("no rate of %s on %s: %s", symbol, market_id, error)
                continue
            one = listed[symbol]
            for rate in _rates_of(quote, one.base, one.quote, market_id):
                self._asked[(market_id, symbol)] = rate

    def _market_ids(self) -> Sequence[str]:
        """Markets that bots use anyway: nobody else is asked anything."""
        used = {bot.market for bot in list(self._books.bots.values())}
        return sorted(one for one in used if not self._venues.is_stepped(one))

    def _is_usable(self, rate: Rate, market_id: str) -> bool:
        """Whether a watched price saves a question: it is fresh, and as real as the market's."""
        is_fresh = rate.time is not None and self._books.clock.now() - rate.time < STALE_AFTER
        return is_fresh and rate.is_simulated == (market_id == SIMULATED)

    def _assets(self) -> list[str]:
        """Everything there is an amount of, what bots trade in first."""
        found: dict[str, None] = {}
        for bot in list(self._books.bots.values()):
            try:
                found[self._instruments.of(bot).quote] = None
            except QuarterdeckError:
                continue  # it has no amounts either: its card says why
        for account_id in self._ledger.account_ids():
            found |= {one.asset: None for one in self._ledger.assets(account_id)}
        return list(found)


def _rates_of(quote: Quote, base: str, quote_asset: str, market_id: str) -> list[Rate]:
    """A quote as a rate; none where its price is no price."""
    if not quote.last.is_finite() or quote.last <= 0:
        return []
    return [
        Rate(
            base=base, quote=quote_asset, price=quote.last, time=quote.time, source=market_id,
            is_simulated=market_id == SIMULATED,
        )
    ]  # fmt: skip
