"""When an engine is told to be down and back: never early, never twice, never for a sleep."""

from datetime import timedelta
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.watching import (
    LastWord,
    Seen,
    Sight,
    Told,
    Watch,
    WatchRules,
    alert_of,
    judge_silence,
    over,
    step,
)
from tests.fakes.clock import START

RULES = WatchRules(patience_s=60, again_h=1)
W, D, S = Sight.WELL, Sight.DOWN, Sight.STOPPED


class Round(NamedTuple):
    """What a round sees, so long after the one before."""

    sight: Sight
    passed_s: float = 5.0


def play(rounds: list[Round], watch: Watch | None = None) -> tuple[Watch, list[tuple[int, Told]]]:
    """What is told, by the number of the round, and what is known after all of them."""
    watch, now, told = watch or Watch(), START, []
    for number, one in enumerate(rounds):
        now += timedelta(seconds=one.passed_s)
        seen = Seen(sight=one.sight, reason="it hangs" if one.sight is D else "")
        watch, what = step(watch, seen, one.passed_s, now, RULES)
        if what is not None:
            told.append((number, what))
        if what is Told.BACK:
            watch = over(watch)
    return watch, told


def test_down_after_patience_again_after_hours_and_back_after_patience() -> None:
    hours = [Round(D)] * (720 + 13)
    watch, told = play([Round(W), *hours, *[Round(W)] * 13])
    assert told == [(13, Told.DOWN), (733, Told.STILL_DOWN), (746, Told.BACK)]
    assert watch.incident is None


def test_what_recovers_within_patience_is_not_told() -> None:
    assert play([*[Round(D)] * 12, Round(W), *[Round(D)] * 12])[1] == []


def test_an_engine_that_flaps_is_one_incident() -> None:
    flapping = [*[Round(D)] * 13, *[Round(W), Round(W), Round(D)] * 50]
    assert [what for _, what in play(flapping)[1]] == [Told.DOWN]


def test_a_sleep_of_the_watcher_begins_patience_anew() -> None:
    rounds = [Round(W), *[Round(D)] * 11, Round(D, 8 * 3_600.0), *[Round(D)] * 11]
    assert play(rounds)[1] == []
    assert play([*rounds, Round(D)])[1] == [(len(rounds), Told.DOWN)]


def test_a_stop_on_purpose_is_never_told_and_a_start_has_its_patience() -> None:
    rounds = [Round(W), *[Round(S)] * 500, *[Round(D)] * 12]
    assert play(rounds)[1] == []
    assert play([*rounds, Round(D)])[1] == [(len(rounds), Told.DOWN)]


def test_an_engine_stopped_after_it_was_told_is_not_told_again_until_it_is_back() -> None:
    rounds = [*[Round(D)] * 13, *[Round(S)] * 2_000, *[Round(W)] * 13]
    assert [what for _, what in play(rounds)[1]] == [Told.DOWN, Told.BACK]


def test_another_watcher_goes_on_with_the_incident() -> None:
    watch, told = play([Round(D)] * 13)
    assert told == [(12, Told.DOWN)]
    kept = Watch.model_validate_json(watch.after_restart().model_dump_json())
    assert play([Round(D)] * 100, kept)[1] == []
    assert play([Round(W)] * 13, kept)[1] == [(12, Told.BACK)]


@pytest.mark.parametrize(
    ("known", "last", "sight", "term"),
    [
        (None, LastWord(term=3, is_held=True), D, None),
        (None, LastWord(term=3), S, 3),
        (None, LastWord(), S, 0),  # never started
        (None, LastWord(term=3, has_given_up=True), D, None),
        (None, None, D, None),
        (3, None, S, 3),  # stopped, then its database was taken away
        (3, LastWord(term=2, is_held=True), S, 3),  # and an older one put in its place
        (3, LastWord(term=4, is_held=True), D, None),  # started again, and died
        (3, LastWord(term=4), S, 4),
    ],
)
def test_who_stopped_and_who_died(
    known: int | None, last: LastWord | None, sight: Sight, term: int | None
) -> None:
    assert judge_silence(Watch(stopped_term=known), last) == (sight, term)


def test_the_words_say_since_when_and_what_to_do() -> None:
    watch, _ = play([Round(D)] * 13)
    assert watch.incident is not None
    later = START + timedelta(hours=2)
    down = alert_of(watch.incident, Told.DOWN, later, later)
    still = alert_of(watch.incident, Told.STILL_DOWN, later, later)
    back = alert_of(watch.incident, Told.BACK, later, later)
    assert (down.level, still.level, back.level) == ("error", "error", "info")
    assert down.text.startswith("it hangs. No bot trades")
    assert "python run.py" in down.text
    assert still.text.startswith("for 1 h 59 min now; it hangs.")
    assert "it was down for 1 h 59 min, since 2026-03-02 12:00:05 UTC" in back.text
    assert down.id != back.id


ROUNDS = st.lists(
    st.builds(Round, st.sampled_from([W, D, D, S]), st.floats(0, 40) | st.floats(0, 1e5)),
    max_size=200,
)


@settings(max_examples=200, deadline=None)
@given(ROUNDS)
def test_what_is_told_is_always_true(rounds: list[Round]) -> None:
    """Down and back alternate, and each was seen for as long as patience lasts, without a sleep of
    the watcher's own, before it is told."""
    _, told = play(rounds)
    edges = [what for _, what in told if what is not Told.STILL_DOWN]
    assert edges == [Told.DOWN if n % 2 == 0 else Told.BACK for n in range(len(edges))]
    for number, what in told:
        wanted, seen_s, at = W if what is Told.BACK else D, 0.0, number
        while seen_s < RULES.patience_s:
            assert rounds[at].sight is wanted
            assert rounds[at].passed_s <= RULES.gap_s
            seen_s += rounds[at].passed_s
            at -= 1
        assert rounds[at].sight is wanted


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, RULES.gap_s), min_size=1, max_size=300))
def test_an_engine_that_stays_down_is_always_told_in_time(gaps: list[float]) -> None:
    _, told = play([Round(D, 0.0), *(Round(D, gap) for gap in gaps)])
    total_s, expected = 0.0, False
    for gap in gaps:
        total_s += gap
        expected = expected or total_s >= RULES.patience_s
    assert (Told.DOWN in [what for _, what in told]) is expected


@settings(max_examples=100, deadline=None)
@given(ROUNDS, st.integers(0, 200))
def test_a_restart_of_the_watcher_in_between_tells_nothing_twice(
    rounds: list[Round], cut: int
) -> None:
    before, first = play(rounds[:cut])
    _, second = play(rounds[cut:], before.after_restart())
    edges = [what for _, what in (*first, *second) if what is not Told.STILL_DOWN]
    assert edges == [Told.DOWN if n % 2 == 0 else Told.BACK for n in range(len(edges))]
