"""The engine dies at every step of a message's way, on either database: it arrives once."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from engine.adapters.store.store import SqlStore
from engine.domain.alerts import DeliveryState
from engine.domain.records import Level
from engine.ports import Store
from tests.fakes.clock import START, FakeClock
from tests.fakes.memory_store import MemoryStore
from tests.support.alert_room import MAIL, PHONE, AlertRoom, channel

S = DeliveryState


class Died(BaseException):
    """The engine is killed here."""


class Commits:
    """A store that counts commits, and dies before or after one of them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.count = 0
        self.dies_at: tuple[int, str] | None = None

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)

    def transaction(self) -> "Dying":
        return Dying(self)


class Dying:
    """One transaction of ``Commits``."""

    def __init__(self, commits: Commits) -> None:
        self._commits = commits
        self._inner = commits.store.transaction()

    def __enter__(self) -> object:
        return self._inner.__enter__()

    def __exit__(self, kind: object, error: object, trace: object) -> bool | None:
        commits = self._commits
        commits.count += 1
        at, when = commits.dies_at or (0, "")
        if kind is None and at == commits.count and when == "before":
            died = Died()
            self._inner.__exit__(Died, died, None)
            raise died
        result = self._inner.__exit__(kind, error, trace)  # type: ignore[arg-type]
        if kind is None and at == commits.count and when == "after":
            raise Died
        return result


@pytest.fixture(params=["memory", "sqlite"], scope="module")
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """One of either kind, that is emptied again and again."""
    if request.param == "memory":
        yield MemoryStore()
        return
    opened = SqlStore.open(f"sqlite:///{tmp_path_factory.mktemp('outbox') / 'state.db'}")
    yield opened
    opened.close()


def emptied(store: Store) -> Commits:
    """Without a channel, an alert or a delivery."""
    with store.transaction() as tx:
        for repository in (tx.deliveries, tx.alerts, tx.channels):
            repository.prune(START + timedelta(days=9))
    return Commits(store)


def run(room: AlertRoom) -> None:
    """As an engine does it, and the next one after it has died."""
    for _ in range(8):
        try:
            room.round(31)
        except Died:
            room.provider.before_send = room.provider.after_send = None
            room.restart()


def prepared(store: Commits, *, can_find: bool, alerts: int) -> AlertRoom:
    """A room with something to tell: one alert, or so many that they become a digest."""
    room = AlertRoom(store, FakeClock())  # type: ignore[arg-type]
    room.provider.can_find = can_find
    room.add(channel(digest_above=2))
    for number in range(alerts):
        room.tell(f"number {number}")
    store.count = 0
    return room


@pytest.mark.parametrize("alerts", [1, 4])
@pytest.mark.parametrize("can_find", [True, False])
def test_at_every_commit(store: Store, can_find: bool, alerts: int) -> None:
    """Route, take (with its digest), settle: before and after each commit of a whole run."""
    counted = emptied(store)
    run(prepared(counted, can_find=can_find, alerts=alerts))
    commits = counted.count
    assert commits == 3, "a step has come or gone: this test is to know it"
    for at in range(1, commits + 1):
        for when in ("before", "after"):
            dying = emptied(store)
            room = prepared(dying, can_find=can_find, alerts=alerts)
            dying.dies_at = at, when
            run(room)
            states = {one.state for one in room.deliveries()} - {S.DIGESTED}
            arrived = len(room.provider.arrivals)
            if can_find or (at, when) in [(1, "before"), (1, "after"), (2, "before"), (3, "after")]:
                assert (states, arrived) == ({S.SENT}, 1), (at, when)
            else:
                was_sent = at == 3
                assert (states, arrived) == ({S.UNCERTAIN}, int(was_sent)), (at, when)


@pytest.mark.parametrize("where", ["before_send", "after_send"])
def test_around_the_send(store: Store, where: str) -> None:
    def die() -> None:
        raise Died

    room = prepared(emptied(store), can_find=True, alerts=1)
    setattr(room.provider, where, die)
    run(room)
    assert room.states() == [S.SENT]
    assert len(room.provider.arrivals) == 1
    assert room.deliveries()[0].attempts == (2 if where == "before_send" else 1)


def test_the_whole_way_on_either_database(store: Store) -> None:
    """A digest that is refused, those that take over, a person's second try, and the figures."""
    room = AlertRoom(emptied(store), FakeClock())  # type: ignore[arg-type]
    room.add(channel(PHONE, digest_above=2, escalate_to=MAIL), channel(MAIL, kinds=()))
    room.provider.script.append("refused")
    for level in (Level.INFO, Level.WARNING, Level.ERROR):
        room.tell(f"so {level}", level=level)
    room.rounds(2, 1)
    [digest] = [one for one in room.deliveries() if one.is_digest]
    assert (digest.state, digest.is_escalated) == (S.FAILED, True)
    assert [one.splitlines()[0] for one in room.provider.texts(MAIL)] == ["so error", "so warning"]
    again = room.sender.send_again(digest.id, "anna")
    room.round(1)
    assert room.provider.references(PHONE) == [again.id]
    assert room.sender.send_again(digest.id, "anna").id.endswith("~2")
    room.delete(PHONE)
    room.round(1)
    assert room.states(state=[S.DROPPED, S.DIGESTED]).count(S.DROPPED) == 1
    figures = room.figures.read()
    phone, mail = figures.channels[PHONE], figures.channels[MAIL]
    assert (phone.sent_today, phone.failed_today, mail.sent_today) == (1, 1, 2)
    assert (figures.waiting, figures.new_alerts) == (0, 0)
