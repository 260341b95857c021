"""Alerts, faults, deaths of the engine, clocks that jump, channels that change: in any order."""

from collections import Counter
from collections.abc import Callable
from datetime import time, timedelta
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from engine.domain.alerts import AlertState, Delivery, DeliveryState, QuietHours
from engine.domain.delivery_rules import LOOK_UPS
from engine.domain.records import Level
from engine.errors import StoreError
from tests.fakes.memory_store import MemoryStore
from tests.stateful.counting import CountingMachine
from tests.support.alert_room import MAIL, PHONE, AlertRoom, channel

S = DeliveryState
FAULTS = ("busy", "refused", "unsure-before", "unsure-after", "broken")
QUIET = QuietHours(start=time(22), end=time(7), zone="Europe/Berlin")


LEVELS = st.sampled_from([Level.INFO, Level.WARNING, Level.ERROR])


class Died(BaseException):
    """The engine is killed at this very place."""


class OutboxMachine(CountingMachine):
    """The telephone can be asked what has arrived, and is never switched off; the mail is neither.

    After each step: nobody was told an alert twice. In the end, once the providers are well: all
    that was to be told has been told, exactly once where that can be known.
    """

    deaths: ClassVar[int] = 0
    digests: ClassVar[int] = 0

    @initialize(
        above=st.sampled_from([2, 5, 1_000]),
        escalates=st.booleans(),
        lateness=st.sampled_from(range(LOOK_UPS)),
    )
    def begin(self, above: int, escalates: bool, lateness: int) -> None:
        """The provider lists a message late, but no later than it is asked."""
        self.store = MemoryStore()
        self.room = AlertRoom(self.store)
        self.room.provider.blind.add(MAIL)
        self.room.provider.lateness = lateness
        self.room.add(
            channel(PHONE, digest_above=above, escalate_to=MAIL if escalates else ""),
            channel(MAIL, digest_above=above, escalate_to=PHONE if escalates else ""),
        )

    # --- what happens ---------------------------------------------------------------------------

    @rule(count=st.integers(1, 4), level=LEVELS)
    def tell(self, count: int, level: Level) -> None:
        for _ in range(count):
            self.room.tell("Something", level=level)

    @rule(steps=st.lists(st.sampled_from(FAULTS), min_size=1, max_size=3), level=LEVELS)
    def go_wrong(self, steps: list[str], level: Level) -> None:
        """Something is told while the providers are not well."""
        self.room.provider.script.extend(steps)
        self.room.tell("Something", level=level)
        self._living(lambda: self.room.round(1))

    @rule(busy=st.integers(1, 2))
    def break_finding(self, busy: int) -> None:
        self.room.provider.finds.extend(["busy"] * busy)

    @rule(after_s=st.sampled_from([31.0, 7.0, 400.0, 4_000.0]))
    def work(self, after_s: float) -> None:
        self._living(lambda: self.room.round(after_s))

    @rule(where=st.sampled_from(["before_commit", "after_commit", "before_send", "after_send"]),
          skip=st.integers(0, 4), level=LEVELS)  # fmt: skip
    def die(self, where: str, skip: int, level: Level) -> None:
        """At the next such moment but ``skip``, within the next round."""
        left = [skip]
        for _ in range(2):
            self.room.tell("Something", level=level)

        def maybe() -> None:
            left[0] -= 1
            if left[0] < 0:
                raise Died

        owner = self.store if where.endswith("commit") else self.room.provider
        setattr(owner, where, maybe)
        self._living(lambda: self.room.round(1))
        setattr(owner, where, None)

    @rule(skip=st.integers(0, 5))
    def fill_the_disk(self, skip: int) -> None:
        left = [skip]
        self.room.tell("Something")

        def full() -> None:
            left[0] -= 1
            if left[0] < 0:
                raise StoreError("The disk is full.")

        self.store.before_commit = full
        self._living(lambda: self.room.round(1))
        self.store.before_commit = None

    @rule()
    def restart(self) -> None:
        self.room.restart()

    @rule(hours=st.sampled_from([-2, -1, 1, 9, 25]))
    def set_the_clock(self, hours: int) -> None:
        self.room.clock.current += timedelta(hours=hours)

    @rule(on=st.booleans(), who=st.sampled_from([PHONE, MAIL]))
    def silence(self, on: bool, who: str) -> None:
        quiet = QUIET if on else None
        self.room.change(who, quiet=quiet, updated_at=self.room.clock.now())

    @rule(on=st.booleans())
    def switch_mail(self, on: bool) -> None:
        self.room.change(MAIL, is_enabled=on)

    @rule(allowed=st.sampled_from([None, 0, 1, 3]))
    def limit(self, allowed: int | None) -> None:
        self.room.rates.allowed = allowed

    @precondition(lambda self: self.room.states(state=[S.FAILED, S.UNCERTAIN]))
    @rule()
    def nothing_final_moves(self) -> None:
        before = {one.id: one.state for one in self.room.deliveries(state=[S.FAILED, S.UNCERTAIN])}
        self._living(lambda: self.room.round(60))
        after = {one.id: one.state for one in self.room.deliveries()}
        assert all(after[key] is state for key, state in before.items())

    # --- what holds -----------------------------------------------------------------------------

    def check(self) -> None:
        """Nobody was told anything twice."""
        told: Counter[str] = Counter()
        members: dict[str, list[Delivery]] = {}
        for one in self.room.deliveries():
            members.setdefault(one.digest_id, []).append(one)
        for reference in self.room.provider.references():
            told.update([reference, *(one.id for one in members.get(reference, ()))])
        assert not [one for one, count in told.items() if count > 1]
        self.told = told

    def teardown(self) -> None:
        if hasattr(self, "room"):
            self._recover()
            self._check_all()
        super().teardown()

    def _recover(self) -> None:
        """Everything is well from now on, for days."""
        provider = self.room.provider
        provider.script.clear()
        provider.finds.clear()
        self.room.rates.allowed = None
        self.room.change(PHONE, quiet=None)
        self.room.change(MAIL, quiet=None)
        for _ in range(6):
            self.room.round(3_600)
        for _ in range(4):
            self.room.round(24 * 3_600)
        self.check()

    def _check_all(self) -> None:
        rows = {one.id: one for one in self.room.deliveries()}
        OutboxMachine.digests += sum(one.is_digest for one in rows.values())
        for one in rows.values():
            decided = rows[one.digest_id] if one.state is S.DIGESTED else one
            arrived = self.told[one.id]
            assert decided.state not in (S.WAITING, S.SENDING, S.DIGESTED), decided
            if decided.state is S.SENT:
                assert arrived == 1, decided
            elif decided.state is S.UNCERTAIN:
                assert one.channel_id == MAIL
            else:
                assert arrived == 0, decided
        with self.store.reading() as tx:
            alerts = tx.alerts.select()
        assert all(one.state is AlertState.ROUTED for one in alerts)
        for alert in alerts:
            is_of_phone = alert.data.get("channel_id") == PHONE
            assert is_of_phone or f"{alert.id}:{PHONE}" in rows, "an alert was lost"

    def _living(self, act: Callable[[], object]) -> None:
        """Whatever it does: an engine that dies is started anew."""
        try:
            act()
        except StoreError:
            pass
        except Died:
            OutboxMachine.deaths += 1
            for name in ("before_commit", "after_commit"):
                setattr(self.store, name, None)
            self.room.provider.before_send = self.room.provider.after_send = None
            self.room.restart()
        self.check()
