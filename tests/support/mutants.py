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
from engine.errors import BrokerError
from engine.ports import Broker, MarketData
from engine.services import booking
from engine.services.books import Writing, new_id
from engine.services.follow_orders import Follower
from engine.services.order_desk import OrderDesk
from engine.services.order_outcomes import Outcomes, successor_id
from engine.services.order_requests import Sizer, request_of
from engine.services.send_orders import Sender
from tooling.place import ROOT

VARIABLE = "DESK_MUTANT"
TESTS = (
    "tests/unit/test_order_desk.py", "tests/unit/test_order_doubt.py",
    "tests/unit/test_protection.py", "tests/integration/test_fault_matrix_kills.py",
)  # fmt: skip
SHOWN = 3


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


def _send_first(self: Any, order: Order, market: MarketData, broker: Broker) -> None:
    request = request_of(order, broker)
    error: BrokerError | None = None
    reports: tuple[OrderReport, ...] = ()
    try:
        reports = (broker.submit(request),)
    except BrokerError as raised:
        error = raised
    with self._books.writing() as writing:
        sent_at = self._books.clock.now()
        order = writing.save_order(order, state=OrderState.SENDING, sent_at=sent_at)

    def answer() -> tuple[OrderReport, ...]:
        if error is not None:
            raise error
        return reports

    self._answered([order], market, broker, answer)


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


_save_order = Writing.save_order


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
        (Patch(Sender, "submit", _send_first),),
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
        """Whether a mutant was caught, or the real desk was not blamed."""
        return bool(self.red) if self.name else self.is_green


def try_desk(name: str) -> Outcome:
    """Run the tests over a mutant, or over the real desk when there is no name."""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.support.mutants", "-n", "2", "-q",
         "--tb=line", "-rfE", "--maxfail", "8", *TESTS],
        cwd=ROOT, env={**os.environ, VARIABLE: name, "KILLS_EACH_STEP": "1"}, text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    red = re.findall(r"^FAILED \S*/(\S+)", done.stdout, re.MULTILINE)
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
        print(f"{name or 'none':<20} {says}: {len(outcome.red)} red, {verdict}"
              f" ({outcome.seconds:.0f} s)")  # fmt: skip
        for test in outcome.red[:SHOWN]:
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
