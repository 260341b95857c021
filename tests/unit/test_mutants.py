"""The mutants are what they say: each makes the desk do what the real one never does."""

from collections.abc import Callable
from decimal import Decimal as D

import pytest

from engine.domain.orders import OrderReport, OrderRequest, OrderState, Purpose
from engine.services.booking import Terms, book_report
from tests.fakes.broker import Fault, ScriptedBroker, VenueFault
from tests.support.mutants import MUTANTS, VARIABLE, apply_chosen
from tests.unit.conftest import Room


def is_sent_before_it_is_recorded(room: Room) -> bool:
    class Witness(ScriptedBroker):
        seen = OrderState.SENDING

        def submit(self, request: OrderRequest) -> OrderReport:
            with room.store.reading() as tx:
                self.seen = tx.orders.get(request.client_id).state
            return super().submit(request)

    witness = room.venues.only_broker = Witness()
    witness.now = room.clock.now()
    room.enter()
    return witness.seen is OrderState.INTENT


def is_let_go_at_once(room: Room) -> bool:
    room.broker.faults.append(Fault.LOST_BEFORE)
    room.enter()
    room.advance(1)
    return room.orders()[0].state is OrderState.EXPIRED


def is_entered_again(room: Room) -> bool:
    room.broker.faults.append(Fault.LOST_BEFORE)
    room.enter()
    for _ in range(3):
        room.advance(20)
    return len(room.orders()) > 1


def is_refused_without_an_answer(room: Room) -> bool:
    room.broker.faults.append(Fault.LOST_AFTER)
    room.enter()
    return room.orders()[0].state is OrderState.REJECTED


def is_booked_twice(room: Room) -> bool:
    room.enter()
    report = room.broker.orders[room.orders()[0].client_id]
    terms = Terms(room.market.instrument(report.symbol))
    book_report(room.books, room.orders()[0], report, terms)
    with room.store.reading() as tx:
        return tx.fills.count() > 1


def is_done_without_its_fills(room: Room) -> bool:
    room.broker.faults.append(Fault.RESTS)
    room.enter()
    order = room.orders()[0]
    report = room.broker.orders[order.client_id].model_copy(
        update={"state": OrderState.FILLED, "filled": D(1), "fills": ()}
    )
    terms = Terms(room.market.instrument(report.symbol))
    return book_report(room.books, order, report, terms).is_terminal


def is_sold_beside_its_stop(room: Room) -> bool:
    room.enter()
    room.close()
    sent = {request.client_id for request in room.broker.requests if request.reduce_only}
    return len(sent & {one.client_id for one in room.working(Purpose.PROTECTION)}) > 0


def is_sold_beyond_what_is_held(room: Room) -> bool:
    room.enter()
    with room.books.writing() as writing:
        room.desk.plan_exit(
            writing, room.position, "test", order_id="qd-x", decided_at=room.clock.now(),
            quantity=5 * room.position.quantity,
        )  # fmt: skip
    room.advance(1)
    room.advance(1)
    return max(request.quantity or D(0) for request in room.broker.requests) > 1


def is_wish_to_cancel_forgotten(room: Room) -> bool:
    room.broker.faults.extend([Fault.RESTS, VenueFault.CANCEL_LOST])
    room.enter()
    room.desk.cancel_entries(room.bot.id, room.market)
    return not room.orders()[0].is_cancel_wanted


SYMPTOMS: dict[str, Callable[[Room], bool]] = {
    "send_then_record": is_sent_before_it_is_recorded,
    "query_at_once": is_let_go_at_once,
    "enter_again": is_entered_again,
    "unknown_is_refused": is_refused_without_an_answer,
    "fills_not_keyed": is_booked_twice,
    "done_as_reported": is_done_without_its_fills,
    "protection_stays": is_sold_beside_its_stop,
    "exits_not_capped": is_sold_beyond_what_is_held,
    "cancel_not_kept": is_wish_to_cancel_forgotten,
}


def test_every_mutant_has_its_symptom() -> None:
    assert SYMPTOMS.keys() == MUTANTS.keys()


@pytest.mark.parametrize("name", SYMPTOMS)
def test_the_real_desk_has_no_symptom(spot: Room, name: str) -> None:
    assert not SYMPTOMS[name](spot)


@pytest.mark.parametrize("name", SYMPTOMS)
def test_a_mutant_has_its_symptom(spot: Room, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for owner, attribute, _ in MUTANTS[name].patches:
        monkeypatch.setattr(owner, attribute, getattr(owner, attribute))  # put back at the end
    monkeypatch.setenv(VARIABLE, name)
    apply_chosen()
    assert SYMPTOMS[name](spot)


def test_without_a_name_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    before = [getattr(patch.owner, patch.name) for one in MUTANTS.values() for patch in one.patches]
    apply_chosen()
    after = [getattr(patch.owner, patch.name) for one in MUTANTS.values() for patch in one.patches]
    assert after == before
