"""The machine's clock."""

import sys
import time

import pytest

from engine.adapters.clock.system import SystemClock

NAMES = {"linux": "CLOCK_BOOTTIME", "darwin": "CLOCK_MONOTONIC"}


@pytest.mark.skipif(sys.platform not in NAMES, reason="Python's own clock counts it there")
def test_an_hour_of_the_machines_sleep_is_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was committed before it must not be sent after it, and a token has aged."""
    clock, asleep_s = SystemClock(), [0.0]
    counts_sleep, real = getattr(time, NAMES[sys.platform]), time.clock_gettime
    monkeypatch.setattr(
        time, "clock_gettime",
        lambda which: real(which) + (asleep_s[0] if which == counts_sleep else 0.0),
    )  # fmt: skip
    before_s = clock.monotonic()
    asleep_s[0] = 3600.0
    assert clock.monotonic() - before_s >= 3600


def test_it_never_goes_back() -> None:
    clock = SystemClock()
    told = [clock.monotonic() for _ in range(1000)]
    assert told == sorted(told)
