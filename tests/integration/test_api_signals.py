"""The inbox's part of the API: lists, single signals, replays, test signals, addresses."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from engine.contracts.signals import SignalDetail, SignalPage, WebhookSecrets, WebhookView
from engine.domain.bots import Bot
from engine.domain.signals import Signal, SignalConfig, SignalKind, SignalSource, SignalState
from tests.fakes.clock import START
from tests.fakes.memory_store import MemoryStore
from tests.support.fake_api import error_of
from tests.support.inbox_room import InboxRoom, inbox_room

OPEN = '{"action": "open", "side": "long"}'


@pytest.fixture
def room() -> Iterator[InboxRoom]:
    """A room over memory."""
    with inbox_room(MemoryStore()) as room:
        yield room


@pytest.fixture
def bot(room: InboxRoom) -> Bot:
    """A bot that listens."""
    return room.listen()


def put(room: InboxRoom, number: int, **changes: Any) -> Signal:
    """A signal that is in the inbox."""
    fields: dict[str, Any] = {
        "id": f"s{number}", "source": SignalSource.WEBHOOK, "sender": "b0000001",
        "bot_id": "b0000001", "digest": f"d{number}", "content_type": "application/json",
        "received_at": START + timedelta(seconds=number), "body": OPEN,
        "state": SignalState.HELD, "outcome": "It was long already.",
    }  # fmt: skip
    signal = Signal.model_validate(fields | changes)
    with room.store.transaction() as tx:
        tx.signals.add(signal)
    return signal


def page_of(room: InboxRoom, **query: Any) -> SignalPage:
    """A page of the list."""
    return SignalPage.model_validate(ok(room.ask("GET", "/signals", params=query)))


def ok(answer: httpx.Response) -> Any:
    """The document of an answer that is a success."""
    assert answer.status_code == 200, answer.text
    return answer.json()


def refusal(answer: httpx.Response, status: int) -> str:
    """The sentence of a refusal."""
    assert answer.status_code == status, answer.text
    message: str = error_of(answer)["message"]
    return message


# --- to look at ----------------------------------------------------------------------------------


def test_the_list_is_newest_first_in_pages(room: InboxRoom, bot: Bot) -> None:
    for number in range(5):
        put(room, number, body=f"{number}" * 500)
    page = page_of(room, limit=2, offset=1)
    assert [one.id for one in page.items] == ["s3", "s2"]
    assert page.count == 5
    assert page.items[0].excerpt == "3" * 200
    assert page.items[0].bot_name == bot.config.name


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"source": "metatrader"}, ["s1"]),
        ({"kind": "prices"}, ["s1"]),
        ({"state": "refused"}, ["s2"]),
        ({"bot": "b0000001"}, ["s3", "s2", "s0"]),
        ({"bot": "BOT b0000001"}, ["s3", "s2", "s0"]),
        ({"bot": "gone"}, []),
        ({"sender": "paper:mt5"}, ["s1"]),
        ({"search": "ALREADY"}, ["s3", "s1", "s0"]),
        ({"search": "hodl"}, ["s2"]),
        ({"since": "2026-03-02T12:00:01Z", "until": "2026-03-02T12:00:03Z"}, ["s2", "s1"]),
    ],
)
def test_the_list_is_narrowed(
    room: InboxRoom, bot: Bot, query: dict[str, Any], found: list[str]
) -> None:
    put(room, 0)
    put(room, 1, source=SignalSource.METATRADER, kind=SignalKind.PRICES, sender="paper:mt5",
        bot_id=None)  # fmt: skip
    put(room, 2, state=SignalState.REFUSED, body="hodl", outcome="It cannot be used.")
    put(room, 3)
    page = page_of(room, **query)
    assert [one.id for one in page.items] == found
    assert page.count == len(found)


def test_a_list_of_nothing_sensible_is_refused(room: InboxRoom) -> None:
    wrong = {"since": "2026-03-02T12:00:01Z", "until": "2026-03-02T12:00:01Z"}
    assert "since must be before until" in refusal(room.ask("GET", "/signals", params=wrong), 422)


def test_one_signal_has_its_body_whole(room: InboxRoom, bot: Bot) -> None:
    signal = put(room, 1, body="x" * 60_000)
    put(room, 2, replay_of="s1")
    put(room, 3, replay_of="s1")
    detail = SignalDetail.model_validate(ok(room.ask("GET", "/signals/s1")))
    assert detail.signal == signal
    assert (detail.bot_name, detail.replays) == (bot.config.name, ("s3", "s2"))
    assert (detail.objection, detail.can_replay) == (None, True)
    assert "no signal 'nobody'" in refusal(room.ask("GET", "/signals/nobody"), 404)


# --- replays -------------------------------------------------------------------------------------


def test_a_replay_is_a_signal_of_its_own_that_comes_now(room: InboxRoom, bot: Bot) -> None:
    first = put(room, 1)
    room.clock.advance(3_600)
    answer = ok(room.ask("POST", "/signals/s1/replay"))
    _, replay = room.signals
    assert (replay.id, replay.replay_of, replay.body) == (answer["id"], first.id, OPEN)
    assert (replay.source, replay.state) == (SignalSource.PANEL, SignalState.RECEIVED)
    assert (replay.received_at, replay.sent_at) == (room.clock.now(), None)
    assert replay.order is not None
    assert replay.digest != first.digest
    assert room.begun == [replay.id]
    with room.store.reading() as tx:
        [entry] = tx.audit.select(action="signal.replay")
    assert (entry.actor, entry.subject) == ("ada", bot.id)
    assert entry.detail == {"signal": "s1", "replay": replay.id}


@pytest.mark.parametrize(
    ("state", "words"),
    [(SignalState.ACTED, "acted on already"), (SignalState.REFUSED, "was refused")],
)
def test_what_was_settled_is_replayed_by_force_alone(
    room: InboxRoom, bot: Bot, state: SignalState, words: str
) -> None:
    put(room, 1, state=state)
    for body in (None, {"force": False}):
        assert words in refusal(room.ask("POST", "/signals/s1/replay", json=body), 409)
    assert room.begun == []
    ok(room.ask("POST", "/signals/s1/replay", json={"force": True}))
    assert len(room.begun) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": SignalKind.PRICES}, "asks for something"),
        ({"bot_id": "gone"}, "bot is gone"),
        ({"bot_id": "b0000002"}, "does not listen"),
        ({"state": SignalState.RECEIVED}, "wait a moment"),
    ],
)
def test_what_cannot_be_replayed_says_why(
    room: InboxRoom, bot: Bot, changes: dict[str, Any], words: str
) -> None:
    deaf = room.listen("b0000002")
    with room.books.writing() as writing:
        config = deaf.config.model_copy(update={"signals": None})
        writing.save_bot(deaf.id, config=config)
    put(room, 1, **changes)
    detail = SignalDetail.model_validate(ok(room.ask("GET", "/signals/s1")))
    assert not detail.can_replay
    message = refusal(room.ask("POST", "/signals/s1/replay", json={"force": True}), 409)
    assert message == detail.objection
    assert words in message.replace("ask for", "asks for")


@pytest.mark.parametrize("word", ["hodl", "DOGEUSDT"])
def test_a_replay_of_what_cannot_be_used_says_so(room: InboxRoom, bot: Bot, word: str) -> None:
    body = f'{{"action": "{word}"}}' if word == "hodl" else f"buy {word}"
    put(room, 1, body=body, content_type="text/plain", state=SignalState.REFUSED)
    answer = room.ask("POST", "/signals/s1/replay", json={"force": True})
    assert word in refusal(answer, 422)
    assert len(room.signals) == 1


# --- test signals --------------------------------------------------------------------------------


def send(room: InboxRoom, body: str, bot: str = "b0000001") -> httpx.Response:
    """Send a test signal; the desk waits for the loop, so it may not be the loop's own thread."""
    return room.ask("POST", "/signals/test", json={"bot": bot, "body": body})


def test_a_test_signal_goes_the_way_of_a_real_one(room: InboxRoom, bot: Bot) -> None:
    answer = ok(send(room, OPEN))
    [signal] = room.signals
    assert (answer["id"], answer["is_copy"]) == (signal.id, False)
    assert (signal.source, signal.bot_id, signal.body) == (SignalSource.PANEL, bot.id, OPEN)
    assert room.begun == [signal.id]
    assert ok(send(room, OPEN))["is_copy"], "and is the same again like a real one"
    with room.store.reading() as tx:
        [entry, _] = tx.audit.select(action="signal.test")
    assert (entry.actor, entry.detail) == ("ada", {"signal": signal.id})


def test_a_test_signal_is_refused_like_a_real_one(room: InboxRoom, bot: Bot) -> None:
    assert "hodl" in refusal(send(room, '{"action": "hodl"}'), 422)
    assert [one.state for one in room.signals] == [SignalState.REFUSED]
    assert "no bot 'nobody'" in refusal(send(room, OPEN, bot="nobody"), 404)
    deaf = room.listen("b0000002")
    with room.books.writing() as writing:
        config = deaf.config.model_copy(update={"signals": None})
        writing.save_bot(deaf.id, config=config)
    assert "does not listen" in refusal(send(room, OPEN, bot=deaf.id), 409)


# --- addresses -----------------------------------------------------------------------------------


def test_a_bots_address_is_shown_without_its_key(room: InboxRoom, bot: Bot) -> None:
    path = f"/bots/{bot.id}/webhook"
    assert not WebhookView.model_validate(ok(room.ask("GET", path))).is_open, "none was made yet"
    room.runner.run(room.expectations.check())
    answer = room.ask("GET", path)
    view = WebhookView.model_validate(ok(answer))
    secrets = WebhookSecrets.model_validate(ok(room.ask("POST", path)))
    assert (view.is_open, view.config, view.objection) == (True, SignalConfig(), None)
    assert [one.url for one in view.addresses] == ["http://127.0.0.1:8710/webhook/…"]
    assert [one.url for one in secrets.addresses] == [
        f"http://127.0.0.1:8710/webhook/{secrets.key}"
    ]
    for told in (answer.text, repr(secrets), str(view)):
        assert secrets.key not in told
        assert secrets.signing_secret not in told
    with room.store.reading() as tx:
        actors = [(one.actor, one.action) for one in tx.audit.select()]
    assert ("ada", "webhook.show") in actors


@pytest.mark.parametrize(
    ("body", "changed"),
    [(None, {"key", "secret"}), ({"secret": False}, {"key"}), ({"key": False}, {"secret"})],
)
def test_key_and_secret_are_made_anew(
    room: InboxRoom, bot: Bot, body: dict[str, bool] | None, changed: set[str]
) -> None:
    path = f"/bots/{bot.id}/webhook"
    before = ok(room.ask("POST", path))
    after = ok(room.ask("POST", f"{path}/rotate", json=body))
    assert (after["key"] != before["key"]) == ("key" in changed)
    assert (after["signing_secret"] != before["signing_secret"]) == ("secret" in changed)
    assert ok(room.ask("POST", path)) == after


def test_an_address_that_cannot_be_had_says_why(room: InboxRoom, bot: Bot) -> None:
    nothing = {"key": False, "secret": False}
    answer = room.ask("POST", f"/bots/{bot.id}/webhook/rotate", json=nothing)
    assert "choose the key, the secret or both" in refusal(answer, 422)
    with room.books.writing() as writing:
        writing.save_bot(bot.id, config=bot.config.model_copy(update={"signals": None}))
    for path in ("webhook", "webhook/rotate"):
        message = refusal(room.ask("POST", f"/bots/{bot.id}/{path}"), 409)
        assert "switch them on" in message
    assert not ok(room.ask("GET", f"/bots/{bot.id}/webhook"))["is_open"]
    assert "no bot 'nobody'" in refusal(room.ask("GET", "/bots/nobody/webhook"), 404)


def test_an_address_tells_what_is_in_the_way(room: InboxRoom) -> None:
    bot = room.listen("b0000003", is_tradingview_only=True)
    room.runner.run(room.expectations.check())
    view = ok(room.ask("GET", f"/bots/{bot.id}/webhook"))
    assert "QUARTERDECK_TRUSTED_PROXIES" in view["objection"]
    signed = room.listen("b0000004", signature="hmac")
    room.runner.run(room.expectations.check())
    room.start()
    room.vault.is_locked = True
    assert "is gone" in ok(room.ask("GET", f"/bots/{signed.id}/webhook"))["objection"]
