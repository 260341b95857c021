"""The brokers that the contract suite runs over, each with a way to move its market on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.adapters.brokers.paper import PaperBroker
from engine.adapters.market_data.replay import ReplayMarket
from engine.adapters.market_data.simulated import SimulatedMarket
from engine.domain.accounts import add_up, fill_effect
from engine.domain.instruments import Instrument
from engine.domain.money import ZERO, floor_to
from engine.domain.orders import (
    TERMINAL,
    OrderReport,
    OrderRequest,
    OrderType,
    Side,
    TimeInForce,
)
from engine.ports import Broker, MarketData
from tests.contract.exchange_venue import SYMBOL, exchange_venue
from tests.fakes.broker import ScriptedBroker
from tests.fakes.clock import FakeClock
from tests.fakes.exchange import BinanceExchange
from tests.fakes.market import FakeMarket
from tests.fakes.paper_book import FakePaperBook

CSV = "timestamp,open,high,low,close,volume\n" + "".join(
    f"2024-01-01T{minute // 60:02}:{minute % 60:02}:00Z,"
    f"{100 + minute},{103 + minute},{98 + minute},{101 + minute},1000\n"
    for minute in range(240)
)
OPENING = Decimal(10_000_000)
PATIENCE = 60  # steps


def nothing() -> None:
    """What a venue does that needs not do anything."""


def stands_still(price: Decimal) -> None:
    """The market of a venue that no test of pairs runs over."""
    raise AssertionError("this market cannot be moved to a price")


@dataclass
class Venue:
    """A broker under test, its account opened with quote and nothing else.

    ``step`` lets a minute pass in which the price moves both ways, by a few basis points at least
    within ``PATIENCE`` of them. ``reopen`` makes the same account anew, as after a restart.
    ``thin_out`` leaves less on offer than a third of the account buys. ``move_to`` takes the
    market to a price and lets it work on what rests; only venues that take pairs need it.
    ``close`` ends what the venue runs. ``keeps_ids``: a client id that was used is refused for
    ever.
    ``is_margin``: what is bought is not paid from cash but binds margin, and resting orders bind
    nothing: cash is left out of the sums. ``nets``: a symbol has one position, long or short.
    ``only_opens``: what rests can only open positions, and is refused if it is to reduce one.
    """

    broker: Broker
    market: MarketData
    symbol: str
    step: Callable[[], None]
    reopen: Callable[[], Broker]
    thin_out: Callable[[], None] = nothing
    move_to: Callable[[Decimal], None] = stands_still
    close: Callable[[], object] = nothing
    keeps_ids: bool = False
    is_margin: bool = False
    nets: bool = False
    only_opens: bool = False

    @property
    def instrument(self) -> Instrument:
        """The rules of the symbol."""
        return self.market.instrument(self.symbol)

    @property
    def last(self) -> Decimal:
        """The price now, on the tick."""
        return floor_to(self.market.quote(self.symbol).last, self.instrument.price_tick)

    def takes_exit(self, kind: OrderType) -> bool:
        """Whether an order of a kind may rest to reduce what is held."""
        return kind in self.broker.capabilities.order_types and not self.only_opens

    def near(self, share: str) -> Decimal:
        """A share of the price now, on the tick."""
        return floor_to(self.last * Decimal(share), self.instrument.price_tick)

    def worth(self, value: int, price: Decimal | None = None) -> Decimal:
        """The quantity that is worth so much quote."""
        return floor_to(value / (price or self.last), self.instrument.quantity_step)

    def ask(self, client_id: str = "a", side: Side = Side.BUY, **fields: Any) -> OrderReport:
        """Send one order."""
        return self.broker.submit(self.request(client_id, side, **fields))

    def request(self, client_id: str, side: Side, **fields: Any) -> OrderRequest:
        """An order of the symbol, for as long as the venue takes one unless told otherwise."""
        lasting = self.broker.capabilities.times_in_force
        if TimeInForce.GTC not in lasting:
            fields.setdefault("time_in_force", TimeInForce.DAY)
        return OrderRequest(client_id=client_id, symbol=self.symbol, side=side, **fields)

    def buy(self, client_id: str = "a", value: int = 500) -> OrderReport:
        """Buy at the market, however the venue wants to be told how much."""
        if self.broker.capabilities.has_quote_amount:
            return self.ask(client_id, quote_amount=Decimal(value))
        return self.ask(client_id, quantity=self.worth(value))

    def rest(self, client_id: str = "a", value: int = 1000) -> OrderReport:
        """A limit order to buy far below the price."""
        price = self.near("0.5")
        quantity = self.worth(value, price)
        return self.ask(client_id, type=OrderType.LIMIT, price=price, quantity=quantity)

    def found(self, client_id: str = "a") -> OrderReport:
        """The order as it stands. Fails when there is none."""
        report = self.broker.find_order(client_id, self.symbol)
        assert report is not None
        return report

    def awaited(self, client_id: str = "a") -> OrderReport:
        """The order once it is done, or after all patience."""
        for _ in range(PATIENCE):
            if self.found(client_id).state in TERMINAL:
                break
            self.step()
        return self.found(client_id)

    def held(self, asset: str) -> Decimal:
        """What the account has of an asset, free and locked."""
        balance = self.broker.balances().get(asset)
        return balance.total if balance else ZERO

    def is_free(self) -> bool:
        """Whether nothing is locked."""
        return all(
            balance.locked == 0 or not self._is_summed(balance.asset)
            for balance in self.broker.balances().values()
        )

    def _is_summed(self, asset: str) -> bool:
        """Whether trades alone account for what is had of an asset."""
        return not self.is_margin or asset == self.instrument.base

    def totals(self) -> dict[str, Decimal]:
        """What the account has, assets of which it has nothing left out."""
        balances = self.broker.balances().values()
        return {
            balance.asset: balance.total
            for balance in balances
            if balance.total and self._is_summed(balance.asset)
        }

    def sellable(self) -> Decimal:
        """What is held of the base, on the step: a fee in base leaves dust."""
        return floor_to(self.held(self.instrument.base), self.instrument.quantity_step)

    def sums(self, before: dict[str, Decimal], *reports: OrderReport) -> dict[str, Decimal]:
        """What must be held after the fills of ``reports``."""
        base, quote = self.instrument.base, self.instrument.quote
        effects = [
            fill_effect(report.side, base, quote, fill.price, fill.quantity, fill.fee,
                        fill.fee_asset)
            for report in reports for fill in report.fills
        ]  # fmt: skip
        return {
            asset: total
            for asset, total in add_up([before, *effects]).items()
            if total and self._is_summed(asset)
        }


@dataclass
class VenueAtExchange(Venue):
    """A venue over a loopback exchange, whose faults and rules a test can get at."""

    exchange: BinanceExchange = field(kw_only=True)


def fake_venue(folder: Path) -> Venue:
    """Paper over prices set by hand."""
    market = FakeMarket(FakeClock())
    market.set_price("BTC/USDT", "100", volume="4000")
    return _paper(market, "BTC/USDT", lambda: market.add_bar("BTC/USDT", 100, 103, 98, 101, 1000))


def simulated_venue(folder: Path) -> Venue:
    """Paper over the simulated market."""
    clock = FakeClock()
    market = SimulatedMarket(7, clock)
    return _paper(market, "BTC/USDT", lambda: _advance(clock))


def replay_venue(folder: Path) -> Venue:
    """Paper over a candle file."""
    path = folder / "BTC-USD.1m.csv"
    path.write_text(CSV)
    market = ReplayMarket(f"replay:{path}")
    market.seek(market.now() + timedelta(minutes=5))
    return _paper(market, "BTC/USD", lambda: market.seek(market.now() + timedelta(minutes=1)))


def scripted_venue(folder: Path) -> Venue:
    """The desk's tests' own venue, as far as it stands for one that takes pairs of orders."""
    market = FakeMarket(FakeClock())
    market.set_price("BTC/USDT", "100")
    broker = ScriptedBroker(has_oco=True, held={"USDT": OPENING})

    def move_to(price: Decimal) -> None:
        broker.price = price
        for report in broker.open_orders():
            level = report.stop_price or report.price or price
            is_stop = report.stop_price is not None
            is_reached = price <= level if is_stop else price >= level  # all of them sell
            if is_reached and broker.find_order(report.client_id, "") == report:
                broker.trigger(report.client_id)

    return Venue(broker, market, "BTC/USDT", nothing, lambda: broker, move_to=move_to)


def ccxt_venue(folder: Path) -> Venue:
    """Binance spot through ccxt, at the loopback exchange."""
    running = exchange_venue()
    opened = running.__enter__()
    exchange, name = opened.exchange, SYMBOL.replace("/", "")
    exchange.deposit("BTC", -exchange.balance("BTC"))
    exchange.deposit("USDT", OPENING - exchange.balance("USDT"))
    start = exchange.rules(name).price

    def step() -> None:
        for share in ("0.997", "1.003"):
            exchange.set_price(name, start * Decimal(share))

    def thin_out() -> None:
        exchange.rules(name).depth = Decimal("0.5")

    return VenueAtExchange(
        opened.broker, opened.market, SYMBOL, step, opened.reopen, thin_out,
        move_to=lambda price: exchange.set_price(name, price), exchange=exchange,
        close=lambda: running.__exit__(None, None, None),
    )  # fmt: skip


def _advance(clock: FakeClock) -> None:
    clock.advance(60)


def _paper(market: MarketData, symbol: str, step: Callable[[], None]) -> Venue:
    book = FakePaperBook()

    def opened() -> Broker:
        return PaperBroker("paper:test", market, book, opening_balance=OPENING)

    return Venue(opened(), market, symbol, step, opened)


VENUES: dict[str, Callable[[Path], Venue]] = {
    "paper-fake": fake_venue,
    "paper-simulated": simulated_venue,
    "paper-replay": replay_venue,
    "ccxt-binance": ccxt_venue,
}
OCO_VENUES: dict[str, Callable[[Path], Venue]] = {
    "scripted": scripted_venue,
    "ccxt-binance": ccxt_venue,
}
"""Those that take pairs of orders; each of ``VENUES`` that is not here refuses them."""
