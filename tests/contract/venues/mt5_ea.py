"""MetaTrader through its Expert Advisor for the contract suite, hedging and netting."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.domain.orders import Side
from engine.errors import (
    AccessDenied,
    BrokerUnavailable,
    InsufficientFunds,
    OrderRejected,
    OrderStateUnknown,
)
from tests.contract.all_venues import MakeVenue, Trouble, ask_balances, buy
from tests.contract.brokers import Venue
from tests.contract.ea_venue import EaVenue, ea_venue
from tests.contract.market_subject import Subject


def netting(folder: Path) -> EaVenue:
    """A netting account."""
    return ea_venue(folder)


def hedging(folder: Path) -> EaVenue:
    """A hedging account."""
    return ea_venue(folder, is_hedging=True)


VENUES: dict[str, MakeVenue] = {"mt5-ea-netting": netting, "mt5-ea-hedging": hedging}


@contextmanager
def pushed(folder: Path) -> Iterator[Subject]:
    """The market of what the advisor pushes."""
    venue = ea_venue(folder)
    yield Subject(venue.market, venue.symbol, "1m")


MARKETS = {"mt5-ea": pushed}


# --- what goes wrong -----------------------------------------------------------------------------


def _of(venue: Venue) -> EaVenue:
    assert isinstance(venue, EaVenue)
    return venue


def _answering(code: int) -> Callable[[Venue], object]:
    """The broker's server answers the next order with a return code."""
    return lambda venue: _of(venue).stand_in.trading.faults.append(code)


def _silent(venue: Venue) -> None:
    """The terminal is switched off, and a minute and a second pass."""
    _of(venue).advisor.is_off = True
    _of(venue).clock.advance(61)


def _wrong_account(venue: Venue) -> None:
    """Somebody logs in to another account in the terminal."""
    ea = _of(venue)
    ea.stand_in.world.login = 7
    ea.advisor.tick()
    ea.clock.advance(61)
    ea.advisor.tick()


def _never_heard(venue: Venue) -> None:
    venue.broker = _of(venue).reopened(account="8")


def _told(**state: Any) -> Callable[[Venue], object]:
    """The world behind the terminal is another one, which the advisor tells."""

    def begin(venue: Venue) -> None:
        for name, value in state.items():
            setattr(_of(venue).stand_in.world, name, value)
        _of(venue).advisor.tick()

    return begin


def _algo_off(venue: Venue) -> None:
    ea = _of(venue)
    ea.stand_in.terminal = ea.stand_in.terminal._replace(trade_allowed=False)
    ea.advisor.tick()


def _algo_off_meanwhile(venue: Venue) -> None:
    """Off since the advisor has told the last time."""
    ea = _of(venue)
    ea.advisor.send_prices = lambda symbol: None  # type: ignore[method-assign]
    ea.stand_in.terminal = ea.stand_in.terminal._replace(trade_allowed=False)


def _prices_only(venue: Venue) -> None:
    _of(venue).advisor.executes = False
    _of(venue).advisor.tick()


def _does_not_ask(venue: Venue) -> None:
    """Its requests for orders do not arrive any more."""
    ea = _of(venue)
    ea.advisor.take_orders = lambda: None  # type: ignore[method-assign]
    ea.clock.advance(61)
    ea.advisor.tick()


def _another_magic(venue: Venue) -> None:
    _of(venue).advisor.magic = 99
    _of(venue).advisor.tick()


def _closed(venue: Venue) -> None:
    ea = _of(venue)
    ea.stand_in.world.symbols[venue.symbol].never_closes = False
    ea.clock.advance(5 * 86_400)  # from Monday to Saturday
    ea.advisor.tick()


def _nothing(venue: Venue) -> None:
    """All is well but for the order."""


def _order(venue: Venue) -> object:
    """An order for which nobody looks at the price."""
    return venue.ask(quantity=Decimal("0.5"))


def _too_much(venue: Venue) -> object:
    return venue.ask(quantity=venue.worth(30_000_000))


def _small(venue: Venue) -> object:
    return venue.ask(quantity=venue.instrument.min_quantity / 2)


def _unknown_symbol(venue: Venue) -> object:
    return venue.broker.submit(
        venue.request("a", Side.BUY, quantity=Decimal(1)).model_copy(update={"symbol": "NO/PE"})
    )


def _trouble(
    name: str, begin: Callable[[Venue], object], error: type[Exception], words: str,
    act: Callable[[Venue], object] = ask_balances,
) -> Trouble:  # fmt: skip
    return Trouble(name, begin, error, words, act)


_REFUSED = {
    10004: (OrderRejected, "requote"),
    10006: (OrderRejected, "refused"),
    10014: (OrderRejected, "volume"),
    10015: (OrderRejected, "price"),
    10016: (OrderRejected, "stop"),
    10017: (OrderRejected, "disabled"),
    10018: (OrderRejected, "market is closed"),
    10019: (InsufficientFunds, "margin"),
    10021: (OrderRejected, "no prices"),
    10024: (BrokerUnavailable, "too many requests"),
    10026: (AccessDenied, "server forbids"),
    10027: (AccessDenied, "Algo Trading"),
    10030: (OrderRejected, "filling"),
    10033: (OrderRejected, "pending orders"),
    10040: (OrderRejected, "positions"),
}
_UNKNOWN = (10007, 10011, 10012, 10031, 19999)
TROUBLES: dict[str, Sequence[Trouble]] = {
    "mt5-ea-netting": (
        *(
            _trouble(f"code-{code}", _answering(code), error, words, buy)
            for code, (error, words) in _REFUSED.items()
        ),
        *(
            _trouble(f"code-{code}", _answering(code), OrderStateUnknown, str(code), buy)
            for code in _UNKNOWN
        ),
        _trouble("silent", _silent, BrokerUnavailable, "silent since .*start its terminal"),
        _trouble("silent-for-orders", _silent, BrokerUnavailable, "silent since", _order),
        _trouble("wrong-account", _wrong_account, BrokerUnavailable, "silent since"),
        _trouble("never-heard", _never_heard, BrokerUnavailable, "never heard.*heard are"),
        _trouble("real-in-test-mode", _told(is_demo=False), AccessDenied, "real account.*live"),
        _trouble("other-positions", _told(is_hedging=True), AccessDenied, "hedging.*Positions"),
        _trouble("algo-trading-off", _algo_off, AccessDenied, "Algo Trading", buy),
        _trouble("algo-off-meanwhile", _algo_off_meanwhile, AccessDenied, "Algo Trading", buy),
        _trouble("prices-only", _prices_only, AccessDenied, "Execute orders", buy),
        _trouble("does-not-ask", _does_not_ask, BrokerUnavailable, "does not ask", _order),
        _trouble("another-magic", _another_magic, BrokerUnavailable, "magic number 99", buy),
        _trouble("closed", _closed, OrderRejected, "market is closed", _order),
        _trouble("no-money", _nothing, InsufficientFunds, "margin", _too_much),
        _trouble("below-minimum", _nothing, OrderRejected, "step|minimum", _small),
        _trouble("unknown-symbol", _nothing, OrderRejected, "NO/PE", _unknown_symbol),
    ),
}  # fmt: skip
