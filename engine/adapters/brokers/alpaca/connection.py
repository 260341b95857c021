"""Alpaca's clients, market and account of one key, put together."""

from typing import Any, NamedTuple

from engine.adapters.brokers.alpaca.addresses import Addresses
from engine.adapters.brokers.alpaca.broker import AlpacaBroker
from engine.adapters.brokers.alpaca.client import TIMEOUT_S, AlpacaClient
from engine.adapters.brokers.alpaca.hours import MarketHours
from engine.adapters.brokers.alpaca.inspection import Inspector
from engine.adapters.brokers.alpaca.price_stream import AlpacaStreamingMarket, Source
from engine.adapters.brokers.alpaca.stream import TradeUpdates
from engine.adapters.brokers.alpaca.terms import Terms
from engine.domain.instruments import InstrumentKind
from engine.links.answered_time import AnsweredTime
from engine.links.pause import Pause
from engine.links.streaming import FIRST_WAIT_S
from engine.ports import Clock, VenueConnection


class Key(NamedTuple):
    """What opens an account; never printed."""

    key: str
    secret: str

    def __repr__(self) -> str:
        return "Key(...)"


class Ids(NamedTuple):
    """What an account and its market are called in the engine."""

    account: str
    market: str


def connect(
    ids: Ids, key: Key, addresses: Addresses, clock: Clock, terms: Terms,
    *, feed: str = "iex", timeout_s: float = TIMEOUT_S, first_wait_s: float = FIRST_WAIT_S,
) -> VenueConnection:  # fmt: skip
    """An account with its prices. Connects to nothing yet."""
    time = AnsweredTime(clock.now, clock.monotonic)
    trading = AlpacaClient(_trading(key, addresses), Pause(clock.monotonic), time, timeout_s)
    data = AlpacaClient(_data(key, addresses, terms.kind), Pause(clock.monotonic), time, timeout_s)
    market = AlpacaStreamingMarket(
        ids.market, terms.kind, trading, data, clock,
        feed=feed, is_fractional=terms.is_fractional, first_wait_s=first_wait_s,
        source=Source(key.key, key.secret, addresses.prices(terms.kind, feed)),
    )  # fmt: skip
    hours = MarketHours(trading, clock)
    stream = TradeUpdates(key.key, key.secret, addresses.trading_stream, first_wait_s)
    broker = AlpacaBroker(ids.account, market, trading, hours, stream, clock, terms)

    def close() -> None:
        trading.close()
        data.close()

    inspector = Inspector(trading, market, broker, hours, clock)
    return VenueConnection(market, broker, inspector.inspect, close, trading.usage)


def _trading(key: Key, addresses: Addresses) -> Any:
    from alpaca.trading.client import TradingClient

    return TradingClient(key.key, key.secret, raw_data=True, url_override=addresses.trading)


def _data(key: Key, addresses: Addresses, kind: InstrumentKind) -> Any:
    from alpaca.data.historical import CryptoHistoricalDataClient, StockHistoricalDataClient

    is_stock = kind is InstrumentKind.STOCK
    make = StockHistoricalDataClient if is_stock else CryptoHistoricalDataClient
    return make(key.key, key.secret, raw_data=True, url_override=addresses.data)
