"""The gateway: what it lets pass, counts over a restart, and when its breaker latches."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal as D
from itertools import count
from typing import Any

import pytest

from engine.domain.limits import Limits, LimitUsage
from engine.domain.orders import Order, OrderState, OrderType, Purpose, Side
from engine.domain.records import KillLevel, Level, ScopeKind
from engine.errors import BrokerUnavailable, LimitReached
from engine.services.controls import Controls
from engine.services.gateway import Gateway
from tests.unit.conftest import Room
from tests.unit.samples import fill, instrument, position

PAPER = "paper:simulated"
BOT = "b0000001"


@dataclass
class Gate:
    """A gateway over the room, and orders that are sent through it."""

    room: Room
    limits: Limits
    gateway: Gateway = field(init=False)
    numbers: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """As after a crash."""
        self.room.restart()
        self.gateway = Gateway(self.room.books, self.room.controls, lambda _is_paper: self.limits)
        self.gateway.load()

    def send(self, purpose: Purpose = Purpose.ENTRY, **changes: Any) -> Order:
        """One BTC at 100 through the gateway and into the books as sent, or an error."""
        now = self.room.clock.now()
        fields: dict[str, Any] = {
            "client_id": f"qd-{next(self.numbers)}", "bot_id": BOT, "account_id": PAPER,
            "symbol": "BTC/USDT", "side": Side.BUY, "purpose": purpose, "quantity": D(1),
            "decided_at": now, "created_at": now, "updated_at": now,
        }  # fmt: skip
        order = Order(**(fields | changes))
        self.admit(order)
        with self.room.books.writing() as writing:
            writing.add_order(order)
            return writing.save_order(order, state=OrderState.SENDING, sent_at=now)

    def admit(self, order: Order, last: D | None = D(100)) -> None:
        """Ask for an order to pass."""
        self.gateway.admit(order, quantity=order.quantity, price=order.price, last=last,
                           instrument=instrument(), is_paper=True)  # fmt: skip

    def finish(self, order: Order, *prices: D) -> None:
        """The order is done: filled at these prices, one BTC each, or cancelled."""
        with self.room.books.writing() as writing:
            for price in prices:
                number = next(self.numbers)
                writing.add_fill(
                    fill(number, client_id=order.client_id, price=price, base="BTC", quote="USDT",
                         time=self.room.clock.now())
                )  # fmt: skip
            state = OrderState.FILLED if prices else OrderState.CANCELLED
            writing.save_order(order, state=state)

    def used(self) -> dict[tuple[str, str], LimitUsage]:
        """Usage by name and key."""
        return {(row.name, row.key): row for row in self.gateway.usage()}


def latched(controls: Controls) -> list[tuple[ScopeKind, str, KillLevel, str]]:
    """Every control in force, with who set it."""
    return [(one.scope, one.key, one.level, one.actor) for one in controls.switches]


def test_entries_over_the_pace_are_refused_and_come_back_with_time(room: Room) -> None:
    gate = Gate(room, Limits(bot_orders_per_minute=2))
    gate.send()
    room.clock.advance(30)
    gate.send()
    with pytest.raises(LimitReached, match="2 were sent within a minute and 2 are allowed"):
        gate.send()
    gate.send(bot_id="b0000002"), "another bot's pace is its own"
    room.clock.advance(30)
    gate.send()
    with pytest.raises(LimitReached):
        gate.send()


def test_exits_over_the_pace_wait_and_are_never_refused(room: Room) -> None:
    gate = Gate(room, Limits(bot_orders_per_minute=2, account_orders_per_minute=3))
    gate.send()
    gate.send()
    gate.send(Purpose.EXIT)
    room.clock.advance(10)
    gate.send(Purpose.PROTECTION)
    with pytest.raises(BrokerUnavailable) as delayed:
        gate.send(Purpose.EXIT)
    assert delayed.value.retry_after_s == 50, "entries take no exit's turn"
    room.clock.advance(50)
    gate.send(Purpose.EXIT)


def test_an_account_has_a_pace_of_all_its_bots(room: Room) -> None:
    gate = Gate(room, Limits(account_orders_per_minute=2))
    gate.send()
    gate.send(bot_id="b0000002")
    with pytest.raises(LimitReached, match="orders a minute of an account"):
        gate.send(bot_id="b0000003")
    gate.send(account_id="paper:ccxt:kraken")


def test_a_restart_forgets_no_pace(room: Room) -> None:
    gate = Gate(room, Limits(bot_orders_per_minute=2))
    gate.finish(gate.send())
    gate.send()
    room.clock.advance(20)
    gate.restart()
    with pytest.raises(LimitReached):
        gate.send()
    room.clock.advance(40)
    gate.send()


def test_a_clock_that_is_set_shortens_no_minute(room: Room) -> None:
    gate = Gate(room, Limits(bot_orders_per_minute=1))
    gate.send()
    room.clock.current = datetime(2026, 6, 1, tzinfo=UTC)
    with pytest.raises(LimitReached):
        gate.send()
    gate.send(bot_id="b0000002")
    room.clock.current = datetime(2025, 6, 1, tzinfo=UTC)
    gate.restart()
    with pytest.raises(LimitReached):
        gate.send(bot_id="b0000002")


def test_who_flattens_waits_for_no_turn(room: Room) -> None:
    gate = Gate(room, Limits(bot_orders_per_minute=1))
    gate.send(Purpose.EXIT)
    room.controls.set(KillLevel.CLOSE_ALL, "test")
    for _ in range(9):
        gate.send(Purpose.EXIT)
    assert len(room.controls.switches) == 1, "no storm either"


# --- amounts


def test_what_is_held_and_at_work_counts_as_the_position(room: Room) -> None:
    gate = Gate(room, Limits(bot_position=D(350), account_position=D(450)))
    with room.books.writing() as writing:
        writing.put_position(position(bot_id=BOT, account_id=PAPER), is_new=True)
    at_work = gate.send()
    gate.send()
    with pytest.raises(LimitReached, match="400 USDT would be more than 350"):
        gate.send()
    gate.send(Purpose.EXIT)
    room.add_bot(id="b0000002", bot_config=room.bot.config.model_copy(update={"name": "two"}))
    gate.send(bot_id="b0000002")
    with pytest.raises(LimitReached, match="500 USDT would be more than 450"):
        gate.send(bot_id="b0000002")
    gate.send(bot_id="b0000002", symbol="ETH/USDT")
    gate.finish(at_work)
    gate.send()


def test_the_day_counts_what_is_filled_and_at_work_until_midnight_utc(room: Room) -> None:
    gate = Gate(room, Limits(day_notional=D(250)))
    room.clock.current = datetime(2026, 1, 5, 23, 50, tzinfo=UTC)
    gate.restart()
    filled, cancelled = gate.send(), gate.send()
    with pytest.raises(LimitReached, match="the value traded in a day"):
        gate.send()
    gate.finish(cancelled)
    gate.finish(filled, D(120))
    assert gate.used()["value traded today", PAPER].used == 120
    gate.restart()
    assert gate.used()["value traded today", PAPER].used == 120, "a restart forgets nothing"
    open_late = gate.send(price=D(100), type=OrderType.LIMIT)
    with pytest.raises(LimitReached):
        gate.send()
    gate.finish(gate.send(Purpose.EXIT), D(100))
    assert gate.used()["value traded today", PAPER].used == 320
    gate.restart()
    assert gate.used()["value traded today", PAPER].used == 320, "what is at work neither"
    room.clock.advance(20 * 60)
    gate.send()
    with pytest.raises(LimitReached):
        gate.send()
    assert gate.used()["value traded today", PAPER].used == 200, "what is at work still counts"
    gate.finish(open_late, D(100))
    assert gate.used()["value traded today", PAPER].used == 200


def test_an_order_without_a_price_or_amount_is_no_entry(room: Room) -> None:
    gate = Gate(room, Limits())
    order = gate.send()
    with pytest.raises(LimitReached, match="without a price"):
        gate.admit(order, last=None)
    gate.admit(order.model_copy(update={"purpose": Purpose.EXIT}), last=None)


def test_a_replay_has_amounts_and_no_pace(room: Room) -> None:
    limits = Limits(bot_orders_per_minute=1, order_notional=D(150))
    gateway = Gateway(room.books, room.controls, lambda _paper: limits, lambda _market: True)
    order = Gate(room, Limits()).send()
    for number in range(9):
        gateway.admit(
            order.model_copy(update={"client_id": f"r{number}"}), quantity=D(1), price=None,
            last=D(100), instrument=instrument(), is_paper=True,
        )  # fmt: skip
    with pytest.raises(LimitReached, match="the value of an order"):
        gateway.admit(order, quantity=D(2), price=None, last=D(100), instrument=instrument(),
                      is_paper=True)  # fmt: skip


# --- the breaker


def storm(gate: Gate, orders: int, **changes: Any) -> None:
    """So many different orders at once, most of them refused."""
    for _ in range(orders):
        try:
            gate.send(**changes)
        except (LimitReached, BrokerUnavailable):
            continue


def test_a_storm_pauses_the_bot_until_a_person_releases_it(room: Room) -> None:
    gate = Gate(room, Limits(bot_orders_per_minute=2, storm_factor=3))
    storm(gate, 6)
    assert not room.controls.switches, "refused, and no storm yet"
    storm(gate, 1)
    pause = (ScopeKind.BOT, BOT, KillLevel.PAUSE_ENTRIES, "breaker")
    assert latched(room.controls) == [pause]
    room.controls.take_latch()
    event = room.events()[-1]
    assert (event.level, event.kind, event.bot_id) == (Level.ERROR, "control", BOT)
    assert "7 orders within a minute, where 2 are allowed" in event.message
    gate.restart()
    assert latched(room.controls) == [pause], "it outlives a restart"
    room.clock.advance(3600)
    room.controls.take_latch()
    assert latched(room.controls) == [pause], "and any calm"
    room.controls.set(KillLevel.NONE, "anna", ScopeKind.BOT, BOT)
    gate.send()
    assert not room.controls.switches, "released, it counts from nothing"


def test_a_storm_before_a_restart_goes_on_after_it(room: Room) -> None:
    gate = Gate(room, Limits(bot_orders_per_minute=5, storm_factor=1))
    storm(gate, 5)
    gate.restart()
    storm(gate, 1)
    assert len(room.controls.switches) == 1


def test_an_exit_that_waits_for_its_turn_is_no_storm(room: Room) -> None:
    gate = Gate(room, Limits(bot_orders_per_minute=2, storm_factor=2))
    gate.send(Purpose.EXIT)
    waiting = gate.send(Purpose.EXIT).model_copy(update={"client_id": "waits"})
    for _ in range(50):
        with pytest.raises(BrokerUnavailable):
            gate.admit(waiting)
        room.clock.advance(1)
    assert not room.controls.switches


def test_a_storm_of_many_bots_leaves_the_account_reducing_only(room: Room) -> None:
    gate = Gate(room, Limits(account_orders_per_minute=4, storm_factor=2))
    for number in range(9):
        storm(gate, 1, bot_id=f"b{number:07}")
    assert latched(room.controls) == [(ScopeKind.ACCOUNT, PAPER, KillLevel.REDUCE_ONLY, "breaker")]
    gate.send(Purpose.EXIT)


def test_rejections_in_a_row_pause_the_bot(room: Room) -> None:
    gate = Gate(room, Limits(rejections_in_a_row=3))
    order = gate.send()
    for _ in range(2):
        gate.gateway.note_rejection(order)
        gate.gateway.note_rejection(order)
        gate.gateway.note_success(order)
    assert not room.controls.switches
    for _ in range(3):
        gate.gateway.note_rejection(order)
    [switch] = room.controls.switches
    assert (switch.scope, switch.key) == (ScopeKind.BOT, BOT)
    assert switch.reason == "the venue has refused 3 orders in a row"


def test_rejections_of_nobodys_orders_concern_the_account(room: Room) -> None:
    gate = Gate(room, Limits(rejections_in_a_row=1))
    order = gate.send(Purpose.EXIT).model_copy(update={"bot_id": ""})
    gate.gateway.note_rejection(order)
    assert latched(room.controls)[0][:2] == (ScopeKind.ACCOUNT, PAPER)


def test_usage_has_a_row_for_each_limit_that_is_set(room: Room) -> None:
    gate = Gate(room, Limits(bot_orders_per_minute=4, account_orders_per_minute=8,
                             bot_position=D(400), account_position=D(1000)))  # fmt: skip
    with room.books.writing() as writing:
        writing.put_position(position(bot_id=BOT, account_id=PAPER), is_new=True)
    gate.send()
    rows = gate.used()
    fractions = {key: (row.unit, row.fraction) for key, row in rows.items()}
    assert fractions == {
        ("orders a minute", PAPER): ("", D("0.125")),
        ("orders a minute", BOT): ("", D("0.25")),
        ("position", BOT): ("USDT", D("0.25")),
        ("position in BTC/USDT", PAPER): ("USDT", D("0.1")),
    }
    gate.limits = Limits()
    assert not gate.gateway.usage()
