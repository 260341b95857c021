"""How an account at Zerodha is set up: options, the login of the day, what a test of it says."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from engine.adapters.brokers.venues import find_adapters
from engine.adapters.brokers.zerodha.login import session_end
from engine.adapters.brokers.zerodha.options import LOGIN_URL, URL
from engine.domain.orders import OrderRequest, OrderState, Side
from engine.domain.venue_accounts import AccountCheck, Grade, Mode
from engine.errors import AccessDenied, BrokerUnavailable, ConfigError
from engine.ports import AccountAccess
from tests.contract.kite_venue import NOON, SYMBOL
from tests.fakes.clock import FakeClock
from tests.fakes.kite import API_KEY, API_SECRET, Kite, kite_server
from tests.fakes.kite.kite import REQUEST_TOKEN

ADAPTER = find_adapters()["zerodha"]
SECRETS = {"api_key": API_KEY, "api_secret": API_SECRET}
LOG_IN = "log in again on the Accounts page"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def kite(clock: FakeClock) -> Iterator[Kite]:
    with kite_server(clock.now) as kite:
        yield kite


def access(
    kite: Kite, clock: FakeClock, *, is_logged_in: bool = True, **more: Any
) -> AccountAccess:
    """A test account at the loopback, as the registry opens it."""
    options = ADAPTER.check_options({"address": kite.url, **more.pop("options", {})})
    secrets = SECRETS | ({"access_token": kite.token} if is_logged_in else {})
    fields: dict[str, Any] = {"mode": Mode.TEST, "options": options, "secrets": secrets} | more
    return AccountAccess("test:z", "account:z", clock=clock, **fields)


# --- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "http://api.kite.trade", "https://api.kite.trade.example.com", "https://example.com",
        "http://192.168.1.5:8000", "https://user@api.kite.trade", "https://api.kite.trade/x", "",
        "https://127.0.0.1", "file:///etc/passwd",
    ],
)  # fmt: skip
def test_secrets_go_to_kite_or_to_this_machine_and_nowhere_else(address: str) -> None:
    with pytest.raises(ValidationError, match=rf"must be {re.escape(URL)}"):
        ADAPTER.check_options({"address": address})


@pytest.mark.parametrize("address", ["http://127.0.0.1:9000", "http://localhost:1", URL, f"{URL}/"])
def test_kites_address_and_a_stand_ins_are_taken(address: str) -> None:
    told = ADAPTER.check_options({"address": address}).model_dump()["address"]
    assert told == address.rstrip("/")


@pytest.mark.parametrize(
    "wrong",
    [{"market_protection": 0}, {"market_protection": 101}, {"product": "NRML"},
     {"exchange": "NFO"}, {"something": 1}],
)  # fmt: skip
def test_options_that_kite_has_not_got_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.check_options(wrong)


def test_there_is_no_test_environment_but_a_stand_in(kite: Kite, clock: FakeClock) -> None:
    with pytest.raises(ConfigError, match="no test environment"):
        ADAPTER.open(access(kite, clock, mode=Mode.LIVE))
    with pytest.raises(ConfigError, match="trades real money"):
        ADAPTER.open(access(kite, clock, options={"address": URL}))


# --- the login ------------------------------------------------------------------------------------


def test_a_login_makes_an_account_that_trades(kite: Kite, clock: FakeClock) -> None:
    before = access(kite, clock, is_logged_in=False)
    with pytest.raises(AccessDenied, match=f"nobody has logged in today: {LOG_IN}"):
        ADAPTER.open(before).broker.balances()
    assert ADAPTER.login is not None
    session = ADAPTER.login.complete(
        before,
        f"http://127.0.0.1:8501/accounts?action=login&status=success&request_token={REQUEST_TOKEN}",
    )
    opened = ADAPTER.open(access(kite, clock, secrets=SECRETS | dict(session.secrets)))
    request = OrderRequest(client_id="a", symbol=SYMBOL, side=Side.BUY, quantity=Decimal(10))
    assert opened.broker.submit(request).state is OrderState.FILLED
    assert session.expires_at == datetime(2026, 3, 3, 0, 30, tzinfo=UTC)
    assert kite.token not in repr(session)
    assert API_SECRET not in repr(before)


def test_the_bare_token_is_an_answer_too(kite: Kite, clock: FakeClock) -> None:
    assert ADAPTER.login is not None
    answer = f"  {REQUEST_TOKEN}\n"
    session = ADAPTER.login.complete(access(kite, clock, is_logged_in=False), answer)
    assert session.secrets["access_token"] == kite.token


def test_the_login_page_is_kites_for_the_key(kite: Kite, clock: FakeClock) -> None:
    assert ADAPTER.login is not None
    at_stand_in = ADAPTER.login.url(access(kite, clock))
    assert at_stand_in == f"{kite.url}/connect/login?api_key={API_KEY}&v=3"
    live = access(kite, clock, options={"address": URL}, mode=Mode.LIVE)
    assert ADAPTER.login.url(live) == f"{LOGIN_URL}?api_key={API_KEY}&v=3"


@pytest.mark.parametrize(
    "answer",
    ["", "http://127.0.0.1/?status=success", "http://127.0.0.1/?request_token=<script>",
     "no token here", "http://127.0.0.1/?status=cancelled&request_token=abcdefghijkl"],
)  # fmt: skip
def test_what_is_no_answer_is_refused_before_anything_is_sent(
    kite: Kite, clock: FakeClock, answer: str
) -> None:
    assert ADAPTER.login is not None
    with pytest.raises(ConfigError, match="open the login page again"):
        ADAPTER.login.complete(access(kite, clock), answer)
    assert kite.requests == []


def test_a_token_holds_once_and_a_wrong_secret_never(kite: Kite, clock: FakeClock) -> None:
    assert ADAPTER.login is not None
    ADAPTER.login.complete(access(kite, clock), REQUEST_TOKEN)
    with pytest.raises(AccessDenied, match="only once"):
        ADAPTER.login.complete(access(kite, clock), REQUEST_TOKEN)
    kite.request_tokens.add(REQUEST_TOKEN)
    wrong = access(kite, clock, secrets={"api_key": API_KEY, "api_secret": "wrong"})
    with pytest.raises(AccessDenied, match="compare API key and secret") as told:
        ADAPTER.login.complete(wrong, REQUEST_TOKEN)
    assert REQUEST_TOKEN not in str(told.value)


@pytest.mark.parametrize("fault", ["null", "junk_after_accept", "cut"])
def test_a_login_without_a_readable_answer_can_be_tried_again(
    kite: Kite, clock: FakeClock, fault: str
) -> None:
    assert ADAPTER.login is not None
    kite.token = "" if fault == "null" else kite.token
    kite.fault(fault, on="POST /session/token")
    with pytest.raises(BrokerUnavailable):
        ADAPTER.login.complete(access(kite, clock), REQUEST_TOKEN)


@pytest.mark.parametrize(
    ("local", "hours"),
    [("2026-03-02T05:59:00", 1 / 60), ("2026-03-02T06:00:00", 24), ("2026-03-02T12:30:00", 17.5),
     ("2024-02-29T23:00:00", 7)],
)  # fmt: skip
def test_a_session_ends_at_the_next_six_in_india(local: str, hours: float) -> None:
    moment = datetime.fromisoformat(f"{local}+05:30")
    assert session_end(moment) - moment == timedelta(hours=hours)


# --- what a test of the account says --------------------------------------------------------------


def inspected(kite: Kite, clock: FakeClock, **more: Any) -> dict[str, AccountCheck]:
    inspection = ADAPTER.open(access(kite, clock, **more)).inspect()
    return {check.name: check for check in inspection.checks}


def test_a_good_account_is_usable_and_cannot_withdraw(kite: Kite, clock: FakeClock) -> None:
    inspection = ADAPTER.open(access(kite, clock)).inspect()
    assert inspection.is_usable
    assert inspection.can_withdraw is False
    assert inspection.balances == {"INR": kite.cash}
    assert inspection.clock_skew_s is not None
    assert abs(inspection.clock_skew_s) <= 2
    checks = {check.name: check for check in inspection.checks}
    assert "03 March, 06:00 in India" in checks["Login"].detail
    assert "developers.kite.trade" in checks["Registered address"].advice
    assert {check.grade for check in inspection.checks} == {Grade.OK, Grade.UNKNOWN}


def test_an_account_without_a_login_is_not_usable_and_says_what_to_do(
    kite: Kite, clock: FakeClock
) -> None:
    inspection = ADAPTER.open(access(kite, clock, is_logged_in=False)).inspect()
    assert not inspection.is_usable
    failed = [check for check in inspection.checks if check.grade is Grade.FAILED]
    assert {check.name for check in failed} == {
        "Login", "Permissions", "Balance", "Minimums", "Prices",
    }  # fmt: skip
    assert all(check.advice for check in failed)
    assert kite.requests == []


def test_a_product_that_the_account_may_not_use_fails(kite: Kite, clock: FakeClock) -> None:
    kite.products = ["CNC"]
    check = inspected(kite, clock, options={"product": "MIS"})["Permissions"]
    assert (check.grade, check.detail) == (Grade.FAILED, "The account may not use MIS.")


def test_a_free_app_has_no_prices_and_it_is_said(kite: Kite, clock: FakeClock) -> None:
    told = "403 PermissionException Insufficient permission for that call."
    kite.fault("error", on="GET /quote", value=told)
    check = inspected(kite, clock)["Prices"]
    assert check.grade is Grade.FAILED
    assert "Insufficient permission" in check.detail
    assert "paid app" in check.advice


def test_a_clock_that_is_off_is_a_warning(kite: Kite, clock: FakeClock) -> None:
    kite.fault("clock_skew", value="-120")
    check = inspected(kite, clock)["Clock"]
    assert check.grade is Grade.WARNING
    assert "off Kite's by +120 s" in check.detail
    assert "NTP" in check.advice


def test_an_empty_account_is_a_warning(kite: Kite, clock: FakeClock) -> None:
    kite.cash *= 0
    assert inspected(kite, clock)["Balance"].grade is Grade.WARNING


@pytest.mark.parametrize("fault", ["cut", "null", "html"])
def test_a_kite_that_does_not_answer_fails_checks_and_raises_nothing(
    kite: Kite, clock: FakeClock, fault: str
) -> None:
    kite.fault(fault, on="GET", times=100)
    checks = inspected(kite, clock)
    assert checks["Balance"].grade is Grade.FAILED
    assert checks["Balance"].advice
