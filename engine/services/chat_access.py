"""Who may write to the engine from a chat. Everybody else gets no answer."""

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from engine.domain.alerts import Channel, ChannelKind
from engine.domain.channel_forms import listed
from engine.domain.records import Level
from engine.ports import Transaction
from engine.ports.chat import ChatUpdate
from engine.services.books import Books

STRANGER = "telegram.stranger"
TOLD_EVERY = timedelta(hours=1)
TOKEN = "token"  # noqa: S105  # the name of a field


def commanding_channels(tx: Transaction) -> Sequence[Channel]:
    """Telegram channels whose chat may ask or command."""
    return [
        one
        for one in tx.channels.select(kind=ChannelKind.TELEGRAM, is_enabled=True)
        if one.settings.get("commands", "no") != "no"
    ]


def can_trade(channel: Channel) -> bool:
    """Whether its chat may command, and not only ask."""
    return channel.settings.get("commands") == "trade"


class StrangerWatch:
    """Tells of strangers, once an hour however many write; one for all chats."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._told_at: datetime | None = None
        self._lock = threading.Lock()

    def note(self, update: ChatUpdate) -> None:
        """Somebody was turned away. What they wrote, and what they call themselves, is theirs, and
        is kept nowhere. Raises StoreError."""
        with self._lock:
            now = self._books.clock.now()
            if self._told_at is None or not self._told_at <= now < self._told_at + TOLD_EVERY:
                self._tell(update)
                self._told_at = now

    def _tell(self, update: ChatUpdate) -> None:
        with self._books.writing() as writing:
            writing.event(
                Level.WARNING, STRANGER,
                f"Somebody unknown wrote to the Telegram bot (user {update.user}, chat"
                f" {update.chat}) and got no answer. If that was you, correct Chat or Users of the"
                " channel.", chat=update.chat, user=update.user,
            )  # fmt: skip


class ChatAccess:
    """What those who write to one bot may do; ``serve`` says through which channels.

    Channels are read anew for each message, so that a right that was taken away is gone at once.
    """

    def __init__(self, books: Books, strangers: StrangerWatch) -> None:
        self._books = books
        self._strangers = strangers
        self._tokens: Mapping[str, str] = {}

    def serve(self, channels: Sequence[Channel]) -> None:
        """The channels of this bot; from any thread."""
        self._tokens = {one.id: one.sealed.get(TOKEN, "") for one in channels}

    def channel_for(self, update: ChatUpdate) -> Channel | None:
        """The channel by whose right somebody writes, the one with the most rights; None for
        strangers. Raises StoreError."""
        tokens = self._tokens
        with self._books.store.reading() as tx:
            found = [
                one
                for one in commanding_channels(tx)
                if one.sealed.get(TOKEN) == tokens.get(one.id)
                and one.settings.get("chat") == update.chat
                and _counts(one, update.user)
            ]
        return max(found, key=can_trade, default=None)

    def turn_away(self, update: ChatUpdate) -> None:
        """Somebody without a right has written; talk among people in a group is not for us.
        Raises StoreError."""
        is_talk = update.chat.startswith("-") and not update.text.startswith("/")
        if update.press or not is_talk:
            self._strangers.note(update)


def _counts(channel: Channel, user: str) -> bool:
    users = listed(channel.settings.get("users", ""))
    return not users or user in users
