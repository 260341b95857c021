"""MetaTrader's comments and times: what is kept of an id, and what the server's clock says."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters.brokers.mt5 import codes
from engine.adapters.brokers.mt5.server_time import AUTO, NEW_YORK_CLOSE, ServerTime
from engine.adapters.brokers.mt5.tags import client_id_of, part_of, read_tag, tag_of
from engine.domain.orders import OrderState
from engine.errors import ConfigError
from engine.services.order_desk import client_id
from engine.services.order_outcomes import successor_id
from tests.fakes.clock import FakeClock
from tests.fakes.metatrader5 import CONSTANTS

KEPT = 27  # characters of a comment that brokers' servers keep at least
BOTS = st.text("0123456789abcdef", min_size=8, max_size=8)
MOMENTS = st.integers(10**9, 4 * 10**9).map(lambda epoch: datetime.fromtimestamp(epoch, UTC))


# --- tags ----------------------------------------------------------------------------------------


@given(BOTS, MOMENTS, st.sampled_from(["e", "x", "m12", "s3t", "x.7", "e.12"]))
def test_the_engine_s_ids_fit_a_comment_and_are_read_back(
    bot: str, moment: datetime, leg: str
) -> None:
    told = client_id(bot, moment, leg)
    comment = part_of(tag_of(told), 35, 35)
    assert len(comment) <= KEPT
    assert client_id_of(read_tag(comment).name) == told
    assert read_tag(comment)[1:] == (35, 35)


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=36))
def test_any_id_has_one_short_tag_of_its_own(told: str) -> None:
    tag = tag_of(told)
    assert len(part_of(tag, 2, 3)) <= KEPT
    assert tag.isascii()
    assert tag == tag_of(told)
    assert read_tag(tag).name == tag
    assert tag != tag_of(told + "x")


def test_a_successor_is_read_back_and_is_another_one() -> None:
    told = "qd-1a2b3c4d-1764123456-e"
    following = successor_id(told)
    assert client_id_of(tag_of(following)) == following
    assert tag_of(following) != tag_of(told)


def test_ids_that_do_not_fit_are_found_by_a_digest() -> None:
    long = "an-id-of-thirty-six-characters-in-al"
    assert len(long) == 36
    assert tag_of(long).startswith("#")
    assert tag_of(long) != tag_of(long[:-1])


# --- time ----------------------------------------------------------------------------------------


def _ms(*moment: int) -> int:
    """The server's wall clock, as it is told."""
    return int(datetime(*moment, tzinfo=UTC).timestamp() * 1000)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("zone", "server", "utc"),
    [
        (NEW_YORK_CLOSE, (2026, 1, 15, 12), (2026, 1, 15, 10)),
        (NEW_YORK_CLOSE, (2026, 7, 15, 12), (2026, 7, 15, 9)),
        (NEW_YORK_CLOSE, (2026, 3, 9, 0), (2026, 3, 8, 21)),
        ("UTC+2", (2026, 7, 15, 12), (2026, 7, 15, 10)),
        ("UTC-3:30", (2026, 7, 15, 12), (2026, 7, 15, 15, 30)),
        ("Europe/Athens", (2026, 3, 20, 12), (2026, 3, 20, 10)),
        ("Europe/Athens", (2026, 4, 1, 12), (2026, 4, 1, 9)),
    ],
)
def test_a_zone_turns_the_server_s_time_into_utc_and_back(
    zone: str, server: tuple[int, ...], utc: tuple[int, ...]
) -> None:
    time = ServerTime(zone, FakeClock())
    moment = datetime(*utc, tzinfo=UTC)  # type: ignore[arg-type, misc]
    assert time.to_utc(_ms(*server)) == moment
    assert time.to_server_s(moment) * 1000 == _ms(*server)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "UTC", "UTC+2:99", "", "../etc/passwd"])
def test_a_zone_that_nobody_knows_is_refused(zone: str) -> None:
    if zone == "UTC":  # is one
        assert ServerTime(zone, FakeClock()).offset == timedelta()
        return
    with pytest.raises(ConfigError, match="is no time zone"):
        ServerTime(zone, FakeClock())


def _heard(time: ServerTime, clock: FakeClock, ahead: timedelta) -> None:
    """Two ticks, a second apart."""
    for _ in range(2):
        clock.advance(1)
        time.hear("EURUSD", int((clock.now() + ahead).timestamp() * 1000))


@pytest.mark.parametrize("hours", [-5, 0, 1, 2, 3, 5.5])
def test_prices_that_move_tell_the_offset(hours: float) -> None:
    clock = FakeClock()
    time, ahead = ServerTime(AUTO, clock), timedelta(hours=hours)
    _heard(time, clock, ahead - timedelta(seconds=7))
    assert time.offset == time.measured == ahead
    assert time.lag == timedelta(seconds=7)
    assert time.agrees


class GoingClock(FakeClock):
    """Goes on between two looks, as every real one does."""

    def now(self) -> datetime:
        self.advance(0.000_001)
        return super().now()


def test_the_offset_is_of_whole_hours_while_the_clock_goes_on() -> None:
    clock = GoingClock()
    time = ServerTime(AUTO, clock)
    _heard(time, clock, timedelta(hours=2))
    assert time.offset == time.measured == timedelta(hours=2)
    assert time.agrees


def test_the_last_price_of_a_closed_market_tells_nothing() -> None:
    clock = FakeClock()
    time = ServerTime(AUTO, clock)
    for _ in range(3):
        time.hear("EURUSD", _ms(2026, 2, 28, 0))
    assert time.measured is None
    assert time.offset == timedelta(hours=2)


def test_row_20_a_clock_that_is_far_off_does_not_become_an_offset() -> None:
    clock = FakeClock()
    time = ServerTime("UTC+2", clock)
    _heard(time, clock, timedelta(hours=2, minutes=12))
    assert time.measured is None
    _heard(time, clock, timedelta(hours=3))
    assert time.offset == timedelta(hours=2)
    assert not time.agrees


def test_row_21_a_change_of_the_server_s_clock_is_followed() -> None:
    """European rules: in the last week of March the server moves, and New York moved before."""
    clock = FakeClock(datetime(2026, 3, 20, 12, tzinfo=UTC))
    time = ServerTime(AUTO, clock)
    _heard(time, clock, timedelta(hours=2))
    assert time.offset == timedelta(hours=2)
    clock.current = datetime(2026, 3, 30, 12, tzinfo=UTC)
    _heard(time, clock, timedelta(hours=3))
    assert time.offset == timedelta(hours=3)


def test_row_21_new_york_close_moves_by_itself_with_the_american_change() -> None:
    clock = FakeClock(datetime(2026, 3, 6, 21, 30, tzinfo=UTC))
    time = ServerTime(AUTO, clock)
    _heard(time, clock, timedelta(hours=2))
    clock.current = datetime(2026, 3, 8, 21, 30, tzinfo=UTC)  # before the first price of the week
    assert time.offset == timedelta(hours=3)
    assert time.to_utc(_ms(2026, 3, 6, 23)) == datetime(2026, 3, 6, 21, tzinfo=UTC)


# --- codes ---------------------------------------------------------------------------------------


def test_our_numbers_are_the_package_s() -> None:
    named = {
        "TRADE_ACTION_DEAL": codes.DEAL,
        "TRADE_ACTION_PENDING": codes.PENDING,
        "TRADE_ACTION_REMOVE": codes.REMOVE,
        "TRADE_RETCODE_PLACED": codes.PLACED,
        "TRADE_RETCODE_DONE": codes.DONE,
        "TRADE_RETCODE_DONE_PARTIAL": codes.DONE_PARTIAL,
        "ACCOUNT_MARGIN_MODE_RETAIL_HEDGING": codes.HEDGING,
        "ACCOUNT_TRADE_MODE_REAL": codes.REAL,
        "RES_E_AUTH_FAILED": codes.AUTH_FAILED,
        "RES_E_INVALID_PARAMS": codes.INVALID_PARAMS,
        "RES_E_AUTO_TRADING_DISABLED": codes.TRADING_OFF,
        "ORDER_TIME_DAY": codes.LAST_DAY,
        "TIMEFRAME_M30": codes.TIMEFRAMES["30m"],
        "TIMEFRAME_H1": codes.TIMEFRAMES["1h"],
    }
    assert {name: CONSTANTS[name] for name in named} == named
    for (kind, side), number in codes.ORDER_TYPES.items():
        name = f"ORDER_TYPE_{side.value.upper()}_{kind.value.upper()}"
        assert CONSTANTS[name.removesuffix("_MARKET")] == number
    for name, state in {
        "PLACED": OrderState.OPEN, "CANCELED": OrderState.CANCELLED, "FILLED": OrderState.FILLED,
        "PARTIAL": OrderState.PARTLY_FILLED, "REJECTED": OrderState.REJECTED,
        "EXPIRED": OrderState.EXPIRED,
    }.items():  # fmt: skip
        assert codes.STATES[CONSTANTS[f"ORDER_STATE_{name}"]] is state


@pytest.mark.parametrize("code", [10007, 10011, 10012, 10023, 10028, 10031, 10099])
def test_what_is_not_on_the_list_of_refusals_is_unknown(code: int) -> None:
    assert codes.judge(code).verdict is codes.Verdict.UNKNOWN


def test_no_accepted_code_is_a_refusal() -> None:
    verdicts = {codes.judge(code).verdict for code in codes.ACCEPTED}
    assert verdicts == {codes.Verdict.UNKNOWN}
