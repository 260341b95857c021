"""Signals over HTTP: from the address to the store, and each sentence of what is refused."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from engine.adapters.store.store import SqlStore
from engine.api import routes_inbox
from engine.contracts.signals import MAX_SIGNAL_BYTES
from engine.domain.bots import Bot
from engine.domain.positions import PositionSide
from engine.domain.signals import (
    SignalAction,
    SignalSource,
    SignalState,
    Signature,
)
from engine.errors import StoreError
from engine.services.receive_signal import MAX_BYTES
from engine.services.signal_checks import hmac_of
from tests.fakes.clock import FakeClock
from tests.support.fake_api import error_of
from tests.support.inbox_room import PROXY, STRANGER, TRADINGVIEW, InboxRoom, inbox_room

OPEN = {"action": "open", "side": "long", "symbol": "BTCUSDT"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    """One database for all; each test empties what it is about."""
    store = SqlStore.open(f"sqlite:///{tmp_path_factory.mktemp('inbox') / 'state.db'}")
    yield store
    store.close()


@pytest.fixture
def empty(store: SqlStore) -> SqlStore:
    """Nothing of the test before."""
    with store.transaction() as tx:
        for repository in (tx.signals, tx.events):
            repository.prune(datetime.max.replace(tzinfo=UTC))
        for bot in tx.bots.select():
            tx.bots.delete(bot.id)
    return store


@pytest.fixture
def room(empty: SqlStore) -> Iterator[InboxRoom]:
    """A room whose time is that of the machine: the library of Standard Webhooks goes by it."""
    with inbox_room(empty, FakeClock(datetime.now(UTC)), trusted=(PROXY,)) as room:
        yield room


def refused(answer: httpx.Response, status: int, code: str) -> str:
    """The sentence of a refusal."""
    error = error_of(answer)
    assert (answer.status_code, error["code"]) == (status, code), error
    message: str = error["message"]
    return message


# --- what is taken -------------------------------------------------------------------------------


def test_a_signal_is_in_the_inbox_before_it_is_answered(room: InboxRoom) -> None:
    bot = room.listen()
    body = OPEN | {"quantity": "100", "price": 61000.5, "id": "a1"}
    answer = room.post(room.key_of(bot), body)
    assert answer.status_code == 200
    [signal] = room.signals
    assert answer.json() == {"id": signal.id, "is_copy": False, "message": ""}
    assert (signal.sender, signal.bot_id, signal.address) == (bot.id, bot.id, STRANGER)
    assert (signal.state, signal.source) == (SignalState.RECEIVED, SignalSource.WEBHOOK)
    assert (signal.body, signal.content_type) == (json.dumps(body), "application/json")
    assert signal.received_at == room.clock.now()
    assert signal.order is not None
    assert (signal.order.action, signal.order.side) == (SignalAction.OPEN, PositionSide.LONG)
    assert room.begun == [signal.id]


def test_text_is_taken_too(room: InboxRoom) -> None:
    answer = room.post(room.key_of(room.listen()), "buy BTCUSDT 100 USDT")
    assert answer.status_code == 200
    assert room.signals[0].order is not None


def test_an_alert_of_tradingviews_is_known_by_its_address(room: InboxRoom) -> None:
    key = room.key_of(room.listen(is_tradingview_only=True))
    answer = room.post(key, OPEN, {"x-forwarded-for": f"{STRANGER}, {TRADINGVIEW}"}, peer=PROXY)
    assert answer.status_code == 200
    assert (room.signals[0].source, room.signals[0].address) == (
        SignalSource.TRADINGVIEW,
        TRADINGVIEW,
    )


def test_a_body_with_an_id_is_the_same_for_ever(room: InboxRoom) -> None:
    key = room.key_of(room.listen(same_within_s=1))
    first = room.post(key, OPEN | {"id": "a1"}).json()
    room.clock.advance(86_400)
    again = room.post(key, {"id": "a1"} | OPEN | {"comment": "in other words"}).json()
    assert (again["id"], again["is_copy"]) == (first["id"], True)
    assert "was here already" in again["message"]
    assert [one.copies for one in room.signals] == [1]
    assert len(room.begun) == 1


def test_an_equal_body_is_the_same_for_a_while(room: InboxRoom) -> None:
    key = room.key_of(room.listen(same_within_s=60))
    assert not room.post(key, OPEN).json()["is_copy"]
    room.clock.advance(60)
    assert room.post(key, OPEN).json()["is_copy"]
    room.clock.advance(1)
    assert not room.post(key, OPEN).json()["is_copy"]
    assert len(room.begun) == 2


def test_the_same_body_for_two_bots_is_two_signals(room: InboxRoom) -> None:
    keys = [room.key_of(room.listen(f"b000000{number}")) for number in (1, 2)]
    answers = room.post_all([(key, OPEN) for key in keys])
    assert [one.json()["is_copy"] for one in answers] == [False, False]


# --- signatures ----------------------------------------------------------------------------------


def standard(room: InboxRoom, bot: Bot, body: str, **changes: str) -> dict[str, str]:
    """The headers of a Standard Webhook, sent now."""
    now = room.clock.now()
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(room.secret_of(bot)).sign("msg_1", now, body),
    } | changes


def test_a_standard_webhook_is_the_same_by_its_id(room: InboxRoom) -> None:
    bot = room.listen(signature=Signature.STANDARD, same_within_s=0)
    body, key = json.dumps(OPEN), room.key_of(bot)
    headers = {"content-type": "application/json", **standard(room, bot, body)}
    assert not room.post(key, body, headers).json()["is_copy"]
    assert room.post(key, body, headers).json()["is_copy"]
    assert room.signals[0].sent_at == room.clock.now().replace(microsecond=0)


def test_a_signed_body_opens_and_a_changed_one_does_not(room: InboxRoom) -> None:
    bot = room.listen(signature=Signature.HMAC)
    key, body = room.key_of(bot), json.dumps(OPEN)
    signature = {"x-signature": hmac_of(room.secret_of(bot), body.encode())}
    assert room.post(key, body, signature).status_code == 200
    refused(room.post(key, f"{body} ", signature), 401, "wrong_signature")


# --- what is refused -----------------------------------------------------------------------------

BAD: list[tuple[str, Any, dict[str, str], int, str, str]] = [
    ("a wrong type", OPEN, {"content-type": "text/html"}, 415, "wrong_type", "application/json"),
    ("no UTF-8", b"buy \xff", {}, 400, "not_utf8", "byte 5"),
    ("nothing", "  ", {}, 400, "empty", "what is to be done"),
    ("10 MB", b"x" * 10_000_000, {}, 413, "too_large", "65536 bytes"),
    ("no JSON", b'{"action": ', {}, 422, "invalid", "no JSON"),
    ("a negative quantity", OPEN | {"quantity": -1}, {}, 422, "invalid", "quantity"),
    ("an unknown action", OPEN | {"action": "hodl"}, {}, 422, "invalid", "hodl"),
    ("NaN", b'{"action": "open", "side": "long", "quantity": NaN}', {}, 422, "invalid", "NaN"),
    ("an unknown symbol", OPEN | {"symbol": "DOGEUSDT"}, {}, 422, "unknown_symbol", "BTC/USDT"),
    ("a stale one", OPEN | {"sent_at": "2020-01-01T00:00:00Z"}, {}, 400, "stale", "none older"),
    ("one of tomorrow", OPEN | {"sent_at": "2060-01-01T00:00:00Z"}, {}, 400, "stale", "from now"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "headers", "status", "code", "words"),
                         [row[1:] for row in BAD], ids=[row[0] for row in BAD])  # fmt: skip
def test_bad_input_has_a_sentence_of_its_own_and_is_kept_with_it(
    room: InboxRoom, body: Any, headers: dict[str, str], status: int, code: str, words: str
) -> None:
    key = room.key_of(room.listen())
    message = refused(room.post(key, body, headers), status, code)
    assert words in message
    [signal] = room.signals
    assert (signal.state, signal.outcome) == (SignalState.REFUSED, message)
    assert len(signal.body) <= 65_536
    assert room.begun == []
    refused(room.post(key, body, headers), status, code)
    assert [one.copies for one in room.signals] == [1], "the same is counted, not kept again"


def test_an_unknown_key_is_kept_nowhere(room: InboxRoom) -> None:
    room.listen()
    for key in ("nonsense", "%20", "x" * 5_000):
        message = refused(room.post(key, OPEN), 404, "unknown_key")
        assert "copy it anew" in message
    assert room.signals == []


SIGNED: list[tuple[str, Signature, dict[str, str], int, str]] = [
    ("no X-Signature", Signature.HMAC, {}, 401, "unsigned"),
    ("a wrong X-Signature", Signature.HMAC, {"x-signature": "0" * 64}, 401, "wrong_signature"),
    ("no webhook-id", Signature.STANDARD, {"webhook-id": ""}, 401, "unsigned"),
    ("another webhook-id", Signature.STANDARD, {"webhook-id": "2"}, 401, "wrong_signature"),
    ("a stale timestamp", Signature.STANDARD, {"webhook-timestamp": "1"}, 400, "stale"),
]


@pytest.mark.parametrize(("kind", "changes", "status", "code"),
                         [row[1:] for row in SIGNED], ids=[row[0] for row in SIGNED])  # fmt: skip
def test_what_is_not_signed_well_is_refused(
    room: InboxRoom, kind: Signature, changes: dict[str, str], status: int, code: str
) -> None:
    bot = room.listen(signature=kind)
    body = json.dumps(OPEN)
    signed = standard(room, bot, body) if kind is Signature.STANDARD else {}
    headers = {"content-type": "application/json", **signed, **changes}
    message = refused(room.post(room.key_of(bot), body, headers), status, code)
    assert room.secret_of(bot) not in message
    assert [one.state for one in room.signals] == [SignalState.REFUSED]


@pytest.mark.parametrize(
    ("peer", "forwarded"),
    [(STRANGER, ""), (STRANGER, TRADINGVIEW), (PROXY, ""), (PROXY, f"{TRADINGVIEW}, {STRANGER}")],
)
def test_who_is_not_tradingview_is_refused_whatever_it_says(
    room: InboxRoom, peer: str, forwarded: str
) -> None:
    key = room.key_of(room.listen(is_tradingview_only=True))
    answer = room.post(key, OPEN, {"x-forwarded-for": forwarded}, peer=peer)
    assert "none of TradingView's addresses" in refused(answer, 403, "wrong_address")


def test_without_a_trusted_proxy_tradingview_alone_cannot_be_had(empty: SqlStore) -> None:
    with inbox_room(empty) as room:
        key = room.key_of(room.listen(is_tradingview_only=True))
        answer = room.post(key, OPEN, peer=TRADINGVIEW)
        assert "QUARTERDECK_TRUSTED_PROXIES" in refused(answer, 403, "no_proxy")


def test_too_many_are_refused_and_not_kept(room: InboxRoom) -> None:
    key = room.key_of(room.listen(rate_per_minute=5))
    other = room.key_of(room.listen("b0000002"))
    answers = room.post_all([(key, OPEN | {"id": f"a{number}"}) for number in range(20)])
    limited = [one for one in answers if one.status_code == 429]
    assert len(limited) in (14, 15), "the minute may end within"
    assert "raise the bot's limit" in refused(limited[0], 429, "too_many")
    assert int(limited[0].headers["retry-after"]) > 0
    assert len(room.signals) == 20 - len(limited)
    room.runner.run(room.expectations.check())
    with room.store.reading() as tx:
        assert [one.message.split()[0] for one in tx.events.select(kind="signal.limited")] == [
            str(len(limited))
        ]
    assert room.post(other, OPEN).status_code == 200, "every bot has a rate of its own"


def test_a_copy_that_comes_late_is_a_copy_all_the_same(room: InboxRoom) -> None:
    """The retry of what was taken is no stale signal: else its sender would think it lost."""
    key = room.key_of(room.listen(max_lag_s=60))
    body = OPEN | {"sent_at": room.clock.now().isoformat()}
    first = room.post(key, body).json()
    room.clock.advance(120)
    assert room.post(key, body).json() == first | {
        "is_copy": True,
        "message": "This signal was here already.",
    }
    assert [one.state for one in room.signals] == [SignalState.RECEIVED]


def test_a_refused_one_does_not_stand_in_the_way_of_the_right_one(room: InboxRoom) -> None:
    """Nobody can have a signal taken for a copy by sending it first, unsigned."""
    bot = room.listen(signature=Signature.HMAC)
    key, body = room.key_of(bot), json.dumps(OPEN | {"id": "a1"})
    refused(room.post(key, body), 401, "unsigned")
    right = {"x-signature": hmac_of(room.secret_of(bot), body.encode())}
    assert not room.post(key, body, right).json()["is_copy"]
    assert len(room.begun) == 1


def test_an_address_that_was_switched_off_is_gone(room: InboxRoom) -> None:
    bot = room.listen()
    key = room.key_of(bot)
    with room.books.writing() as writing:
        writing.save_bot(bot.id, config=bot.config.model_copy(update={"signals": None}))
    refused(room.post(key, OPEN), 404, "unknown_key")


def test_a_secret_that_cannot_be_opened_is_the_engines_trouble(room: InboxRoom) -> None:
    key = room.key_of(room.listen(signature=Signature.HMAC))
    room.start()
    room.vault.is_locked = True
    message = refused(room.post(key, OPEN, {"x-signature": "0"}), 503, "unavailable")
    assert "cannot be checked" in message


def test_a_signal_that_cannot_be_written_is_answered_503(
    room: InboxRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = room.key_of(room.listen())

    def fail(*_: object) -> None:
        raise StoreError("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(room.inbox, "_write", fail)
        for body in (OPEN, b"\xff"):
            message = refused(room.post(key, body), 503, "unavailable")
            assert message == "The disk is full. Send it again."
    assert (room.signals, room.begun) == ([], [])
    assert room.post(key, OPEN).status_code == 200


# --- the door itself -----------------------------------------------------------------------------


async def chunks(count: int, size: int, given: list[int]) -> AsyncIterator[bytes]:
    """A body in parts, of which nobody knows the length."""
    for number in range(count):
        given.append(number)
        yield b"x" * size


def test_a_body_without_end_is_given_up_early(room: InboxRoom) -> None:
    key, given = room.key_of(room.listen()), list[int]()

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(room.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://inbox") as http:
            return await http.post(f"/webhook/{key}", content=chunks(1_000, 10_000, given))

    refused(room.runner.run(send()), 413, "too_large")
    assert len(given) == 7, "65,536 bytes and not one part more"


def test_a_body_that_does_not_come_is_given_up(
    room: InboxRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes_inbox, "BODY_PATIENCE_S", 0.01)
    key = room.key_of(room.listen())

    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(60)

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(room.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://inbox") as http:
            return await http.post(f"/webhook/{key}", content=never())

    assert "send it again" in refused(room.runner.run(send()), 408, "too_slow")


def test_the_inboxs_own_door_leads_nowhere_else(room: InboxRoom) -> None:
    async def ask(method: str, path: str) -> int:
        transport = httpx.ASGITransport(room.app, client=(STRANGER, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://inbox") as http:
            return (await http.request(method, path)).status_code

    key = room.key_of(room.listen())
    paths = ("/", "/openapi.json", "/docs", "/api/v1/bots", "/api/v1/shutdown", "/api/v1/signals")
    assert {room.runner.run(ask("GET", path)) for path in paths} == {401}
    for method, path in (("GET", f"/webhook/{key}"), ("POST", f"/webhook/{key}/more"),
                         ("POST", "/webhook/")):  # fmt: skip
        assert room.runner.run(ask(method, path)) in (401, 404, 405), path
    assert room.signals == []


def test_a_test_signal_may_be_as_large_as_any_other() -> None:
    assert MAX_SIGNAL_BYTES == MAX_BYTES


def test_answers_carry_the_strict_headers(room: InboxRoom) -> None:
    for answer in (room.post(room.key_of(room.listen()), OPEN), room.post("nobody", OPEN)):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


def test_what_the_api_takes_the_inbox_takes(room: InboxRoom) -> None:
    """The engine's own port has the same webhooks, for programs on this machine."""
    key = room.key_of(room.listen())
    answer = room.ask("POST", f"http://127.0.0.1/webhook/{key}", json=OPEN)
    assert answer.status_code == 200
    answer = room.ask("POST", f"http://evil.example/webhook/{key}", json=OPEN)
    assert answer.status_code == 421, "no name but this machine's: no web page gets here"


def test_no_key_and_no_secret_comes_into_a_log(
    room: InboxRoom, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bot = room.listen(signature=Signature.HMAC)
    key, secret = room.key_of(bot), room.secret_of(bot)
    caplog.set_level("DEBUG")

    def break_down(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    room.post(key, OPEN)
    room.post("nobody", OPEN)
    with monkeypatch.context() as patched:
        patched.setattr("engine.services.receive_signal.text_of", break_down)
        with pytest.raises(RuntimeError):
            room.post(key, OPEN)
    logged = "\n".join(one for record in caplog.records if not record.name.startswith("httpx")
                       for one in (record.getMessage(), str(record.exc_info)))  # fmt: skip
    assert "incident" in logged
    assert key not in logged
    assert secret not in logged


def test_when_it_was_last_heard_is_remembered(room: InboxRoom) -> None:
    bot = room.listen(signature=Signature.NONE)
    key = room.key_of(bot)
    room.post(key, "nonsense!")
    assert room.desk.webhook(bot.id).last_signal_at is None, "what is refused does not count"
    room.post(key, OPEN)
    heard = room.desk.webhook(bot.id).last_signal_at
    assert heard == room.clock.now()
    room.runner.run(room.expectations.check())
    room.clock.advance(5)
    room.start()
    assert room.desk.webhook(bot.id).last_signal_at == heard
