"""What each account has, and whose it is: parts that add up to the whole, whatever happens."""

from decimal import Decimal as D

import pytest

from engine.domain.orders import OrderType
from engine.domain.positions import PositionSide
from engine.services.account_ledger import AccountLedger, AssetState
from engine.services.instrument_book import InstrumentBook
from engine.services.reconcile import Reconciler
from tests.fakes.broker import Fault
from tests.unit.conftest import Room
from tests.unit.samples import config, position

ACCOUNT = "paper:simulated"


@pytest.fixture
def ledger(room: Room) -> AccountLedger:
    """The room's ledger."""
    return AccountLedger(room.books, InstrumentBook(room.store))


def check(room: Room, ledger: AccountLedger) -> dict[str, AssetState]:
    """Reconcile, and what the ledger then shows; its parts add up and agree with the venue."""
    Reconciler(room.books, room.desk, room.venues, ledger=ledger).check(
        ACCOUNT, room.market, "test"
    )
    rows = {one.asset: one for one in ledger.assets(ACCOUNT)}
    for row in rows.values():
        assert row.books == row.owned + row.reserved + row.dust + row.unassigned
        assert row.venue == row.books == room.broker.held.get(row.asset, D(0))
    return rows


def test_what_bots_own_and_what_is_nobodys_add_up(room: Room, ledger: AccountLedger) -> None:
    room.broker.held["BTC"] = D("0.25")
    first = check(room, ledger)
    assert (first["BTC"].owned, first["BTC"].unassigned) == (D(0), D("0.25"))
    room.enter()
    rows = check(room, ledger)
    assert (rows["BTC"].owned, rows["BTC"].unassigned) == (D(1), D("0.25"))
    assert rows["BTC"].owners == (room.bot.id,)
    assert (rows["USDT"].books, rows["USDT"].owned) == (D(99_900), D(0))


def test_shorts_are_taken_off_what_others_own(room: Room, ledger: AccountLedger) -> None:
    other = room.add_bot(id="s0000001", config=config(name="short"))
    check(room, ledger)
    room.enter()
    with room.books.writing() as writing:
        writing.put_position(
            position(id="p2", bot_id=other.id, side=PositionSide.SHORT, quantity=D("0.3")),
            is_new=True,
        )
    ledger.take(ACCOUNT, room.broker.held)
    row = next(one for one in ledger.assets(ACCOUNT) if one.asset == "BTC")
    assert (row.owned, row.owners) == (D("0.7"), (room.bot.id, other.id))


def test_working_entries_reserve_what_they_may_still_spend(
    room: Room, ledger: AccountLedger
) -> None:
    check(room, ledger)
    room.broker.faults.append(Fault.RESTS)
    room.enter()
    assert ledger.free_cash(ACCOUNT, "USDT") == D(100_000) - D(100)
    [order] = room.books.working_orders(room.bot.id)
    limited = {"type": OrderType.LIMIT, "price": D(90), "quantity": D(2), "quote_amount": None}
    with room.books.writing() as writing:
        writing.save_order(order, **limited, filled=D("0.5"))
    assert ledger.free_cash(ACCOUNT, "USDT") == D(100_000) - D(135)
    ledger.take(ACCOUNT, room.broker.held)
    row = next(one for one in ledger.assets(ACCOUNT) if one.asset == "USDT")
    assert (row.reserved, row.unassigned) == (D(135), D(99_865))


def test_exits_reserve_nothing(room: Room, ledger: AccountLedger) -> None:
    check(room, ledger)
    room.enter()
    room.broker.faults.append(Fault.RESTS)
    room.close()
    assert room.books.working_orders(room.bot.id)
    assert ledger.free_cash(ACCOUNT, "USDT") == D(99_900)


def test_an_account_that_was_never_reconciled_has_no_known_cash(
    room: Room, ledger: AccountLedger
) -> None:
    assert ledger.free_cash(ACCOUNT, "USDT") is None
    room.enter()
    shown = {one.asset: one.venue for one in ledger.assets(ACCOUNT)}
    assert shown == {"BTC": None, "USDT": None}, "what the venue holds is not known"


def test_dust_of_closed_positions_is_shown_apart(room: Room, ledger: AccountLedger) -> None:
    room.broker.held["BTC"] = D("0.1")
    check(room, ledger)
    gone = position(id="p0", quantity=D(0), dust=D("0.00002"), is_open=False)
    with room.books.writing() as writing:
        writing.put_position(gone, is_new=True)
    rows = check(room, ledger)
    assert (rows["BTC"].dust, rows["BTC"].unassigned) == (D("0.00002"), D("0.09998"))
