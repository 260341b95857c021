"""Probes of what looks after the engine: the dead-man service, systemd, the watcher, backups."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from engine.domain.alerts import DeliveryState
from engine.domain.amount_words import lasting
from engine.domain.backups import BackupState
from engine.domain.diagnostics import Area, Check, check_of
from engine.domain.venue_accounts import Grade
from engine.domain.watch_outbox import WatcherState
from engine.ports import Clock
from engine.services.diagnose import Probe
from engine.services.tell_alive import DeadManState

WATCHER = "Watcher"
WATCHER_OLD = timedelta(minutes=1)
WATCHER_ADVICE = (
    "Start it: 'python run.py' does, or 'python -m engine watcher'; data/logs/watcher.log says "
    "why it ended. Without it nobody here notices that the engine is gone."
)
OLD_BACKUPS = 2
"""So many times the interval of the schedule without a new one is a failure."""


@dataclass(frozen=True)
class WatchProbes:
    """Who notices when this engine, or its machine, is gone."""

    dead_man: Callable[[], DeadManState]
    manager_s: float | None

    def __call__(self, _is_deep: bool) -> Iterable[Probe]:
        """From memory."""
        return (Probe(Area.ENGINE, "Watched", self._look),)

    def _look(self) -> Iterator[Check]:
        state = self.dead_man()
        if not state.is_set:
            yield check_of(
                Area.ENGINE, "Dead-man ping", Grade.UNKNOWN, "no address is set",
                "Nobody outside this machine notices when it is gone: make a check at "
                "healthchecks.io or the like, and set QUARTERDECK_DEADMAN_URL.",
            )  # fmt: skip
        else:
            told = f"last answered {state.pinged_at:%H:%M:%S} UTC" if state.pinged_at else "not yet"
            yield check_of(
                Area.ENGINE, "Dead-man ping", Grade.FAILED if state.error else Grade.OK,
                state.error or told, "Correct QUARTERDECK_DEADMAN_URL, or look at the network.",
            )  # fmt: skip
        systemd = f"hears of it every {self.manager_s:.0f} s" if self.manager_s else "does not look"
        yield check_of(Area.ENGINE, "systemd's watchdog", Grade.OK, systemd)


@dataclass(frozen=True)
class WatcherProbes:
    """The watcher, a process of its own; ``read`` gives what it has written down, None where
    none has run yet, and raises DataError."""

    clock: Clock
    read: Callable[[], WatcherState | None]

    def __call__(self, _is_deep: bool) -> Iterable[Probe]:
        """From its file."""
        return (Probe(Area.ENGINE, WATCHER, self._look),)

    def _look(self) -> Iterator[Check]:
        state = self.read()
        if state is None or state.seen_at is None:
            yield check_of(Area.ENGINE, WATCHER, Grade.WARNING, "none runs", WATCHER_ADVICE)
            return
        age = self.clock.now() - state.seen_at
        seen = f"last seen {lasting(age)} ago"
        if age > WATCHER_OLD:
            yield check_of(Area.ENGINE, WATCHER, Grade.WARNING, seen, WATCHER_ADVICE)
            return
        names = ", ".join(f"'{one.name}'" for one in state.listening)
        yield check_of(
            Area.ENGINE, WATCHER, Grade.OK if names else Grade.WARNING,
            f"{seen}; it tells {names or 'nobody'}",
            "Tick 'Engine down' for a channel on the Alerts page: the watcher tells by it.",
        )  # fmt: skip
        if state.unreadable:
            yield check_of(
                Area.ENGINE, "Watcher's view", Grade.WARNING, state.unreadable,
                "Until it can, it does not know of changes to channels, nor of a stop on purpose.",
            )  # fmt: skip
        last = state.deliveries[-1] if state.deliveries else None
        if last is not None and last.state is DeliveryState.FAILED:
            detail = f"the last message through '{last.channel_name}' failed: {last.error}"
            yield check_of(
                Area.ENGINE, "Watcher's messages", Grade.FAILED, detail,
                "Send a test message on the Alerts page.",
            )  # fmt: skip


@dataclass(frozen=True)
class BackupProbes:
    """How old the newest backup is. ``every`` None: the schedule is off."""

    clock: Clock
    state: Callable[[], BackupState]
    every: timedelta | None

    def __call__(self, _is_deep: bool) -> Iterable[Probe]:
        """From memory."""
        return (Probe(Area.BACKUPS, "Newest backup", self._look),)

    def _look(self) -> Iterator[Check]:
        state, every = self.state(), self.every
        if state.failure:
            yield check_of(
                Area.BACKUPS, "Last try", Grade.FAILED, state.failure,
                "It is tried again by itself; the Settings page can make one now.",
            )  # fmt: skip
        advice = "Set QUARTERDECK_BACKUP_EVERY_H, or make one now on the Settings page."
        if state.done_at is None:
            grade = Grade.WARNING if every is None else Grade.UNKNOWN
            soon = "The first is made soon after the engine's start."
            yield check_of(Area.BACKUPS, "Newest backup", grade, "there is none yet",
                           advice if every is None else soon)  # fmt: skip
            return
        age = self.clock.now() - state.done_at
        is_old = every is not None and age > OLD_BACKUPS * every
        grade = Grade.FAILED if is_old else Grade.WARNING if every is None else Grade.OK
        off = "" if every is not None else "; the schedule is off"
        detail = f"{state.name}, {age.total_seconds() / 3600:.1f} h old{off}"
        yield check_of(Area.BACKUPS, "Newest backup", grade, detail, advice)
