"""Desks that are wrong on purpose: what the tests say of the real one must be false of these.

``python -m tests.support.mutants`` runs the desk's tests over each of them and over the real desk,
and fails unless those of every mutant turn red and the real desk's are green. A mutant is chosen by
``DESK_MUTANT``, which only test code reads; as a pytest plugin this module applies it.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from engine.domain.instruments import Instrument
from engine.domain.orders import Order, OrderReport, OrderState, Purpose, VenueFill, may_become
from engine.ports import Broker, MarketData
from engine.services import booking
from engine.services.books import Writing, new_id
from engine.services.follow_orders import Follower
from engine.services.order_desk import OrderDesk
from engine.services.order_outcomes import Outcomes, successor_id
from engine.services.order_requests import Sizer
from engine.services.send_orders import Sender
from tooling.place import ROOT

VARIABLE = "DESK_MUTANT"
TESTS = (
    "tests/unit/test_order_desk.py", "tests/unit/test_order_doubt.py",
    "tests/unit/test_protection.py", "tests/integration/test_fault_matrix_kills.py",
    "tests/integration/test_fault_matrix_kills_asked.py",
)  # fmt: skip
SHOWN = 5
THOROUGH = ("", "send_then_record", "query_at_once")
"""The real desk, and the mutants that kills must catch as well: the others need one red test."""


class Patch(NamedTuple):
    """A function of the product, and what takes its place."""

    owner: Any
    name: str
    wrong: Callable[..., Any]


class Mutant(NamedTuple):
    """What is wrong, and how it is made so."""

    says: str
    patches: tuple[Patch, ...]


# --- the wrong functions -------------------------------------------------------------------------


_save_order = Writing.save_order
_answered: Callable[..., None] = Sender._answered


def _sending_not_saved(self: Writing, order: Order, **changes: Any) -> Order:
    if changes.get("state") is not OrderState.SENDING:
        return _save_order(self, order, **changes)
    changed = order.model_copy(update=changes)
    self.orders[order.client_id] = changed  # in memory only
    return changed


def _save_when_answered(self: Sender, orders: Sequence[Order], *more: Any) -> None:
    *rest, call = more

    def call_and_save() -> Any:
        try:
            return call()
        finally:
            with self._books.writing() as writing:
                for order in orders:
                    writing.tx.orders.save(order)

    _answered(self, orders, *rest, call_and_save)


def _at_once(_self: Any, _since: float, _broker: Broker) -> bool:
    return True


_finish = Outcomes.finish


def _finish_and_enter_again(
    self: Outcomes, order: Order, state: OrderState, message: str, **more: Any
) -> None:
    _finish(self, order, state, message, **more)
    if order.purpose is Purpose.ENTRY and message == "the venue never heard of it":
        with self._books.writing() as writing:
            fields = order.model_dump() | {
                "client_id": successor_id(order.client_id), "state": OrderState.INTENT,
            }  # fmt: skip
            writing.add_order(Order(**fields))


def _every_fill(writing: Writing, order: Order, reported: Sequence[VenueFill]) -> list[VenueFill]:
    known = writing.tx.fills
    return [
        fill if known.find(f"{order.account_id}:{fill.trade_id}") is None
        else fill.model_copy(update={"trade_id": new_id()})
        for fill in reported
    ]  # fmt: skip


def _nothing_withdrawn(_self: Any, _bot_id: str, _market: MarketData) -> None:
    """What rests at the venue stays there."""


_is_exit_due = Sender._is_exit_due


def _due_beside_protection(self: Sender, order: Order, market: MarketData) -> bool:
    return order.purpose is Purpose.EXIT or _is_exit_due(self, order, market)


def _not_capped(
    _self: Any, _order: Order, quantity: Decimal, _broker: Broker, _instrument: Instrument
) -> Decimal:
    return quantity


def _cancel_not_kept(self: Writing, order: Order, **changes: Any) -> Order:
    return _save_order(self, order, **(changes | {"is_cancel_wanted": False}))


def _as_reported(order: Order, report: OrderReport, _booked: Decimal) -> OrderState:
    return report.state if may_become(order.state, report.state) else order.state


def _refused(self: Sender, orders: Sequence[Order], message: str) -> None:
    for order in orders:
        self._outcomes.finish(order, OrderState.REJECTED, message,
                              is_wanted_again=order.bot_id in self._books.positions)  # fmt: skip


MUTANTS = {
    "send_then_record": Mutant(
        "an order is sent, then it is recorded that it is being sent",
        (
            Patch(Writing, "save_order", _sending_not_saved),
            Patch(Sender, "_answered", _save_when_answered),
        ),
    ),
    "query_at_once": Mutant(
        "what is not found at the first look never was, with no quiet period",
        (Patch(Follower, "_is_quiet", _at_once),),
    ),
    "enter_again": Mutant(
        "an entry that the venue never heard of is sent again",
        (Patch(Outcomes, "finish", _finish_and_enter_again),),
    ),
    "unknown_is_refused": Mutant(
        "an order without an answer counts as refused", (Patch(Sender, "_unknown", _refused),)
    ),
    "fills_not_keyed": Mutant(
        "a fill that is reported twice is booked twice",
        (Patch(booking, "_new_fills", _every_fill),),
    ),
    "done_as_reported": Mutant(
        "an order is done before all of its fills are booked",
        (Patch(booking, "_state_after", _as_reported),),
    ),
    "protection_stays": Mutant(
        "an exit is sent beside the stop that rests",
        (
            Patch(OrderDesk, "_withdraw_protection", _nothing_withdrawn),
            Patch(Sender, "_is_exit_due", _due_beside_protection),
        ),
    ),
    "exits_not_capped": Mutant(
        "an exit may be larger than what is held", (Patch(Sizer, "_held", _not_capped),)
    ),
    "cancel_not_kept": Mutant(
        "that an order is to be taken back is not written down",
        (Patch(Writing, "save_order", _cancel_not_kept),),
    ),
}


def apply_chosen() -> None:
    """Make this process's desk the mutant that ``DESK_MUTANT`` names, if it names one."""
    name = os.environ.get(VARIABLE)
    if name:
        for owner, attribute, wrong in MUTANTS[name].patches:
            setattr(owner, attribute, wrong)


def pytest_configure() -> None:
    """As a plugin: before anything is collected."""
    apply_chosen()


# --- the check -----------------------------------------------------------------------------------


class Outcome(NamedTuple):
    """What the tests said of a desk."""

    name: str
    red: Sequence[str]
    is_green: bool
    seconds: float
    output: str

    @property
    def is_right(self) -> bool:
        """Whether a mutant was caught, by kills too where it must; the real desk must be green."""
        if not self.name:
            return self.is_green
        by_kills = any("_kill_nine_" in test for test in self.red)
        return bool(self.red) and (by_kills or self.name not in THOROUGH)


def try_desk(name: str) -> Outcome:
    """Run the tests over a mutant, or over the real desk when there is no name."""
    started = time.monotonic()
    kills, enough = ("3", ()) if name in THOROUGH else ("1", ("--maxfail", "1"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.support.mutants", "-n", "2", "-q",
         "--tb=line", "-rfE", *enough, *TESTS],
        cwd=ROOT, env={**os.environ, VARIABLE: name, "KILLS_EACH_STEP": kills}, text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    red = re.findall(r"^FAILED \S*/(.+?)(?: - |$)", done.stdout, re.MULTILINE)
    seconds = time.monotonic() - started
    return Outcome(name, red, done.returncode == 0, seconds, done.stdout + done.stderr)


def main() -> int:
    """Print what caught each mutant; 0 when all were caught and the real desk is green."""
    outcomes = []
    for name in ("", *MUTANTS):
        outcome = try_desk(name)
        outcomes.append(outcome)
        says = MUTANTS[name].says if name else "the desk as it is"
        verdict = "as it should be" if outcome.is_right else "WRONG"
        red = f"{len(outcome.red)} red" if outcome.red else "green"
        print(f"{name or 'none':<20} {says}: {red}, {verdict} ({outcome.seconds:.0f} s)")
        for test in sorted(outcome.red)[:SHOWN]:
            print(f"{'':<20}   {test}")
        if not outcome.is_right:
            print(outcome.output[-4000:])
        sys.stdout.flush()
    caught = sum(outcome.is_right for outcome in outcomes if outcome.name)
    print(f"{caught} of {len(MUTANTS)} mutants caught; the real desk is"
          f" {'green' if outcomes[0].is_green else 'RED'}.")  # fmt: skip
    return 0 if all(outcome.is_right for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
