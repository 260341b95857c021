"""Turns of a described platform's requests: apart, and orders first."""

import threading

from engine.adapters.brokers.rest.turns import Turns
from tests.fakes.clock import FakeClock
from tests.support.client import eventually

APART_S = 0.01  # a thread that waits looks as often


def test_requests_are_kept_apart() -> None:
    clock = FakeClock()
    turns, taken = Turns(APART_S, clock.monotonic), threading.Event()
    turns.wait(is_urgent=False)

    def second() -> None:
        turns.wait(is_urgent=False)
        taken.set()

    thread = threading.Thread(target=second, daemon=True)
    thread.start()
    assert not taken.wait(5 * APART_S), "our own clock stands still"
    clock.advance(APART_S)
    thread.join()
    assert taken.is_set()


def test_an_order_goes_before_all_questions_that_wait_already() -> None:
    clock, went = FakeClock(), list[str]()
    turns = Turns(APART_S, clock.monotonic)
    turns.wait(is_urgent=False)

    def go(name: str, *, is_urgent: bool) -> None:
        turns.wait(is_urgent=is_urgent)
        went.append(name)

    threads = [
        threading.Thread(
            target=go, args=(name,), kwargs={"is_urgent": name == "order"}, daemon=True
        )
        for name in (*(f"question {number}" for number in range(5)), "order")
    ]
    for thread in threads:
        thread.start()
    eventually(lambda: turns._urgent, bool, every_s=APART_S)
    for number in range(1, len(threads) + 1):
        clock.advance(APART_S)
        eventually(lambda: len(went), number.__eq__, every_s=APART_S)
    assert went[0] == "order"
