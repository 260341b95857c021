"""MetaTrader 5 for the contract suite: netting and hedging accounts, here and through a gateway."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.adapters.brokers.mt5.remote import RemoteTerminal
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
from tests.contract.mt5_venue import (
    TIMEOUT_S,
    TOKEN,
    Mt5Venue,
    SuiteVenue,
    gateway,
    local,
    opened,
    suite_venue,
)
from tests.fakes.clock import FakeClock
from tests.fakes.metatrader5 import LOST, stocked


def netting(folder: Path) -> SuiteVenue:
    """A netting account at a terminal of this machine."""
    return suite_venue(local())


def hedging(folder: Path) -> SuiteVenue:
    """A hedging account at a terminal of this machine."""
    return suite_venue(local(is_hedging=True))


def lent(folder: Path) -> SuiteVenue:
    """A netting account at a terminal that a gateway lends, over TLS."""
    clock = FakeClock()
    stand_in = stocked(clock.now)
    running = gateway(stand_in, folder)
    found = running.__enter__()
    terminal = RemoteTerminal(found.url, TOKEN, ca_file=found.ca_file, timeout_s=TIMEOUT_S)
    venue = opened(stand_in, clock, terminal)
    venue.url, venue.ca_file = found.url, found.ca_file

    def close() -> None:
        terminal.close()
        venue.terminal.close()
        running.__exit__(None, None, None)

    return suite_venue(venue, close=close)


VENUES: dict[str, MakeVenue] = {"mt5-netting": netting, "mt5-hedging": hedging, "mt5-gateway": lent}


# --- what goes wrong -----------------------------------------------------------------------------


def _of(venue: Venue) -> Mt5Venue:
    assert isinstance(venue, SuiteVenue)
    return venue.vendor


def _answering(code: int) -> Callable[[Venue], object]:
    """The broker's server answers the next order with a return code."""
    return lambda venue: _of(venue).stand_in.trading.faults.append(code)


def _after_taking(code: int | str) -> Callable[[Venue], object]:
    """The server takes the next order, and then says something else."""
    return lambda venue: _of(venue).stand_in.trading.accepted_but.append(code)


def _not_running(venue: Venue) -> None:
    _of(venue).stand_in.is_running = False


def _terminal(**state: Any) -> Callable[[Venue], object]:
    def begin(venue: Venue) -> None:
        stand_in = _of(venue).stand_in
        stand_in.terminal = stand_in.terminal._replace(**state)

    return begin


def _world(**state: object) -> Callable[[Venue], object]:
    def begin(venue: Venue) -> None:
        for name, value in state.items():
            setattr(_of(venue).stand_in.world, name, value)

    return begin


def _read_only(venue: Venue) -> None:
    _of(venue).stand_in.may_trade = False


def _junk(function: str, answer: object) -> Callable[[Venue], object]:
    return lambda venue: _of(venue).stand_in.junk.update({function: answer})


def _switched(venue: Venue) -> None:
    """Somebody logs in to another account in the terminal."""
    venue.broker.balances()
    _of(venue).stand_in.world.login = 7


def _closed(venue: Venue) -> None:
    symbol = _of(venue).stand_in.world.symbols[venue.symbol]
    symbol.never_closes = False
    _of(venue).clock.advance(5 * 86_400)  # from Monday to Saturday


def _order(venue: Venue) -> object:
    """An order for which nobody looked at the price before."""
    return venue.ask(quantity=Decimal("0.5"))


def _no_number(venue: Venue) -> None:
    venue.broker.balances()
    stand_in = _of(venue).stand_in
    account = stand_in.account_info()
    assert account is not None
    stand_in.junk["account_info"] = account._replace(margin_free=float("nan"))


def _small(venue: Venue) -> object:
    return venue.ask(quantity=venue.instrument.min_quantity / 2)


def _step_changed(venue: Venue) -> None:
    """The broker trades no less than a thousand lots now; the listing that is known is older."""
    venue.market.instrument(venue.symbol)
    symbol = _of(venue).stand_in.world.symbols[venue.symbol]
    symbol.least = Decimal(1000)


def _too_much(venue: Venue) -> object:
    return venue.ask(quantity=venue.worth(30_000_000))


def _unknown_symbol(venue: Venue) -> object:
    return venue.broker.submit(venue.request("a", Side.BUY, quantity=Decimal(1)).model_copy(
        update={"symbol": "NO/PE"}
    ))  # fmt: skip


def _forget(venue: Venue) -> None:
    """The connection is made anew, by another session."""
    vendor = _of(venue)
    venue.broker = opened(vendor.stand_in, vendor.clock, vendor.terminal).broker


def _trouble(
    name: str, begin: Callable[[Venue], object], error: type[Exception], words: str,
    act: Callable[[Venue], object] = ask_balances,
) -> Trouble:  # fmt: skip
    return Trouble(name, begin, error, words, act)


_REFUSED = {
    10004: (OrderRejected, "requote"),
    10006: (OrderRejected, "refused"),
    10013: (OrderRejected, "not valid"),
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
_UNKNOWN = (10007, 10011, 10012, 10023, 10028, 10031, 19999)
_EVERYWHERE = (
    *(
        _trouble(f"code-{code}", _answering(code), error, words, buy)
        for code, (error, words) in _REFUSED.items()
    ),
    *(
        _trouble(f"code-{code}", _answering(code), OrderStateUnknown, str(code), buy)
        for code in _UNKNOWN
    ),
    _trouble("timeout-after-it-was-taken", _after_taking(10012), OrderStateUnknown, "10012", buy),
    _trouble("answer-lost", _after_taking(LOST), OrderStateUnknown, "IPC timeout", buy),
    _trouble("not-running", _not_running, BrokerUnavailable, "start it"),
    _trouble("not-running-for-orders", _not_running, BrokerUnavailable, "start it", _order),
    _trouble("offline", _terminal(connected=False), BrokerUnavailable, "no connection", buy),
    _trouble("algo-trading-off", _terminal(trade_allowed=False), AccessDenied, "Algo Trading", buy),
    _trouble("api-off", _terminal(tradeapi_disabled=True), AccessDenied, "Python API", buy),
    _trouble("investor-password", _read_only, AccessDenied, "main password", buy),
    _trouble("wrong-password", _world(password="changed"), AccessDenied, "login"),
    _trouble("another-server", _world(server="Other-Live"), AccessDenied, "login"),
    _trouble("real-in-test-mode", _world(is_demo=False), AccessDenied, "real account.*live"),
    _trouble("another-account", _switched, AccessDenied, "logged in to account 7"),
    _trouble("another-account-for-orders", _switched, AccessDenied, "account 7", _order),
    _trouble("closed", _closed, OrderRejected, "market is closed", buy),
    _trouble("no-money", _forget, InsufficientFunds, "margin", _too_much),
    _trouble("below-minimum", _forget, OrderRejected, "step|minimum", _small),
    _trouble("step-changed", _step_changed, OrderRejected, "volume", buy),
    _trouble("unknown-symbol", _forget, OrderRejected, "NO/PE", _unknown_symbol),
    _trouble("no-number", _no_number, BrokerUnavailable, "margin_free"),
    _trouble("junk-positions", _junk("positions_get", ({"symbol": "?"},)), BrokerUnavailable, "."),
    _trouble("no-positions-told", _junk("positions_get", None), BrokerUnavailable, "no answer"),
    _trouble("junk-answer", _junk("order_send", (1, 2)), OrderStateUnknown, "cannot be read", buy),
)


def _gateway_down(venue: Venue) -> None:
    venue.close()
    venue.close = lambda: None


def _terminal_of(**options: Any) -> Callable[[Venue], object]:
    """The account is opened with other options of the gateway."""

    def begin(venue: Venue) -> None:
        vendor = _of(venue)
        assert isinstance(vendor.terminal, RemoteTerminal)
        settings: dict[str, Any] = {"token": TOKEN, "ca_file": vendor.ca_file} | options
        vendor.terminal = RemoteTerminal(vendor.url, **settings)
        venue.broker = opened(vendor.stand_in, vendor.clock, vendor.terminal).broker

    return begin


_GATEWAY = (
    _trouble("gateway-down", _gateway_down, BrokerUnavailable, "cannot be reached"),
    _trouble("gateway-down-for-orders", _gateway_down, BrokerUnavailable, "reached", _order),
    _trouble("wrong-token", _terminal_of(token="another" * 6), AccessDenied, "token"),
    _trouble("not-verified", _terminal_of(ca_file=""), BrokerUnavailable, "not trusted"),
    _trouble(
        "another-certificate", _terminal_of(fingerprint="ab" * 32), AccessDenied, "fingerprint"
    ),
)
TROUBLES: dict[str, Sequence[Trouble]] = {
    "mt5-netting": _EVERYWHERE,
    "mt5-gateway": (*_GATEWAY, *_EVERYWHERE[-12:]),
}
