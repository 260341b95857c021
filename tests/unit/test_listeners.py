"""Addresses of bots: random, found by digest, sealed, shown on request, renewed, gone with them."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from engine.domain.bots import Bot
from engine.domain.signals import SignalConfig
from engine.errors import ConfigError, Conflict, StoreError
from engine.services.listeners import digest_of
from tests.fakes.memory_store import MemoryStore
from tests.support.inbox_room import InboxRoom, inbox_room


@pytest.fixture
def room() -> Iterator[InboxRoom]:
    """A room over memory."""
    with inbox_room(MemoryStore()) as room:
        yield room


@pytest.fixture
def bot(room: InboxRoom) -> Bot:
    """A bot that listens."""
    return room.listen()


def change(room: InboxRoom, bot: Bot, signals: SignalConfig | None) -> Bot:
    """Switch its signals on or off."""
    with room.books.writing() as writing:
        changed = bot.config.model_copy(update={"signals": signals})
        return writing.save_bot(bot.id, config=changed)


def actions(room: InboxRoom) -> list[tuple[str, str, dict[str, Any]]]:
    """Who did what."""
    with room.store.reading() as tx:
        return [(one.actor, one.action, one.detail) for one in tx.audit.select()]


def test_a_key_is_long_and_random_and_the_secret_is_one_of_standard_webhooks(
    room: InboxRoom, bot: Bot
) -> None:
    opened = room.listeners.show(bot, "ada")
    assert len(base64.urlsafe_b64decode(opened.key)) * 8 >= 128
    assert len(base64.b64decode(opened.secret.removeprefix("whsec_"))) == 32
    other = room.listeners.show(room.listen("b0000002"), "ada")
    assert {opened.key, opened.secret}.isdisjoint({other.key, other.secret})


def test_it_is_found_by_its_key_alone(room: InboxRoom, bot: Bot) -> None:
    opened = room.listeners.show(bot, "ada")
    assert room.listeners.find(opened.key) == bot
    wrong = ("", "x", opened.key[:-1], f"{opened.key} ", opened.secret, digest_of(opened.key), "\0")
    assert [room.listeners.find(key) for key in wrong] == [None] * len(wrong)


def test_it_stays_the_same_over_a_restart(room: InboxRoom, bot: Bot) -> None:
    opened = room.listeners.show(bot, "ada")
    room.start()
    assert room.listeners.find(opened.key) == bot
    assert room.listeners.secret_of(bot.id) == opened.secret
    assert room.listeners.show(bot, "ada") == opened


def test_key_and_secret_are_in_the_store_only_sealed(room: InboxRoom, bot: Bot) -> None:
    opened = room.listeners.show(bot, "ada")
    with room.store.reading() as tx:
        [kept] = tx.listeners.select()
    for told in (repr(kept), repr(opened), str(kept.model_dump())):
        assert opened.key not in told
        assert opened.secret not in told
    assert kept.key_digest == digest_of(opened.key)
    assert room.hidden == {opened.key, opened.secret}, "no log shows them"


def test_who_saw_them_is_in_the_audit_trail(room: InboxRoom, bot: Bot) -> None:
    room.listeners.show(bot, "ada")
    assert actions(room) == [("engine", "webhook.make", {}), ("ada", "webhook.show", {})]


@pytest.mark.parametrize(("key", "secret"), [(True, False), (False, True), (True, True)])
def test_what_is_renewed_ends_at_once(room: InboxRoom, bot: Bot, key: bool, secret: bool) -> None:
    before = room.listeners.show(bot, "ada")
    assert room.listeners.secret_of(bot.id) == before.secret
    after = room.listeners.rotate(bot, "ada", key=key, secret=secret)
    assert (after.key != before.key, after.secret != before.secret) == (key, secret)
    assert room.listeners.find(after.key) == bot
    assert room.listeners.find(before.key) == (None if key else bot)
    assert room.listeners.secret_of(bot.id) == after.secret
    assert actions(room)[-1] == ("ada", "webhook.rotate", {"key": key, "secret": secret})
    room.start()
    assert room.listeners.show(bot, "ada") == after


def test_a_secret_renewed_while_the_old_one_is_opened_counts_from_then_on(
    room: InboxRoom, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = room.listeners.show(bot, "ada")
    opening, renewed = room.vault.open, list[str]()

    def renew_meanwhile(owner: str, name: str, sealed: str) -> str:
        if not renewed:
            renewed.append("")
            renewed[0] = room.listeners.rotate(bot, "ada", key=False, secret=True).secret
        return opening(owner, name, sealed)

    monkeypatch.setattr(room.vault, "open", renew_meanwhile)
    assert room.listeners.secret_of(bot.id) == before.secret, "it was under way already"
    assert room.listeners.secret_of(bot.id) == renewed[0]


def test_the_secret_of_a_bot_that_was_deleted_meanwhile_is_told_to_be_gone(
    room: InboxRoom, bot: Bot
) -> None:
    with pytest.raises(ConfigError, match="was deleted"):
        room.listeners.secret_of("b0000009")


def test_an_address_is_closed_while_signals_are_off_and_the_same_afterwards(
    room: InboxRoom, bot: Bot
) -> None:
    key = room.key_of(bot)
    off = change(room, bot, None)
    assert room.listeners.find(key) is None
    with pytest.raises(Conflict, match="does not listen"):
        room.listeners.show(off, "ada")
    with pytest.raises(Conflict, match="does not listen"):
        room.listeners.rotate(off, "ada", key=True, secret=True)
    change(room, off, SignalConfig())
    assert room.listeners.find(key) is not None


def test_every_bot_that_listens_has_an_address(room: InboxRoom) -> None:
    loud, deaf = room.listen(), room.listen("b0000002")
    change(room, deaf, None)
    room.listeners.ensure()
    room.listeners.ensure()
    with room.store.reading() as tx:
        assert [one.bot_id for one in tx.listeners.select()] == [loud.id]


def test_it_goes_with_its_bot(room: InboxRoom, bot: Bot) -> None:
    key = room.key_of(bot)
    with room.books.writing() as writing:
        writing.delete_bot(bot.id)
    assert room.listeners.find(key) is None
    room.listeners.ensure()
    assert room.listeners.find_listener(bot.id) is None
    with room.store.reading() as tx:
        assert tx.listeners.count() == 0


def test_nothing_is_made_or_changed_while_the_vault_has_no_key(room: InboxRoom, bot: Bot) -> None:
    room.vault.is_locked = True
    with pytest.raises(ConfigError, match="gone"):
        room.listeners.show(bot, "ada")
    room.vault.is_locked = False
    opened = room.listeners.show(bot, "ada")
    room.vault.is_locked = True
    with pytest.raises(ConfigError, match="gone"):
        room.listeners.rotate(bot, "ada", key=True, secret=True)
    assert room.listeners.find(opened.key) == bot
    room.start()
    with pytest.raises(ConfigError, match="gone"):
        room.listeners.secret_of(bot.id)


def test_what_is_not_committed_is_not_believed(
    room: InboxRoom, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = room.listeners.show(bot, "ada")

    def fail(*_: object, **__: object) -> None:
        raise StoreError("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr("engine.services.books.Writing.audit", fail)
        with pytest.raises(StoreError):
            room.listeners.rotate(bot, "ada", key=True, secret=True)
    assert room.listeners.find(before.key) == bot
    assert room.listeners.show(bot, "ada") == before
