"""The addresses at which bots listen: a random key each, and a secret that signs what is sent.

Key and secret are kept sealed; a key is found by its digest alone, so that neither the database
nor the time an answer takes tells anything of it.
"""

import hashlib
import secrets
import threading
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from engine.domain.bots import Bot
from engine.domain.signals import Listener
from engine.errors import ConfigError, Conflict
from engine.ports import Vault
from engine.services.books import Books, Writing

KEY_BYTES = 24
SECRET_BYTES = 32
SECRET_PREFIX = "whsec_"  # noqa: S105  # as Standard Webhooks write it
KEY_NAME, SECRET_NAME = "webhook key", "webhook secret"


@dataclass(frozen=True, slots=True)
class OpenListener:
    """A listener with what is secret of it; only its repr may be logged."""

    listener: Listener
    key: str = field(repr=False)
    secret: str = field(repr=False)


class ListenerWriting:
    """Changes of listeners within one transaction on the books."""

    def __init__(self, writing: Writing) -> None:
        self.writing = writing
        self.changed: dict[str, Listener] = {}

    def save(self, listener: Listener) -> None:
        """Replace one that is there."""
        self.writing.tx.listeners.save(listener)
        self.changed[listener.bot_id] = listener


class Listeners:
    """Makes, finds and renews the addresses of bots. Thread-safe.

    ``hide`` is told of everything secret before anybody gets it, so that no log ever shows it.
    """

    def __init__(self, books: Books, vault: Vault, hide: Callable[[str], None]) -> None:
        self._books = books
        self._vault = vault
        self._hide = hide
        self._lock = threading.Lock()
        self._by_bot: dict[str, Listener] = {}
        self._bot_of: dict[str, str] = {}
        self._secrets: dict[str, tuple[str, str]] = {}  # as sealed, and opened
        self._heard: dict[str, datetime] = {}
        self._turned_away: Counter[str] = Counter()

    def load(self) -> None:
        """Remember those that are in the store."""
        with self._books.store.reading() as tx:
            for listener in tx.listeners.select():
                self._remember(listener)

    def find(self, key: str) -> Bot | None:
        """The bot that listens at ``key``; None also when it does not listen any more."""
        bot = self._books.bots.get(self._bot_of.get(digest_of(key), ""))
        return None if bot is None or bot.config.signals is None else bot

    def find_listener(self, bot_id: str) -> Listener | None:
        """A bot's address, if it has one; with the last signal that was heard there."""
        listener = self._by_bot.get(bot_id)
        heard = self._heard.get(bot_id)
        if listener is None or heard is None:
            return listener
        return listener.model_copy(update={"last_signal_at": heard})

    def kept(self, bot_id: str) -> Listener | None:
        """The same as it is in the store."""
        return self._by_bot.get(bot_id)

    def heard(self, bot_id: str, at: datetime) -> None:
        """A signal came. Kept in memory, where ``SignalExpectations`` writes it down from."""
        self._heard[bot_id] = at

    def turn_away(self, bot_id: str) -> None:
        """Count a signal beyond a bot's rate: it is kept nowhere."""
        self._turned_away[bot_id] += 1

    def take_turned_away(self, bot_id: str) -> int:
        """How many were turned away since this was asked last."""
        return self._turned_away.pop(bot_id, 0)

    @contextmanager
    def changing(self) -> Iterator["ListenerWriting"]:
        """One durable change of listeners and of what it is about; nothing changes when the block
        or the commit raises."""
        with self._lock:
            with self._books.writing() as writing:
                change = ListenerWriting(writing)
                yield change
            for listener in change.changed.values():
                self._remember(listener)

    def secret_of(self, bot_id: str) -> str:
        """What signs a bot's signals. Raises ConfigError when it cannot be opened, or is gone."""
        listener = self._by_bot.get(bot_id)
        if listener is None:
            raise ConfigError("The bot was deleted: send its signals to another one.")
        sealed, secret = self._secrets.get(bot_id, ("", ""))
        if sealed != listener.sealed_secret:  # not opened yet, or made anew
            sealed = listener.sealed_secret
            secret = self._open(bot_id, SECRET_NAME, sealed)
            self._secrets[bot_id] = sealed, secret
        return secret

    def ensure(self) -> None:
        """Give an address to every bot that listens and has none; forget those of bots that are
        gone. Raises ConfigError without a key to seal with."""
        with self._lock:
            bots = dict(self._books.bots)
            for bot in bots.values():
                if bot.config.signals is not None and bot.id not in self._by_bot:
                    self._make(bot.id)
            for gone in self._by_bot.keys() - bots.keys():
                self._forget(gone)

    def show(self, bot: Bot, actor: str) -> OpenListener:
        """A bot's key and secret, made when there are none; an audit entry says who saw them.
        Raises Conflict when it does not listen, ConfigError when they cannot be opened."""
        require_listening(bot)
        with self._lock:
            listener = self._by_bot.get(bot.id) or self._make(bot.id)
            opened = self._opened(listener)
            with self._books.writing() as writing:
                writing.audit(actor, "webhook.show", bot.id)
        return opened

    def rotate(self, bot: Bot, actor: str, *, key: bool, secret: bool) -> OpenListener:
        """Make the key, the secret or both anew; the old ones end at once. Raises like ``show``."""
        require_listening(bot)
        with self._lock:
            before = self._by_bot.get(bot.id) or self._make(bot.id)
            fresh = self._sealed(bot.id)
            update: dict[str, str] = {}
            if key:
                update |= {"key_digest": fresh.key_digest, "sealed_key": fresh.sealed_key}
            if secret:
                update |= {"sealed_secret": fresh.sealed_secret}
            after = before.model_copy(update=update)
            opened = self._opened(after)
            with self._books.writing() as writing:
                writing.tx.listeners.save(after)
                writing.audit(actor, "webhook.rotate", bot.id, key=key, secret=secret)
            self._remember(after)
        return opened

    # --- parts ----------------------------------------------------------------------------------

    def _make(self, bot_id: str) -> Listener:
        listener = self._sealed(bot_id)
        with self._books.writing() as writing:
            writing.tx.listeners.add(listener)
            writing.audit("engine", "webhook.make", bot_id)
        self._remember(listener)
        return listener

    def _sealed(self, bot_id: str) -> Listener:
        key = secrets.token_urlsafe(KEY_BYTES)
        secret = SECRET_PREFIX + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
        for one in (key, secret):
            self._hide(one)
        owner = owner_of(bot_id)
        return Listener(
            bot_id=bot_id,
            key_digest=digest_of(key),
            sealed_key=self._vault.seal(owner, KEY_NAME, key),
            sealed_secret=self._vault.seal(owner, SECRET_NAME, secret),
            created_at=self._books.clock.now(),
        )

    def _opened(self, listener: Listener) -> OpenListener:
        key = self._open(listener.bot_id, KEY_NAME, listener.sealed_key)
        secret = self._open(listener.bot_id, SECRET_NAME, listener.sealed_secret)
        return OpenListener(listener, key, secret)

    def _open(self, bot_id: str, name: str, sealed: str) -> str:
        opened = self._vault.open(owner_of(bot_id), name, sealed)
        self._hide(opened)
        return opened

    def _remember(self, listener: Listener) -> None:
        before = self._by_bot.get(listener.bot_id)
        if before is not None and before.key_digest != listener.key_digest:
            self._bot_of.pop(before.key_digest, None)
        self._by_bot[listener.bot_id] = listener
        self._bot_of[listener.key_digest] = listener.bot_id

    def _forget(self, bot_id: str) -> None:
        listener = self._by_bot.pop(bot_id)
        self._bot_of.pop(listener.key_digest, None)
        self._secrets.pop(bot_id, None)
        self._heard.pop(bot_id, None)


def digest_of(key: str) -> str:
    """By which a key is found."""
    return hashlib.sha256(key.encode()).hexdigest()


def owner_of(bot_id: str) -> str:
    """Whose a bot's secrets are in the vault."""
    return f"bot:{bot_id}"


def require_listening(bot: Bot) -> None:
    """Raises Conflict for a bot that takes no signals."""
    if bot.config.signals is None:
        raise Conflict(
            f"'{bot.config.name}' does not listen to signals: switch them on in its settings.",
            field="signals",
        )
