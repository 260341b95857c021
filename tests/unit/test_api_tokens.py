"""API tokens: made, found, revoked, expired; and how wrong ones are told."""

import re

import pytest

from engine.domain.records import Level
from engine.domain.tokens import Scope
from engine.errors import ConfigError, Conflict, NotFound
from engine.services.api_tokens import ApiTokens, digest_of
from engine.services.books import Books
from engine.services.login_failures import MOST_ADDRESSES, WORTH_TELLING, LoginFailures
from tests.fakes.clock import FakeClock
from tests.fakes.memory_store import MemoryStore


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def books(clock: FakeClock) -> Books:
    return Books(MemoryStore(clock.now), clock)


@pytest.fixture
def tokens(books: Books) -> ApiTokens:
    return ApiTokens(books)


def test_only_the_digest_of_a_token_is_kept(tokens: ApiTokens, books: Books) -> None:
    token, text = tokens.create("phone", [Scope.TRADE, Scope.READ, Scope.READ], "panel")
    assert re.fullmatch(r"qd_[\w-]{43}", text)  # 256 bits
    assert token.scopes == (Scope.READ, Scope.TRADE)
    with books.store.reading() as tx:
        [kept] = tx.tokens.select()
        [entry] = tx.audit.select()
    assert kept.digest == digest_of(text)
    assert text not in f"{kept!r} {entry!r} {token!r}"
    assert (entry.actor, entry.action, entry.subject) == ("panel", "token.create", "phone")
    assert tokens.create("tablet", [Scope.READ], "panel")[1] != text


def test_a_token_is_found_by_its_text_also_after_a_restart(tokens: ApiTokens, books: Books) -> None:
    token, text = tokens.create("phone", [Scope.READ], "panel")
    again = ApiTokens(books)
    assert again.find(text) is None
    again.load()
    for known in (tokens, again):
        assert known.find(text) == token
        assert known.objection(token) == ""
        for wrong in ("", "qd_", text[:-1], text.upper(), text.removeprefix("qd_"), "qd_\ud800"):
            assert known.find(wrong) is None


def test_a_revoked_token_opens_nothing_and_its_name_is_not_given_again(
    tokens: ApiTokens, clock: FakeClock
) -> None:
    token, text = tokens.create("phone", [Scope.READ], "panel")
    revoked = tokens.revoke("PHONE", "panel")
    assert "revoked" in tokens.objection(token)
    found = tokens.find(text)
    assert found is not None
    assert "revoked" in tokens.objection(found)
    clock.advance(60)
    assert tokens.revoke(token.id, "panel") == revoked  # as it was
    with pytest.raises(Conflict, match="There was a token named 'phone'"):
        tokens.create("Phone", [Scope.READ], "panel")
    with pytest.raises(NotFound, match="no API token 'nobody'"):
        tokens.revoke("nobody", "panel")


def test_a_token_expires_by_the_clock(tokens: ApiTokens, clock: FakeClock) -> None:
    token, _ = tokens.create("phone", [Scope.READ], "panel", days=1)
    clock.advance(86_399)
    assert tokens.objection(token) == ""
    clock.advance(1)
    assert "expired" in tokens.objection(token)


@pytest.mark.parametrize("name", ["", " ", "a b", "-x", "a" * 41, "é", "a\n", "../x"])
def test_a_name_is_plain(tokens: ApiTokens, name: str) -> None:
    with pytest.raises(ConfigError, match="1 to 40 letters") as refused:
        tokens.create(name, [Scope.READ], "panel")
    assert refused.value.field == "name"


def test_a_token_without_a_scope_is_refused(tokens: ApiTokens) -> None:
    with pytest.raises(ConfigError, match="at least one scope"):
        tokens.create("phone", [], "panel")


def test_use_is_written_down_at_most_once_a_minute(
    tokens: ApiTokens, books: Books, clock: FakeClock
) -> None:
    token, _ = tokens.create("phone", [Scope.READ], "panel")

    def kept() -> object:
        with books.store.reading() as tx:
            return tx.tokens.get(token.id).last_used_at

    tokens.note_use(token.id)
    first = clock.now()
    assert kept() is None, "not on the way of a request"
    assert tokens.list()[0].last_used_at == first
    tokens.keep_uses()
    assert kept() == first
    clock.advance(59)
    tokens.note_use(token.id)
    tokens.keep_uses()
    assert kept() == first
    clock.advance(1)
    tokens.note_use(token.id)
    tokens.keep_uses()
    assert kept() == clock.now()


def test_writing_down_a_use_does_not_bring_a_revoked_token_back(
    tokens: ApiTokens, books: Books
) -> None:
    token, _ = tokens.create("phone", [Scope.READ], "panel")
    tokens.note_use(token.id)
    tokens.revoke(token.id, "panel")
    tokens.keep_uses()
    with books.store.reading() as tx:
        kept = tx.tokens.get(token.id)
    assert kept.revoked_at is not None
    assert kept.last_used_at is not None


# --- wrong tokens


def test_wrong_tokens_are_told_once_there_are_several(books: Books, clock: FakeClock) -> None:
    failures = LoginFailures(books)

    def told() -> list[str]:
        failures.tell()
        with books.store.reading() as tx:
            return [one.message for one in tx.events.select(kind="api.login_failures")]

    for _ in range(WORTH_TELLING - 1):
        failures.note("127.0.0.1")
    assert told() == []
    failures.note("10.0.0.9")
    [first] = told()
    assert first == "5 requests came with a wrong API token, from 127.0.0.1, 10.0.0.9."
    for _ in range(WORTH_TELLING):
        failures.note("10.0.0.9")
    assert told() == [first], "not again so soon"
    clock.advance(300)
    assert told() == [first, "5 requests came with a wrong API token, from 10.0.0.9."]
    with books.store.reading() as tx:
        assert {one.level for one in tx.events.select()} == {Level.WARNING}


def test_addresses_without_end_are_counted_together(books: Books) -> None:
    failures = LoginFailures(books)
    for number in range(MOST_ADDRESSES + 50):
        failures.note(f"10.0.{number // 256}.{number % 256}")
    failures.tell()
    with books.store.reading() as tx:
        [event] = tx.events.select()
    assert len(event.data["counts"]) == MOST_ADDRESSES + 1
    assert event.data["counts"]["other addresses"] == 50
