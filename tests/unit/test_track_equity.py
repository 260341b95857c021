"""Equity: what bots are worth, what today brought, and how the curves are kept small."""

from datetime import timedelta
from decimal import Decimal as D

import pytest

from engine.domain.alerts import AlertState, DeliveryState
from engine.domain.decisions import Action
from engine.domain.records import EquityPoint
from engine.domain.signals import SignalKind
from engine.services import housekeeping
from engine.services.candle_feed import PriceBoard
from engine.services.housekeeping import Housekeeper
from engine.services.instrument_book import InstrumentBook
from engine.services.track_equity import EquityKeeper
from tests.contract.store_samples import alert, decision, delivery, signal
from tests.fakes.clock import START
from tests.unit.conftest import Room


class Ledger:
    """An equity keeper over the room."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.prices = PriceBoard()
        self.keeper = self._keeper()

    def _keeper(self) -> EquityKeeper:
        books = self.room.books
        return EquityKeeper(books, self.prices, InstrumentBook(books.store), self.room.venues)

    def restart(self) -> None:
        """A new keeper that takes up what the store has."""
        self.room.restart()
        self.keeper = self._keeper()
        self.keeper.load()

    def price(self, price: object) -> None:
        """The last price seen."""
        quote = self.room.market.quote("BTC/USDT").model_copy(update={"last": D(str(price))})
        self.prices.put("simulated", quote)

    def points(self, bot_id: str | None) -> list[EquityPoint]:
        """The stored points of a bot, or of the sums."""
        with self.room.store.reading() as tx:
            return list(tx.equity.select(bot_id=bot_id))


@pytest.fixture
def ledger(room: Room) -> Ledger:
    """A keeper that has just been loaded."""
    ledger = Ledger(room)
    ledger.keeper.load()
    return ledger


def test_a_bot_is_worth_its_capital_and_what_is_open(ledger: Ledger) -> None:
    room = ledger.room
    assert ledger.keeper.worth(room.bot).price is None
    room.enter()
    ledger.price(105)
    worth = ledger.keeper.worth(room.bot)
    assert (worth.equity, worth.realised, worth.unrealised) == (D(105), D(0), D(5))
    room.broker.price = D(110)
    room.close("take_profit")
    worth = ledger.keeper.worth(room.bot)
    assert (worth.equity, worth.realised, worth.unrealised) == (D(110), D(10), D(0))


def test_today_begins_at_midnight_and_outlives_a_restart(ledger: Ledger) -> None:
    room = ledger.room
    room.enter()
    ledger.price(104)
    ledger.keeper.sample()
    assert ledger.keeper.today(room.bot, ledger.keeper.worth(room.bot)) == D(4)
    room.clock.advance(13 * 3600)  # past midnight
    ledger.keeper.sample()
    ledger.price(103)
    assert ledger.keeper.today(room.bot, ledger.keeper.worth(room.bot)) == D(-1)
    ledger.restart()
    assert ledger.keeper.today(room.bot, ledger.keeper.worth(room.bot)) == D(-1)


def test_sums_are_written_each_time_and_a_bot_only_when_it_changed(ledger: Ledger) -> None:
    room = ledger.room
    for _ in range(3):
        ledger.keeper.sample()
        room.clock.advance(70)
    assert len(ledger.points(None)) == 3
    assert len(ledger.points(room.bot.id)) == 1
    room.enter()
    ledger.price(101)
    ledger.keeper.sample()
    assert ledger.points(room.bot.id)[-1].unrealised == D(1)
    assert [point.quote for point in ledger.keeper.total_curves()["USDT"]] == ["USDT"] * 4


def test_old_points_are_thinned_to_the_last_of_each_hour(ledger: Ledger) -> None:
    room = ledger.room
    for _ in range(12):
        ledger.keeper.sample()
        room.clock.advance(600)
    room.clock.advance(23 * 3600)  # the first hour is now older than a day
    ledger.keeper.thin()
    minutes = [round((point.time - START).total_seconds() / 60) for point in ledger.points(None)]
    assert minutes == [50, 60, 70, 80, 90, 100, 110]
    ledger.keeper.thin()
    assert len(ledger.points(None)) == 7


def test_a_bot_that_decides_often_keeps_its_newest_holds(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "MOST_HOLDS", 5)
    room = ledger.room
    with room.books.writing() as writing:
        writing.tx.decisions.add(*(decision(minute) for minute in range(1, 9)))
        writing.tx.decisions.add(decision(0, action=Action.EXIT))
    for _ in range(2):
        Housekeeper(
            room.books,
            room.venues,
            ledger.keeper,
            hold_retention_days=14,
            signal_retention_days=90,
            alert_retention_days=180,
        ).tidy()
        with room.store.reading() as tx:
            kept = [one.candle_time.minute for one in tx.decisions.select()]
        assert kept == [0, 4, 5, 6, 7, 8], "the five newest, and what was no HOLD"


def test_housekeeping_forgets_old_holds_and_nothing_else(ledger: Ledger) -> None:
    room = ledger.room
    with room.books.writing() as writing:
        writing.tx.decisions.add(decision(0), decision(1, action=Action.EXIT), decision(3 * 1440))
    room.clock.advance(timedelta(days=3, hours=12).total_seconds())
    Housekeeper(
        room.books,
        room.venues,
        ledger.keeper,
        hold_retention_days=1,
        signal_retention_days=90,
        alert_retention_days=180,
    ).tidy()
    with room.store.reading() as tx:
        left = [one.action for one in tx.decisions.select()]
    assert left == [Action.EXIT, Action.HOLD]


def test_housekeeping_forgets_old_signals_and_prices_sooner(ledger: Ledger) -> None:
    room = ledger.room

    def put(days: int) -> None:
        """A signal, a price and an execution of that many days after the start."""
        at = START + timedelta(days=days)
        with room.store.transaction() as tx:
            for kind in SignalKind:
                tx.signals.add(signal(id=f"{kind}{days}", kind=kind, received_at=at))

    for days in (0, 5, 9):
        put(days)
    room.clock.advance(timedelta(days=10, hours=-1).total_seconds())
    Housekeeper(
        room.books,
        room.venues,
        ledger.keeper,
        hold_retention_days=1,
        signal_retention_days=5,
        alert_retention_days=180,
    ).tidy()
    with room.store.reading() as tx:
        left = {one.id for one in tx.signals.select()}
    assert left == {"order5", "execution5", "order9", "prices9", "execution9"}


def test_housekeeping_forgets_old_alerts_but_none_that_is_on_its_way(ledger: Ledger) -> None:
    room = ledger.room
    with room.store.transaction() as tx:
        for days, key, state in ((0, "old", DeliveryState.SENT), (0, "due", DeliveryState.WAITING),
                                (9, "new", DeliveryState.SENT)):  # fmt: skip
            at = START + timedelta(days=days)
            tx.alerts.add(alert().model_copy(
                update={"id": key, "time": at, "state": AlertState.ROUTED}))  # fmt: skip
            tx.deliveries.add(delivery().model_copy(
                update={"id": key, "created_at": at, "state": state}))  # fmt: skip
        tx.alerts.add(alert().model_copy(update={"id": "unrouted", "time": START}))
    room.clock.advance(timedelta(days=10).total_seconds())
    Housekeeper(
        room.books, room.venues, ledger.keeper, hold_retention_days=1, signal_retention_days=5,
        alert_retention_days=7,
    ).tidy()  # fmt: skip
    with room.store.reading() as tx:
        assert {one.id for one in tx.alerts.select()} == {"new", "unrouted"}
        assert {one.id for one in tx.deliveries.select()} == {"due", "new"}
