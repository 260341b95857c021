"""A venue's time by the dates of its answers."""

from datetime import timedelta
from email.utils import format_datetime

import pytest

from engine.links.answered_time import AnsweredTime
from tests.fakes.clock import FakeClock


def headers(clock: FakeClock, ahead_s: float = 0.0) -> dict[str, str]:
    """Of an answer of a venue whose clock is ahead of ours."""
    return {"date": format_datetime(clock.now() + timedelta(seconds=ahead_s), usegmt=True)}


def ahead_s(time: AnsweredTime, clock: FakeClock) -> float:
    return (time.now() - clock.now()).total_seconds()


def test_before_the_first_answer_our_own_time_counts() -> None:
    clock = FakeClock()
    time = AnsweredTime(clock.now, clock.monotonic)
    assert (time.now(), time.is_told) == (clock.now(), False)
    for told in ({}, {"date": "yesterday"}, {"date": "Mon, 02 Mar 2026 12:00:00 -0000"}):
        time.hear(told)
        assert (time.now(), time.is_told) == (clock.now(), False)


@pytest.mark.parametrize("off_s", [-3600, -5, -2, 2, 5, 3600])
def test_a_clock_of_ours_that_is_off_is_not_gone_by(off_s: float) -> None:
    clock = FakeClock()
    time = AnsweredTime(clock.now, clock.monotonic)
    time.hear(headers(clock, off_s))
    assert ahead_s(time, clock) == off_s
    assert time.is_told
    clock.advance(60)
    assert ahead_s(time, clock) == off_s
    told = time.now()
    clock.current += timedelta(hours=1)  # somebody sets it
    assert time.now() == told


def test_the_parts_of_a_second_that_a_date_leaves_out_move_nothing() -> None:
    clock = FakeClock()
    time = AnsweredTime(clock.now, clock.monotonic)
    for _ in range(20):
        clock.advance(0.3)
        time.hear(headers(clock))
        assert ahead_s(time, clock) == 0


@pytest.mark.parametrize("off_s", [-7.4, -0.6, 0.6, 7.4])
def test_answer_by_answer_it_comes_nearer_and_is_never_ahead(off_s: float) -> None:
    clock = FakeClock()
    time = AnsweredTime(clock.now, clock.monotonic)
    for _ in range(20):
        clock.advance(0.3)
        time.hear(headers(clock, off_s))
    assert off_s - 0.3 < ahead_s(time, clock) <= off_s
