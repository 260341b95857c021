"""Fault matrix, rows 21, 22 and 26: calendars, bad candles and a cut network, through ccxt itself
against a loopback exchange and through a running engine."""

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from engine.adapters.clock.system import SystemClock
from engine.adapters.market_data.ccxt_public import CcxtPublicMarket
from engine.domain.bots import ActiveHours
from engine.domain.candles import Candles, resample
from engine.domain.money import to_epoch_ms
from engine.domain.sleep import is_awake_by_hours
from engine.domain.timeframes import SECONDS, floor_time
from engine.errors import ConfigError, DataError
from engine.jobs import Scheduler
from engine.links.candle_files import read_candle_file
from engine.services.candle_feed import CandleFeed
from engine.services.lanes import Lanes
from engine.services.pulse import next_multiple
from panel import format as shown
from tests.fakes.binance_public import BinancePublic, Kline, binance_public
from tests.fakes.clock import FakeClock
from tests.fakes.strategy_files import write_strategy
from tests.support.books import check_ledger, rows
from tests.support.client import Client, eventually
from tests.support.faulty_engine import Faulty, faulty_engine

MINUTE_MS = 60_000
SECOND = timedelta(seconds=1)


# --- row 21: calendars ---------------------------------------------------------------------------

CHANGES = {
    "Europe/Berlin": (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)),
    "America/New_York": (datetime(2026, 3, 8, 7, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC)),
    "Australia/Lord_Howe": (datetime(2026, 4, 4, 15, tzinfo=UTC),),  # by half an hour
    "UTC": (datetime(2028, 2, 29, tzinfo=UTC), datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
}
"""When the clocks of a zone change; a leap day and the last leap second."""


@pytest.fixture(params=CHANGES)
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """The machine stands in this time zone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


def test_row_21_candles_and_checks_stand_where_they_stood_whatever_the_local_clock_does(
    zone: str,
) -> None:
    for change in CHANGES[zone]:
        for quarter in range(-8, 9):
            moment = change + timedelta(minutes=15 * quarter, seconds=7)
            for local in (moment, moment.astimezone(ZoneInfo(zone))):
                epoch = int(moment.timestamp())
                for seconds in SECONDS.values():
                    assert floor_time(local, seconds).timestamp() == epoch - epoch % seconds
                    assert next_multiple(local, seconds) - floor_time(local, seconds) == timedelta(
                        seconds=seconds
                    )
                assert shown.moment(local) == f"{moment:%Y-%m-%d %H:%M:%S}"


def test_row_21_a_bots_checks_are_as_far_apart_on_the_day_the_clocks_change(zone: str) -> None:
    for change in CHANGES[zone]:
        clock = FakeClock(change - timedelta(hours=3))
        trigger = Scheduler(clock, lambda *_: None, lambda _: None)._trigger(900)
        fired = [clock.now()]
        for _ in range(24):
            fired.append(trigger.get_next_fire_time(None, fired[-1] + SECOND))
        apart = {int(span.total_seconds()) for span in np.diff(np.array(fired[1:]))}
        assert apart == {900}


def test_row_21_active_hours_are_eight_hours_on_every_night(zone: str) -> None:
    nightly = ActiveHours.model_validate({"start": "22:00", "end": "06:00"})
    for change in CHANGES[zone]:
        noon = change.replace(hour=12, minute=0, second=0) - timedelta(days=1)
        moments = [noon + timedelta(minutes=15 * quarter) for quarter in range(96)]
        awake = [moment for moment in moments if is_awake_by_hours(nightly, moment)]
        assert len(awake) == 32
        assert (awake[0].hour, awake[-1].hour) == (22, 5)


def test_row_21_a_leap_day_is_a_day(tmp_path: Path) -> None:
    first = datetime(2028, 2, 27, tzinfo=UTC)
    opened = [first + timedelta(hours=hour) for hour in range(4 * 24)]
    days = resample(read_candle_file(candle_file(tmp_path, opened)).candles, "1d")
    assert [moment.day for moment in times(days)] == [27, 28, 29, 1]


def test_row_21_local_times_with_their_offset_are_read_through_the_change(tmp_path: Path) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    first = datetime(2026, 10, 24, 22, tzinfo=UTC)
    opened = [(first + timedelta(hours=hour)).astimezone(berlin) for hour in range(26)]
    candles = read_candle_file(candle_file(tmp_path, opened)).candles
    assert (np.diff(candles.time) == 3_600_000).all(), "the hour from 2 to 3 is there twice"
    without_offset = [moment.replace(tzinfo=None) for moment in opened]
    with pytest.raises(ConfigError, match="the timestamp is that of the row before in line 5"):
        read_candle_file(candle_file(tmp_path, without_offset))


def test_row_21_a_leap_second_is_refused_with_its_line(tmp_path: Path) -> None:
    path = candle_file(tmp_path, [datetime(2016, 12, 31, 23, minute, tzinfo=UTC) for minute in
                                  range(60)])  # fmt: skip
    path.write_text(path.read_text("utf-8").replace("T23:59:00", "T23:59:60"), "utf-8")
    with pytest.raises(ConfigError, match=r"23:59:60.* is not a time in line 61"):
        read_candle_file(path)


def candle_file(folder: Path, opened: list[datetime]) -> Path:
    """A file of ABC/USDT with a candle at each of these times."""
    path = folder / "ABC-USDT.csv"
    lines = [f"{moment.isoformat()},100,101,99,100.01,1000000" for moment in opened]
    path.write_text("\n".join(["timestamp,open,high,low,close,volume", *lines]), "utf-8")
    return path


def times(candles: Candles) -> list[datetime]:
    """When each candle opened."""
    return [datetime.fromtimestamp(ms / 1000, UTC) for ms in candles.time.tolist()]


# --- row 22: candles that must not be decided on -------------------------------------------------


@pytest.fixture
def server() -> Iterator[BinancePublic]:
    with binance_public() as server:
        yield server


def asked(server: BinancePublic, limit: int = 30) -> tuple[Candles, CcxtPublicMarket]:
    """What the engine is given of one-minute candles, and the market that gave them."""
    market = CcxtPublicMarket("ccxt:binance", SystemClock(), base_url=server.url, timeout_ms=400)
    market.instruments()
    lanes = Lanes()
    try:
        candles = asyncio.run(CandleFeed(lanes).candles(market, "BTC/USDT", "1m", limit))
    finally:
        lanes.close()
    return candles, market


def with_price(row: Kline, price: object) -> Kline:
    """The same kline with another close."""
    return [*row[:4], price, *row[5:]]


REFUSED: dict[str, tuple[Callable[[list[Kline]], list[Kline]], str]] = {
    "late": (lambda rows: rows[:-4], "The newest 1m candle is"),
    "none": (lambda _: [], "no candles"),
    "duplicate": (lambda rows: [row for row in rows for _ in range(2)], "not in order"),
    "off_grid": (
        lambda rows: [[row[0] + 7000, *row[1:]] for row in rows],
        "on whole 1m|not finished yet",
    ),
    "without_price": (lambda rows: [*rows[:-3], with_price(rows[-3], None), *rows[-2:]], "candles"),
    "price_of_zero": (lambda rows: [with_price(row, "0.0") for row in rows], "without prices"),
    "not_a_number": (lambda rows: [with_price(row, "NaN") for row in rows], "candles"),
    "short_rows": (lambda rows: [row[:3] for row in rows], "candles|cannot be read"),
}
"""What the exchange makes of its klines, and what is said of them."""


@pytest.mark.parametrize("name", REFUSED)
def test_row_22_candles_that_are_late_double_or_askew_are_refused(
    server: BinancePublic, name: str
) -> None:
    server.edit, words = REFUSED[name]
    with pytest.raises(DataError, match=words):
        asked(server)
    server.edit = list
    assert len(asked(server)[0]) == 30


def test_row_22_the_unfinished_candle_is_never_given(server: BinancePublic) -> None:
    server.edit = lambda rows: [*rows, [rows[-1][0] + MINUTE_MS, *rows[-1][1:]]]
    candles, market = asked(server)
    newest = to_epoch_ms(market.now()) // MINUTE_MS * MINUTE_MS - MINUTE_MS
    assert int(candles.time[-1]) == newest


def test_row_22_candles_before_a_gap_are_not_given(server: BinancePublic) -> None:
    newest = int(time.time()) // 60 * MINUTE_MS - MINUTE_MS
    server.missing = {newest - 10 * MINUTE_MS}
    candles, _ = asked(server)
    assert len(candles) in (10, 11), "a minute may just have passed"
    assert (np.diff(candles.time) == MINUTE_MS).all()


def test_row_22_candles_in_a_wrong_order_are_put_right_or_refused(server: BinancePublic) -> None:
    server.edit = lambda rows: rows[::-1]
    try:
        candles, _ = asked(server)
    except DataError as refused:
        assert "order" in refused.message
    else:
        assert (np.diff(candles.time) == MINUTE_MS).all()


# --- rows 21, 22 and 26 through the engine -------------------------------------------------------


class Deck(NamedTuple):
    """A running engine whose exchange is the test's, and a bot on it that trades all the time."""

    faulty: Faulty
    client: Client
    exchange: BinancePublic
    bot_id: str

    def decided(self) -> list[int]:
        """Open times (ms) of decided candles."""
        found = rows(self.faulty.copy.place.data,
                     "SELECT candle_time FROM decisions WHERE bot_id = ?", self.bot_id)  # fmt: skip
        return [to_epoch_ms(datetime.fromisoformat(row["candle_time"])) for row in found]

    def wait_for_decisions(self, more: int = 3) -> None:
        """Wait until so many more candles are decided."""
        before = len(self.decided())
        eventually(self.decided, lambda found: len(found) >= before + more)

    def wait_for_reason(self, words: str) -> None:
        """Wait until the bot says so."""
        eventually(lambda: self.client.bot(self.bot_id)["reason"], lambda reason: words in reason)


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deck]:
    folder = tmp_path_factory.mktemp("data") / "strategies"
    folder.mkdir()
    write_strategy(folder, "busy", act="above = candles.time // 1000 % 4 < 2")
    with (
        binance_public() as exchange,
        faulty_engine(
            folder.parent / "data",
            FAULTY_EXCHANGE_URL=exchange.url,
            QUARTERDECK_STRATEGIES=str(folder),
        ) as faulty,
    ):
        faulty.copy.start_engine()
        client = Client(faulty.copy)
        bot = client.create_bot(name="busy", market="ccxt:binance", strategy="busy", params={})
        client.post(f"/bots/{bot['id']}/start")
        deck = Deck(faulty, client, exchange, bot["id"])
        deck.wait_for_decisions()
        yield deck


def test_row_22_no_bot_decides_on_bad_candles_and_each_goes_on_with_good_ones(deck: Deck) -> None:
    edits = {
        "on whole 1s": lambda rows: [[row[0] - 300, *row[1:]] for row in rows],
        "not in order": lambda rows: [*rows[:-1], *rows[-2:]],
        "s old": lambda rows: [row for row in rows if row[0] < (time.time() - 5) * 1000],
    }
    for words, edit in edits.items():
        deck.exchange.edit = edit
        deck.wait_for_reason(words)
        before = len(deck.decided())
        time.sleep(2)
        assert len(deck.decided()) == before, words
        deck.exchange.edit = list
        deck.wait_for_decisions()
        deck.wait_for_reason("")
    found = deck.decided()
    assert len(set(found)) == len(found)
    assert not any(opened % 1000 for opened in found)


@pytest.mark.parametrize("outage", ["cut", "timeout", "junk", "500", "429"])
def test_row_26_a_cut_network_is_said_and_survived(deck: Deck, outage: str) -> None:
    other = deck.client.create_bot(
        name=f"beside {outage}", market="simulated", strategy="busy", params={}
    )
    deck.client.post(f"/bots/{other['id']}/start")
    deck.client.wait_for_state(other["id"], "running")
    deck.exchange.outage = outage
    deck.wait_for_reason("binance")
    beside = Deck(deck.faulty, deck.client, deck.exchange, other["id"])
    before = len(deck.decided())
    beside.wait_for_decisions()
    assert len(deck.decided()) == before
    assert deck.client.bot(deck.bot_id)["state"] == "running"
    deck.exchange.outage = ""
    deck.wait_for_decisions()
    assert len(set(deck.decided())) == len(deck.decided())
    deck.client.post(f"/bots/{other['id']}/stop", {"close_position": True})


def test_row_26_the_books_of_the_cut_off_bot_add_up(deck: Deck) -> None:
    check_ledger(deck.client, deck.bot_id)


def test_row_21_half_days_and_holidays_are_played_as_they_were(deck: Deck, tmp_path: Path) -> None:
    """Hours of a stock: a whole day, a half one, a holiday, a whole day."""
    days = {24: 7, 25: 0, 26: 0, 27: 4, 30: 7}  # November 2026: Thanksgiving and what follows
    opened = [
        datetime(2026, 11, day, 14 + hour, tzinfo=UTC)
        for day, hours in days.items() for hour in range(hours)
    ]  # fmt: skip
    path = candle_file(tmp_path, opened)
    bot = deck.client.create_bot(
        name="holidays", market=f"replay:{path}", symbol="ABC/USDT", strategy="busy", params={},
        timeframe="1h",
    )  # fmt: skip
    deck.client.post(f"/bots/{bot['id']}/start")
    deck.client.wait_for_state(bot["id"], "stopped", timeout_s=60)
    played = Deck(deck.faulty, deck.client, deck.exchange, bot["id"]).decided()
    assert sorted(played) == [to_epoch_ms(moment) for moment in opened]
