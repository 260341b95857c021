"""The two MetaTrader venues of the form, and what a test of an account finds."""

import sys
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from engine.adapters.brokers.mt5.connection import connect
from engine.adapters.brokers.mt5.options import TerminalOptions
from engine.adapters.brokers.mt5.terminal import LocalTerminal
from engine.adapters.brokers.venues import find_adapters
from engine.domain.orders import OrderRequest, OrderState, Side
from engine.domain.venue_accounts import AccountCheck, Grade, Inspection, Mode
from engine.errors import ConfigError
from engine.ports import AccountAccess, VenueConnection
from tests.contract.mt5_venue import TOKEN, gateway
from tests.fakes.clock import FakeClock
from tests.fakes.metatrader5 import StandIn, stocked

SECRET = "main-password"


def options(stand_in: StandIn, **more: Any) -> dict[str, Any]:
    world = stand_in.world
    positions = "hedging" if world.is_hedging else "netting"
    return {"login": world.login, "server": world.server, "positions": positions, **more}


def access(
    venue: str, clock: FakeClock, chosen: dict[str, Any], mode: Mode = Mode.TEST,
    secrets: dict[str, str] | None = None,
) -> AccountAccess:  # fmt: skip
    given = {"password": SECRET, "token": TOKEN} if secrets is None else secrets
    checked = find_adapters()[venue].check_options(chosen)
    return AccountAccess("test:mt5", "account:mt5", mode, checked, given, clock)


def inspected(
    change: Callable[[StandIn], object] = lambda _stand_in: None, *, mode: Mode = Mode.TEST,
    **chosen: Any,
) -> Inspection:  # fmt: skip
    """What a test of an account finds after ``change``; prices move while it looks."""
    clock = FakeClock()
    stand_in = stocked(clock.now)
    asked = options(stand_in, **chosen)
    change(stand_in)

    def pass_by(seconds: float) -> None:
        clock.advance(seconds)
        for symbol in stand_in.world.symbols.values():
            stand_in.world.set_price(symbol.name, symbol.price)

    connection = connect(
        access("mt5", clock, asked, mode), TerminalOptions.model_validate(asked),
        LocalTerminal(lambda: stand_in), sleep=pass_by,
    )  # fmt: skip
    return connection.inspect()


def check(found: Inspection, name: str) -> AccountCheck:
    return next(each for each in found.checks if each.name == name)


def buys(connection: VenueConnection) -> OrderState:
    request = OrderRequest(client_id="a", symbol="EURUSD", side=Side.BUY, quantity=Decimal(1000))
    return connection.broker.submit(request).state


# --- the venues ----------------------------------------------------------------------------------


def test_the_terminal_of_this_machine_is_opened_and_traded_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = FakeClock()
    stand_in = stocked(clock.now)
    monkeypatch.setitem(sys.modules, "MetaTrader5", stand_in)
    connection = find_adapters()["mt5"].open(access("mt5", clock, options(stand_in)))
    assert stand_in.called == []  # nothing before it is needed
    assert buys(connection) is OrderState.FILLED
    connection.close()


def test_elsewhere_than_on_windows_it_is_refused_when_it_is_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "MetaTrader5", None)
    monkeypatch.setattr(sys, "platform", "linux")
    clock = FakeClock()
    with pytest.raises(ConfigError, match="use the gateway"):
        find_adapters()["mt5"].open(access("mt5", clock, options(stocked(clock.now))))


def test_the_terminal_of_another_machine_is_opened_and_traded_on(tmp_path: Path) -> None:
    clock = FakeClock()
    stand_in = stocked(clock.now)
    with gateway(stand_in, tmp_path) as running:
        chosen = options(stand_in, gateway=running.url, ca_file=running.ca_file)
        connection = find_adapters()["mt5_gateway"].open(access("mt5_gateway", clock, chosen))
        assert buys(connection) is OrderState.FILLED
        assert connection.inspect().is_usable
        connection.close()


@pytest.mark.parametrize(
    ("venue", "wrong"),
    [
        ("mt5", {"login": 0}),
        ("mt5", {"server": ""}),
        ("mt5", {"server_zone": "Mars"}),
        ("mt5", {"magic": 0}),
        ("mt5", {"gateway": "https://192.0.2.1"}),
        ("mt5_gateway", {"gateway": "http://192.0.2.1:8443"}),
        ("mt5_gateway", {"gateway": "https://192.0.2.1", "fingerprint": "12"}),
    ],
)
def test_options_that_cannot_be_are_refused(venue: str, wrong: dict[str, Any]) -> None:
    chosen = options(stocked(FakeClock().now), **wrong)
    with pytest.raises(ValidationError):
        find_adapters()[venue].check_options(chosen)


def test_the_password_is_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    stand_in = stocked(clock.now)
    monkeypatch.setitem(sys.modules, "MetaTrader5", stand_in)
    stand_in.world.password = "another"
    given = access("mt5", clock, options(stand_in))
    connection = find_adapters()["mt5"].open(given)
    assert SECRET not in f"{given!r}{connection!r}{connection.inspect()!r}"


def test_without_a_password_the_one_that_the_terminal_saved_is_used() -> None:
    clock = FakeClock()
    stand_in = stocked(clock.now)
    chosen = options(stand_in)
    connection = connect(
        access("mt5", clock, chosen, secrets={}), TerminalOptions.model_validate(chosen),
        LocalTerminal(lambda: stand_in), sleep=lambda _s: None,
    )  # fmt: skip
    assert buys(connection) is OrderState.FILLED


# --- what a test of an account finds -------------------------------------------------------------


def test_an_account_that_is_well_is_usable_and_says_what_it_is() -> None:
    found = inspected()
    assert found.is_usable
    assert {each.grade for each in found.checks} == {Grade.OK}
    assert found.balances == {"USD": 10_000_000}
    assert found.can_withdraw is False
    assert found.clock_skew_s == 0
    assert "demo netting account in USD" in check(found, "Account").detail
    assert "UTC+2:00" in check(found, "Clock").detail
    assert "1000 EUR of EURUSD" in check(found, "Minimums").detail
    assert "5." in check(found, "Symbols").detail


def _real(stand_in: StandIn) -> None:
    stand_in.world.is_demo = False


def _state(**state: Any) -> Callable[[StandIn], object]:
    def change(stand_in: StandIn) -> None:
        stand_in.terminal = stand_in.terminal._replace(**state)

    return change


def _off(stand_in: StandIn) -> None:
    stand_in.is_running = False


def _investor(stand_in: StandIn) -> None:
    stand_in.may_trade = False


def _empty(stand_in: StandIn) -> None:
    stand_in.world.symbols.clear()


def _hedging(stand_in: StandIn) -> None:
    stand_in.world.is_hedging = True


@pytest.mark.parametrize(
    ("change", "name", "words"),
    [
        (_off, "Connection", "start it"),
        (_real, "Connection", "real account: add it in live mode"),
        (_hedging, "Connection", "hedging account: choose that"),
        (_state(trade_allowed=False), "Permissions", "Algo Trading"),
        (_state(tradeapi_disabled=True), "Permissions", "Python API"),
        (_state(connected=False), "Permissions", "log in again"),
        (_investor, "Permissions", "main password"),
        (_empty, "Symbols", "Market Watch"),
    ],
)
def test_what_stands_in_the_way_is_a_failed_check_with_advice(
    change: Callable[[StandIn], object], name: str, words: str
) -> None:
    found = inspected(change)
    failed = [each for each in found.checks if each.grade is Grade.FAILED]
    assert [each.name for each in failed] == [name]
    assert words in f"{failed[0].detail} {failed[0].advice}"
    assert failed[0].advice
    assert not found.is_usable


def test_a_demo_account_is_not_taken_for_a_live_one() -> None:
    assert "demo account: add it in test mode" in inspected(mode=Mode.LIVE).checks[0].detail
    assert inspected(_real, mode=Mode.LIVE).is_usable


def test_a_clock_that_is_off_is_said() -> None:
    def late(stand_in: StandIn) -> None:
        stand_in.world.ahead = lambda _now: timedelta(hours=2, seconds=-75)
        for symbol in stand_in.world.symbols.values():
            symbol.tick_ms = stand_in.world.server_ms()

    found = inspected(late)
    assert (check(found, "Clock").grade, found.clock_skew_s) == (Grade.WARNING, 75)
    assert "NTP" in check(found, "Clock").advice


def test_a_zone_that_prices_contradict_is_said() -> None:
    clock = check(inspected(server_zone="UTC+3"), "Clock")
    assert clock.grade is Grade.WARNING
    assert "UTC+2:00" in clock.detail


def test_while_no_price_moves_the_time_is_not_known_for_certain() -> None:
    clock = FakeClock()
    stand_in = stocked(clock.now)
    chosen = options(stand_in)
    connection = connect(
        access("mt5", clock, chosen), TerminalOptions.model_validate(chosen),
        LocalTerminal(lambda: stand_in), sleep=lambda _s: None,
    )  # fmt: skip
    found = connection.inspect()
    assert check(found, "Clock").grade is Grade.UNKNOWN
    assert found.clock_skew_s is None
    assert found.is_usable
