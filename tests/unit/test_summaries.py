"""Summaries: by the clock of a person's zone, each once, short enough for an SMS."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from zoneinfo import ZoneInfo

import pytest

from engine.domain.alerts import Alert
from engine.domain.amount_words import exactly, lasting, percent, shown, signed
from engine.domain.bots import BotState
from engine.domain.periods import PeriodKind, last_period
from engine.domain.records import Level
from engine.domain.summaries import FIRST_LINE, Facts, Money, OpenPosition, summary_text
from engine.services.candle_feed import PriceBoard
from engine.services.instrument_book import InstrumentBook
from engine.services.summaries import Summaries
from engine.services.tell_start import tell_start
from engine.services.track_equity import EquityKeeper
from tests.unit.conftest import Room

BERLIN = ZoneInfo("Europe/Berlin")
QUARTER, DAY, WEEK = PeriodKind


def at(words: str) -> datetime:
    """A UTC time."""
    return datetime.fromisoformat(words).replace(tzinfo=UTC)


# --- periods --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "now", "name", "start", "hours"),
    [
        (QUARTER, "2026-11-26T11:00", "2026-11-26T12", "2026-11-26T05:00", 6),
        (QUARTER, "2026-11-26T10:59:59", "2026-11-26T06", "2026-11-25T23:00", 6),
        (QUARTER, "2026-11-25T23:00", "2026-11-26T00", "2026-11-25T17:00", 6),
        (DAY, "2026-11-26T11:00", "2026-11-26", "2026-11-24T23:00", 24),
        (WEEK, "2026-11-26T11:00", "2026-11-23", "2026-11-15T23:00", 168),
        # Clocks go forward on 29 March at 1:00 UTC, and back on 25 October.
        (QUARTER, "2026-03-29T04:00", "2026-03-29T06", "2026-03-28T23:00", 5),
        (QUARTER, "2026-10-25T05:00", "2026-10-25T06", "2026-10-24T22:00", 7),
        (DAY, "2026-03-30T00:00", "2026-03-30", "2026-03-28T23:00", 23),
        (DAY, "2026-10-26T00:00", "2026-10-26", "2026-10-24T22:00", 25),
        (WEEK, "2026-03-30T00:00", "2026-03-30", "2026-03-22T23:00", 167),
    ],
)
def test_periods_are_those_of_the_clock_on_the_wall(
    kind: PeriodKind, now: str, name: str, start: str, hours: int
) -> None:
    period = last_period(kind, at(now), BERLIN)
    assert (period.name, period.start) == (name, at(start))
    assert period.end - period.start == timedelta(hours=hours)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Havana", "Asia/Kathmandu"])
def test_periods_follow_one_another_without_a_gap_for_a_year(zone: str) -> None:
    """Havana's clocks change at midnight, Kathmandu is a quarter of an hour off."""
    now, ends = at("2026-01-01T00:00"), dict[PeriodKind, datetime]()
    names = set[tuple[PeriodKind, str]]()
    for _ in range(366 * 24):
        now += timedelta(hours=1)
        for kind in PeriodKind:
            period = last_period(kind, now, ZoneInfo(zone))
            assert period.end <= now
            if (kind, period.name) in names:
                continue
            names.add((kind, period.name))
            assert period.start == ends.get(kind, period.start)
            ends[kind] = period.end
    assert len(names) >= 366 * 5 + 50


# --- words ----------------------------------------------------------------------------------------


def test_amounts_are_short_and_prices_whole() -> None:
    assert [shown(D(one)) for one in ("0", "1234.567", "-0.5", "0.000123456", "1000000")] == [
        "0", "1,234.57", "-0.5", "0.0001235", "1,000,000",
    ]  # fmt: skip
    assert (signed(D("12.3")), signed(D("-12.3")), signed(D(0))) == ("+12.3", "-12.3", "0")
    assert (exactly(D("64000.10")), exactly(D("-0.00001"))) == ("64,000.1", "-0.00001")
    assert (percent(D("0.0123")), percent(D("-0.5"))) == ("+1.23%", "-50%")
    spans = {59: "59 s", 3599: "59 min", 7500: "2 h 5 min", 86_400: "1 d", 100_000: "1 d 3 h"}
    assert {s: lasting(timedelta(seconds=s)) for s in spans} == spans


def facts(kind: PeriodKind, positions: int, *, money: Sequence[Money] | None = None) -> Facts:
    """Of 50 bots with so many positions."""
    own = money or [Money("USDT", D("50120.55"), D("120.55"), D("98.1"), D("3.2"), 5, 2)]
    held = [OpenPosition(f"bot {n}", "BTC/USDT", "USDT", D(n) - D(20)) for n in range(positions)]
    states = {BotState.RUNNING: 48, BotState.FAULTED: 2}
    return Facts(last_period(kind, at("2026-11-26T12:00"), ZoneInfo("UTC")), own, held, states,
                 2, 3, is_late=False)  # fmt: skip


def test_a_summary_says_what_matters_first() -> None:
    assert summary_text(facts(QUARTER, 2)).split("\n") == [
        "2026-11-26 06-12h: 50,120.55 USDT, +120.55 (+0.24%); 48 of 50 bots run, 2 faulted",
        "USDT: 5 won, 2 lost, realised +98.1, fees 3.2.",
        "Alerts: errors 2, warnings 3.",
        "2 open: bot 0 BTC/USDT -20, bot 1 BTC/USDT -19",
    ]


@pytest.mark.parametrize("positions", [0, 1, 7, 50])
def test_the_six_hour_summary_fits_into_two_segments(positions: int) -> None:
    many = [Money(f"A{n}", D("1234567.89"), D("-12345.67"), D("-999.5"), D(3), 50, 20)
            for n in range(6)]  # fmt: skip
    for money in (None, many):
        text = summary_text(facts(QUARTER, positions, money=money))
        assert len(text) <= 280
        assert len(text.split("\n")[0]) <= FIRST_LINE
        assert text.isascii()
    assert f"{positions} open:" in summary_text(facts(DAY, positions)) or positions == 0


def test_without_bots_there_is_still_a_line() -> None:
    period = last_period(WEEK, at("2026-11-26T12:00"), ZoneInfo("UTC"))
    text = summary_text(Facts(period, [], [], {}, 0, 0, is_late=True))
    assert text.startswith("week of 2026-11-16, late: no bots run; there are none.\nNo trouble.")


# --- when they come -------------------------------------------------------------------------------


class Reader:
    """Summaries over the room, read by somebody in UTC; it is Monday, 12:00."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.restart()

    def restart(self) -> None:
        """After a crash."""
        room = self.room
        room.restart()
        self.prices, book = PriceBoard(), InstrumentBook(room.store)
        self.equity = EquityKeeper(room.books, self.prices, book, room.venues)
        self.equity.load()
        zone = ZoneInfo("UTC")
        self.summaries = Summaries(room.books, self.equity, book, room.venues, zone)
        tell_start(room.books)

    def look(self, hours: float = 0, price: str = "100") -> None:
        """After so many hours."""
        self.room.clock.advance(hours * 3600)
        quote = self.room.market.quote("BTC/USDT").model_copy(update={"last": D(price)})
        self.prices.put("simulated", quote)
        self.equity.sample()
        self.summaries.tell_due()

    def told(self) -> list[Alert]:
        """Summaries so far."""
        with self.room.store.reading() as tx:
            return [one for one in tx.alerts.select() if one.id.startswith("summary")]


@pytest.fixture
def reader(room: Room) -> Reader:
    """Since just now."""
    return Reader(room)


def test_nothing_is_told_of_the_time_before_the_first_start(reader: Reader) -> None:
    reader.look()
    reader.look(5.9)
    assert reader.told() == []
    reader.look(0.1)
    assert [one.id for one in reader.told()] == ["summary_6h-2026-03-02T18"]


def test_each_is_told_once_over_crashes_and_a_missed_one_is_late(reader: Reader) -> None:
    for _ in range(13):
        reader.look(1)
        reader.restart()
        reader.look()
    assert [one.id for one in reader.told()] == [
        "summary_6h-2026-03-02T18", "summary_6h-2026-03-03T00", "summary_daily-2026-03-03",
    ]  # fmt: skip
    reader.room.clock.advance(9 * 86_400)
    reader.restart()
    reader.look()
    late = reader.told()[3:]
    assert sorted(one.id for one in late) == [
        "summary_6h-2026-03-12T00", "summary_daily-2026-03-12", "summary_weekly-2026-03-09",
    ]  # fmt: skip
    assert all(", late: " in one.text for one in late)


def test_a_summary_adds_up(reader: Reader) -> None:
    room = reader.room
    room.enter()
    reader.look(1, "105")
    room.broker.price, room.broker.now = D(110), room.clock.now()
    room.close("take_profit")
    with room.books.writing() as writing:
        writing.event(Level.ERROR, "order.unknown", "What became of it is not known.")
        writing.event(Level.ERROR, "cycle.error", "No alert.")
    reader.look(1, "110")
    room.broker.now = room.clock.now()
    room.enter()
    reader.look(1, "99")
    reader.look(3.001, "99")
    [told] = reader.told()
    assert told.text.split("\n") == [
        "2026-03-02 12-18h: 99 USDT, -1 (-1%); 1 of 1 bots run",
        "USDT: 1 won, 0 lost, realised +10, fees 0.",
        "Alerts: errors 1, warnings 0.",
        "1 open: demo BTC/USDT -11",
    ]
    [money] = told.data["money"]
    assert (money["equity"], money["change"], money["realised"]) == ("99", "-1", "10")
    reader.look(6, "99")
    second = reader.told()[1].text.split("\n")
    assert second[0] == "2026-03-02 18-24h: 99 USDT, 0 (0%); 1 of 1 bots run"
    assert second[1] == "USDT: no trade closed."
