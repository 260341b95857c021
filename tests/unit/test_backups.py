"""Backups: which are kept, when the next is due, what is told of them."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.backups import (
    RECENT,
    SETTLING,
    BackupState,
    Keeping,
    backup_name,
    due_at,
    kept,
    moment_of,
)
from engine.domain.records import Event, Level
from engine.errors import Conflict
from engine.services.back_up import RETRY
from tests.fakes.backups import FakeBackups, facts_of
from tests.fakes.clock import START, FakeClock

DAY = timedelta(days=1)
BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
MOMENTS = st.lists(
    st.integers(0, 3650 * 24).map(lambda hours: BEGIN + timedelta(hours=hours)), max_size=60
)
KEEPING = st.builds(
    Keeping, st.integers(1, 10), st.integers(0, 10), st.integers(0, 15)
)  # fmt: skip


# --- rotation


@given(MOMENTS, KEEPING)
def test_what_stays_is_part_of_what_there_was_and_the_newest_always_does(
    moments: list[datetime], keeping: Keeping
) -> None:
    stay = kept(moments, keeping)
    assert stay <= set(moments)
    assert not moments or max(moments) in stay
    recent = {at for at in moments if max(moments) - at < RECENT}
    assert recent <= stay
    assert len(stay - recent) <= keeping.daily + keeping.weekly + keeping.monthly


@given(MOMENTS, KEEPING)
def test_the_newest_days_weeks_and_months_are_all_there(
    moments: list[datetime], keeping: Keeping
) -> None:
    stay = kept(moments, keeping)
    periods: list[tuple[int, Callable[[datetime], object]]] = [
        (keeping.daily, lambda at: at.date()),
        (keeping.weekly, lambda at: at.isocalendar()[:2]),
        (keeping.monthly, lambda at: (at.year, at.month)),
    ]
    for count, period in periods:
        there = sorted({period(at) for at in moments}, reverse=True)  # type: ignore[type-var]
        assert set(there[:count]) <= {period(at) for at in stay}


@given(MOMENTS, KEEPING)
def test_rotating_again_removes_nothing(moments: list[datetime], keeping: Keeping) -> None:
    stay = kept(moments, keeping)
    assert kept(stay, keeping) == stay


@given(MOMENTS, KEEPING)
def test_rotating_after_each_backup_keeps_what_one_rotation_at_the_end_keeps(
    moments: list[datetime], keeping: Keeping
) -> None:
    stay: set[datetime] = set()
    for at in sorted(set(moments)):
        stay = kept(stay | {at}, keeping)
    assert stay == kept(moments, keeping)


def test_a_year_of_backups_each_night() -> None:
    nights = [datetime(2026, 1, 1, 3, tzinfo=UTC) + number * DAY for number in range(365)]
    stay = sorted(kept(nights, Keeping(7, 4, 12)))
    assert stay[-7:] == nights[-7:]
    assert [at.date().isoformat() for at in stay[:3]] == ["2026-01-31", "2026-02-28", "2026-03-31"]
    assert len(stay) == 7 + 2 + 11  # this week's and this month's are among the days


def test_the_one_before_an_upgrade_outlives_that_of_the_evening() -> None:
    morning = datetime(2026, 11, 26, 9, tzinfo=UTC)
    evening, next_week = morning + timedelta(hours=12), morning + 7 * DAY
    assert kept([morning, evening], Keeping(7, 4, 12)) == {morning, evening}
    assert kept([morning, evening, next_week], Keeping(7, 4, 12)) == {evening, next_week}


def test_a_name_tells_when_and_a_strangers_file_is_none() -> None:
    at = datetime(2026, 11, 26, 9, 15, 0, tzinfo=UTC)
    assert backup_name(at) == "quarterdeck-20261126T091500Z.zip"
    assert backup_name(at, 2) == "quarterdeck-20261126T091500Z-2.zip"
    assert moment_of(backup_name(at)) == moment_of(backup_name(at, 2)) == at
    for name in ("photos.zip", "quarterdeck-20261126T091500Z.zip.part",
                 "quarterdeck-20269926T091500Z.zip", ".making-x"):  # fmt: skip
        assert moment_of(name) is None


# --- the schedule


def test_when_the_next_is_due() -> None:
    day = timedelta(days=1)
    assert due_at(BackupState(), None, START, RETRY) is None
    assert due_at(BackupState(), day, START, RETRY) == START + SETTLING
    done = BackupState(done_at=START - timedelta(hours=3), tried_at=START - timedelta(hours=3))
    assert due_at(done, day, START, RETRY) == START + timedelta(hours=21)
    missed = BackupState(done_at=START - 5 * day)
    assert due_at(missed, day, START, RETRY) == START + SETTLING
    failed = BackupState(done_at=START - day, tried_at=START, failure="full")
    assert due_at(failed, day, START - day, RETRY) == START + RETRY
    assert due_at(failed, timedelta(minutes=5), START - day, RETRY) == START + timedelta(minutes=5)


def told(fake: FakeBackups) -> list[Event]:
    with fake.books.store.reading() as tx:
        return list(tx.events.select())


def tick(fake: FakeBackups, clock: FakeClock, seconds: float = 0) -> None:
    clock.advance(seconds)
    asyncio.run(fake.runner.begin_due())


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def fake(clock: FakeClock) -> FakeBackups:
    return FakeBackups(clock.now)


def test_one_is_made_when_it_is_due_and_a_restart_makes_no_second(
    fake: FakeBackups, clock: FakeClock
) -> None:
    tick(fake, clock)
    assert fake.shelf.backups == [], "not while the engine has only just started"
    tick(fake, clock, SETTLING.total_seconds())
    tick(fake, clock, 60)
    assert len(fake.shelf.backups) == 1
    [event] = told(fake)
    assert (event.kind, event.level) == ("backup.done", Level.INFO)
    assert fake.shelf.backups[0].name in event.message

    fake.runner = fake.new_runner()
    tick(fake, clock, 3600)
    assert len(fake.shelf.backups) == 1
    clock.advance(3 * 86_400)  # it was off
    fake.runner = fake.new_runner()
    tick(fake, clock, SETTLING.total_seconds())
    tick(fake, clock, 60)
    assert len(fake.shelf.backups) == 2, "a missed one is made up, once"


def test_a_clock_that_was_a_year_ahead_keeps_no_backup_back(
    fake: FakeBackups, clock: FakeClock
) -> None:
    clock.advance(365 * 86_400)
    fake.runner.begin("anna", with_candles=False)
    clock.advance(-365 * 86_400)
    assert fake.new_runner().due_at == clock.now() + timedelta(hours=24)


def test_a_failure_is_told_once_for_as_long_as_it_is_the_same(
    fake: FakeBackups, clock: FakeClock
) -> None:
    fake.shelf.trouble = "The disk of /backups is full."
    for _ in range(3):
        tick(fake, clock, RETRY.total_seconds())
    fake.runner = fake.new_runner()  # nor again after a restart
    tick(fake, clock, RETRY.total_seconds())
    assert [(one.kind, one.level) for one in told(fake)] == [("backup.failed", Level.ERROR)]
    assert fake.runner.state.failure == fake.shelf.trouble
    fake.shelf.trouble = "/backups cannot be written (Read-only file system)."
    tick(fake, clock, RETRY.total_seconds())
    fake.shelf.trouble = ""
    tick(fake, clock, RETRY.total_seconds())
    kinds = [one.kind for one in told(fake)]
    assert kinds == ["backup.failed", "backup.failed", "backup.done"]
    assert fake.runner.state.failure == ""


def test_with_the_schedule_off_only_a_person_makes_one(clock: FakeClock) -> None:
    fake = FakeBackups(clock.now, every_h=0)
    tick(fake, clock, 90 * 86_400)
    assert (fake.runner.due_at, fake.shelf.backups) == (None, [])
    fake.runner.begin("panel:ann", with_candles=True)
    assert [one.manifest is not None and one.manifest.has_candles for one in fake.shelf.backups]
    with fake.books.store.reading() as tx:
        [entry] = tx.audit.select()
    assert (entry.actor, entry.action) == ("panel:ann", "backup.done")


def test_one_at_a_time(fake: FakeBackups, clock: FakeClock) -> None:
    fake.is_slow = True
    fake.runner.begin("panel", with_candles=False)
    with pytest.raises(Conflict, match="being made already"):
        fake.runner.begin("panel", with_candles=False)
    tick(fake, clock, 86_400)
    assert (fake.runner.is_running, len(fake.waiting)) == (True, 1)
    fake.waiting.pop()()
    assert not fake.runner.is_running
    assert len(fake.shelf.backups) == 1


def test_a_mistake_of_our_own_does_not_end_the_schedule(
    fake: FakeBackups, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: object) -> None:
        raise ZeroDivisionError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(fake.shelf, "make", broken)
        tick(fake, clock, 86_400)
    assert (fake.runner.is_running, fake.shelf.backups) == (False, [])
    assert "log has it" in fake.runner.state.failure
    assert [one.kind for one in told(fake)] == ["backup.failed"]
    tick(fake, clock, RETRY.total_seconds())
    assert len(fake.shelf.backups) == 1


def test_a_broken_audit_trail_is_backed_up_and_told(fake: FakeBackups, clock: FakeClock) -> None:
    fake.shelf.facts = facts_of(audit_problem="The audit trail is broken at the entry 'x'.")
    tick(fake, clock, 86_400)
    [event] = told(fake)
    assert (event.kind, event.level) == ("backup.done", Level.WARNING)
    assert "audit trail is broken" in event.message


def test_old_ones_are_rotated_away(fake: FakeBackups, clock: FakeClock) -> None:
    for _ in range(10):
        tick(fake, clock, 86_400)
    days = {one.created_at.date() for one in fake.shelf.backups}
    assert len(days) == len(fake.shelf.backups) < 10
    assert "Removed: quarterdeck-" in told(fake)[-1].message
