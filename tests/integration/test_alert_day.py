"""A day with 50 bots on an accelerated clock, 20 times ``kill -9``: each event is told once.

The bots really trade, the messages really go through Twilio's SDK, the engine is really killed, at
random moments and right after random commits, and Twilio has its troubles. What is killed is
``tests.support.alert_engine``.
"""

import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from engine.adapters.store.store import SqlStore
from engine.domain.alert_kinds import alert_kind
from engine.domain.alerts import Alert, AlertKind, Delivery, DeliveryState
from engine.domain.losses import REARMED_BELOW
from engine.domain.positions import Position, Trade
from engine.domain.records import EquityPoint, Event
from engine.services.summaries import LATE_AFTER
from tests.fakes.twilio_server import TwilioServer, twilio_server
from tests.support.alert_engine import (
    BEGIN,
    BOTS,
    DAY_STEPS,
    RESUMED,
    SLEEPER,
    StepFile,
    bot_id,
    open_store,
)
from tests.support.processes import begin
from tooling.processes import Process, kill_group

K = AlertKind
S = DeliveryState
KILLS = 20
SEED = 20261126
LONGEST_DELAY_S = 0.15
"""After a step was seen: anywhere within the steps that follow."""

MOST_COMMITS = 60
"""A step in which bots trade has some more."""

BEFORE_NOON = DAY_STEPS // 2 - 1
DOWN_STEPS = (0, 0, 1, 2)
"""How long the engine is down after a kill."""

TROUBLES = (
    ("cut_after_accept", ""), ("down", ""), ("rate_limited", "5"), ("cut", ""), ("garbage", ""),
    ("broken", ""),
)  # fmt: skip
PATIENCE_S = 300.0


class Play:
    """The engine's lives, one after the other."""

    def __init__(self, folder: Path, twilio: TwilioServer, steps: StepFile) -> None:
        self._folder = folder
        self._twilio = twilio
        self._steps = steps
        self._dice = random.Random(SEED)
        self._process: Process | None = None

    def play(self) -> None:
        """Kill at random moments, then let it come to the end of the day."""
        moments = [*self._dice.sample(range(BEFORE_NOON), 9), BEFORE_NOON]
        moments += self._dice.sample(range(BEFORE_NOON + 4, DAY_STEPS - 8), KILLS - len(moments))
        for number, moment in enumerate(sorted(moments)):
            self._twilio.fail(*TROUBLES[number % len(TROUBLES)])
            if number % 2 or moment == BEFORE_NOON:
                self._live_until(moment)
            else:
                self._live_to_a_commit(moment)
            # It is down at noon, for half an hour: a summary is missed.
            down = 3 if moment == BEFORE_NOON else self._dice.choice(DOWN_STEPS)
            self._steps.count += down
        self._process = process = self._start()
        self._wait_for(lambda: process.poll() is not None)
        assert process.wait() == 0, self._words()

    def close(self) -> None:
        """End it, whatever went wrong."""
        if self._process is not None and self._process.poll() is None:
            kill_group(self._process)

    def _live_until(self, moment: int) -> None:
        self._process = process = self._start()
        self._wait_for(lambda: self._steps.count >= moment or process.poll() is not None)
        time.sleep(0 if moment == BEFORE_NOON else self._dice.uniform(0, LONGEST_DELAY_S))
        assert process.poll() is None, self._words()
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL

    def _live_to_a_commit(self, moment: int) -> None:
        """Until the engine dies by itself, between one commit and what would have followed it."""
        self._process = process = self._start(moment, self._dice.randint(1, MOST_COMMITS))
        self._wait_for(lambda: process.poll() is not None)
        assert process.wait() == -signal.SIGKILL, self._words()

    def _start(self, moment: int = 0, commits: int = -1) -> Process:
        arguments = ["tests.support.alert_day", str(self._folder), self._twilio.url,
                     str(moment), str(commits)]  # fmt: skip
        return begin(arguments, os.environ, self._folder / "engine.out")

    def _wait_for(self, is_so: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE_S
        while not is_so():
            assert time.monotonic() < until, self._words()
            time.sleep(0.005)

    def _words(self) -> str:
        return (self._folder / "engine.out").read_text()[-3_000:]


@dataclass(frozen=True)
class Day:
    """What a day has left: in the database, and at Twilio."""

    events: Sequence[Event]
    alerts: Sequence[Alert]
    deliveries: Sequence[Delivery]
    positions: Sequence[Position]
    trades: Sequence[Trade]
    equity: Sequence[EquityPoint]
    messages: Sequence[tuple[str, str]]
    requests: int

    @classmethod
    def read(cls, store: SqlStore, twilio: TwilioServer) -> "Day":
        """All of it."""
        with store.reading() as tx:
            return cls(
                tx.events.select(), tx.alerts.select(), tx.deliveries.select(),
                tx.positions.select(), tx.trades.select(), tx.equity.select(),
                [(one["sid"], one["body"]) for one in twilio.messages],
                sum(one.method == "POST" for one in twilio.requests),
            )  # fmt: skip

    def has_recovered(self, drawdown: Event, until: datetime) -> bool:
        """Whether less than half of what was set was left of it before ``until``."""
        enough = 1 - REARMED_BELOW * Decimal(drawdown.data["limit"])
        return any(
            one.equity >= Decimal(drawdown.data["of"]) * enough for one in self.equity
            if one.bot_id == drawdown.bot_id and drawdown.time < one.time <= until
        )  # fmt: skip

    def told(self, *kinds: AlertKind) -> list[Event]:
        """Events that are alerts of these kinds."""
        return [one for one in self.events if alert_kind(one) in kinds]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """The one that all of these tests look at."""
    folder = tmp_path_factory.mktemp("day")
    steps = StepFile(folder / "steps")
    with twilio_server(now=steps.now) as twilio:
        play = Play(folder, twilio, steps)
        try:
            play.play()
            store = open_store(folder)
            yield Day.read(store, twilio)
            store.close()
        finally:
            play.close()


def test_every_event_worth_it_is_one_alert_and_one_delivery(day: Day) -> None:
    worth = {one.id: kind for one in day.events if (kind := alert_kind(one)) is not None}
    assert {one.id: one.kind for one in day.alerts} == worth
    assert len(day.alerts) == len(worth) > 500
    own = [one for one in day.deliveries if not one.is_digest]
    told = Counter(one.alert_id for one in own)
    # That the only channel fails is told through no other.
    wanted = Counter(key for key, kind in worth.items() if kind is not K.CHANNEL_FAILED)
    assert told == wanted
    assert {one.state for one in own} == {S.SENT, S.DIGESTED}, "nothing is lost, or in doubt"


def test_every_delivery_is_told_in_one_sms_and_there_is_no_other(day: Day) -> None:
    sent = [one for one in day.deliveries if one.state is S.SENT]
    digests = {one.id: one for one in day.deliveries if one.is_digest}
    assert {one.state for one in digests.values()} == {S.SENT}
    members = Counter(one.digest_id for one in day.deliveries if one.state is S.DIGESTED)
    assert members.keys() == digests.keys()
    assert all(digests[key].title.startswith(f"{count} alerts") for key, count in members.items())
    assert len({sid for sid, _ in day.messages}) == len(day.messages)
    assert Counter(day.messages) == Counter((one.provider_id, one.text) for one in sent)
    assert day.requests >= len(day.messages) + 3, "Twilio has refused some"


def test_each_position_is_told_when_it_opens_and_when_it_closes(day: Day) -> None:
    opened = Counter(one.data["position_id"] for one in day.told(K.POSITION_OPENED))
    assert opened == Counter(one.id for one in day.positions)
    closed = day.told(K.POSITION_CLOSED, K.STOP_HIT, K.TARGET_HIT)
    assert Counter(one.data["trade_id"] for one in closed) == Counter(one.id for one in day.trades)
    pnl = {one.id: one.pnl for one in day.trades}
    assert all(str(pnl[one.data["trade_id"]]) == one.data["pnl"] for one in closed)
    assert all(day.told(kind) for kind in (K.POSITION_CLOSED, K.STOP_HIT, K.TARGET_HIT))
    assert len(day.trades) > 100


def test_the_summaries_come_once_each_and_a_missed_one_is_late(day: Day) -> None:
    told = {one.id: one for one in day.told(K.SUMMARY_6H, K.SUMMARY_DAILY, K.SUMMARY_WEEKLY)}
    ends = {f"summary_6h-2026-03-{day:02}T{hour:02}": BEGIN + timedelta(hours=24 * (day - 2) + hour)
            for day, hour in ((2, 6), (2, 12), (2, 18), (3, 0))}  # fmt: skip
    ends["summary_daily-2026-03-03"] = BEGIN + timedelta(days=1)
    assert told.keys() == ends.keys()
    for key, one in told.items():
        assert one.data["late"] is (one.time - ends[key] > LATE_AFTER)
        assert (", late: " in one.message) is one.data["late"]
    summed = sum(one.data["money"][0]["won"] for key, one in told.items() if "_6h" in key)
    assert told["summary_daily-2026-03-03"].data["money"][0]["won"] == summed


def test_each_start_is_told_and_that_the_engine_had_died(day: Day) -> None:
    starts = day.told(K.ENGINE_STARTED)
    assert [one.data["after_crash"] for one in starts[1:]] == [True] * (len(starts) - 1)
    # A life that was killed before it had started has told nothing.
    assert KILLS // 2 < len(starts) <= KILLS + 1


def test_what_happens_once_is_told_once(day: Day) -> None:
    kinds = Counter(one.kind for one in day.alerts)
    once = (K.BOT_FAULTED, K.MANUAL, K.PRICE)
    assert [kinds[kind] for kind in once] == [1, 1, 1]
    assert kinds[K.CONTROL] == 2, "the kill switch was pulled, and released"
    started = Counter(one.bot_id for one in day.told(K.BOT_STARTED))
    expected = Counter(bot_id(number) for number in range(BOTS))
    expected[bot_id(RESUMED)] += 1
    del expected[bot_id(SLEEPER)]  # it began asleep
    assert started == expected
    assert len(day.told(K.BOT_SLEEPING)) == 3
    assert len(day.told(K.BOT_STOPPED)) == 2, "one was paused, one was stopped"


def test_a_loss_is_told_once_a_day_and_bot(day: Day) -> None:
    daily = Counter((one.bot_id, one.time.date()) for one in day.told(K.DAILY_LOSS))
    assert set(daily.values()) == {1}
    assert (None, BEGIN.date()) in daily
    by_bot: dict[str | None, list[Event]] = defaultdict(list)
    for one in day.told(K.DRAWDOWN):
        for before in by_bot[one.bot_id][-1:]:
            assert depth(one) > depth(before) or day.has_recovered(before, one.time), one.message
        by_bot[one.bot_id].append(one)
    assert len(by_bot) > BOTS // 2


def depth(drawdown: Event) -> int:
    """How many times what was set it was."""
    return int(Decimal(drawdown.data["fraction"]) / Decimal(drawdown.data["limit"]))
