"""Row 30 of the fault matrix: a storm of webhooks, copies, replays, strangers and huge bodies."""

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.adapters.store.store import SqlStore
from engine.domain.signals import SignalState, Signature
from engine.services.signal_checks import hmac_of
from tests.fakes.clock import FakeClock
from tests.support.inbox_room import PROXY, TRADINGVIEW, InboxRoom, inbox_room

OPEN = {"action": "open", "side": "long", "symbol": "BTCUSDT"}
IMPATIENT_S = 0.1


@pytest.fixture
def room(tmp_path: Path) -> Iterator[InboxRoom]:
    """An inbox over a real database that waits for nobody for long."""
    store = SqlStore.open(f"sqlite:///{tmp_path / 'state.db'}", busy_timeout_s=IMPATIENT_S)
    with inbox_room(store, FakeClock(datetime.now(UTC)), trusted=(PROXY,)) as room:
        yield room
    store.close()


def test_row_30_four_deliveries_of_one_alert_are_one_signal(room: InboxRoom) -> None:
    """TradingView delivers up to four times when it has no answer within three seconds."""
    key = room.key_of(room.listen(is_tradingview_only=True))
    alert = OPEN | {"timenow": room.clock.now().isoformat()}
    from_there = {"x-forwarded-for": TRADINGVIEW}
    answers = room.post_all([(key, alert)] * 4, from_there, peer=PROXY)
    assert [one.status_code for one in answers] == [200] * 4
    assert sorted(one.json()["is_copy"] for one in answers) == [False, True, True, True]
    [signal] = room.signals
    assert {one.json()["id"] for one in answers} == {signal.id}
    assert (signal.copies, room.begun) == (3, [signal.id])


def test_row_30_a_signed_body_that_is_sent_again_does_nothing_more(room: InboxRoom) -> None:
    bot = room.listen(signature=Signature.HMAC)
    body = json.dumps(OPEN | {"id": "a1"})
    signature = {"x-signature": hmac_of(room.secret_of(bot), body.encode())}
    key = room.key_of(bot)
    for _ in range(3):
        assert room.post(key, body, signature).status_code == 200
        room.clock.advance(86_400)
    room.start()
    assert room.post(key, body, signature).json()["is_copy"], "nor after a restart"
    assert len(room.begun) == 1


def test_row_30_a_bad_key_opens_nothing_and_is_kept_nowhere(room: InboxRoom) -> None:
    key = room.key_of(room.listen())
    guesses = [(key[:-1] + letter, OPEN) for letter in "abcdefgh" if not key.endswith(letter)]
    assert {one.status_code for one in room.post_all(guesses)} == {404}
    assert (room.signals, room.begun) == ([], [])


def test_row_30_a_burst_beyond_the_rate_is_turned_away(room: InboxRoom) -> None:
    key = room.key_of(room.listen(rate_per_minute=20))
    answers = room.post_all([(key, OPEN | {"id": f"a{number}"}) for number in range(100)])
    taken = [one for one in answers if one.status_code == 200]
    assert len(taken) in (20, 21), "the minute may end within"
    assert {one.status_code for one in answers} == {200, 429}
    assert len(room.signals) == len(taken)


def test_row_30_a_body_of_ten_megabytes_is_refused_unread(room: InboxRoom) -> None:
    key = room.key_of(room.listen())
    answer = room.post(key, b"x" * 10_000_000)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    [signal] = room.signals
    assert (signal.state, signal.body) == (SignalState.REFUSED, "")


def test_row_30_what_cannot_be_committed_is_answered_503_and_not_kept(
    room: InboxRoom, tmp_path: Path
) -> None:
    key = room.key_of(room.listen())
    signals = [(key, OPEN | {"id": f"a{number}"}) for number in range(10)]
    other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answers = room.post_all(signals)
    other.execute("ROLLBACK")
    other.close()
    assert {one.status_code for one in answers} == {503}
    assert all("Send it again" in one.json()["error"]["message"] for one in answers)
    assert (room.signals, room.begun) == ([], [])
    assert {one.status_code for one in room.post_all(signals)} == {200}
    assert len(room.signals) == 10
