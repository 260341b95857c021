"""A chat in which the engine is written to: what was said, and how to answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class ChatUpdate:
    """Something that somebody wrote, or a button of ours that was pressed.

    ``number`` counts up; ``text`` is what was written, or what the button stands for; ``press``
    names the pressing of it, empty for what was written. ``chat`` and ``user`` are numbers.
    ``sent_at`` is when it was written; of a press nobody tells.
    Without a text it is something else, such as a picture, of which the number alone matters.
    """

    number: int
    chat: str = ""
    user: str = ""
    user_name: str = ""
    text: str = ""
    press: str = ""
    sent_at: datetime | None = None


class ChatClient(Protocol):
    """Calls block; each raises ChannelRefused, ChannelBusy, and those that send ChannelUnsure."""

    def me(self) -> str:
        """The bot's @name, by which a command in a group may be addressed to it."""
        ...

    def updates(self, offset: int, timeout_s: float) -> Sequence[ChatUpdate]:
        """What is new from number ``offset`` on, oldest first; all before it is done with and
        forgotten by the provider. Waits so long for something when there is nothing."""
        ...

    def say(self, chat: str, text: str, buttons: Sequence[tuple[str, str]] = ()) -> str:
        """Write to a chat, with buttons (what each shows and stands for) below; the message's id.

        Once only, as ``Notifier.send``.
        """
        ...

    def answer(self, press: str, text: str = "") -> None:
        """Show who pressed a button that it was heard, with a word when there is one."""
        ...

    def offer(self, commands: Mapping[str, str]) -> None:
        """Show these commands, with what each does, in the menu of the chat."""
        ...

    def close(self) -> None:
        """End the waiting of ``updates``, now and from any thread; it finds nothing from now on."""
        ...


class Chats(Protocol):
    """Makes clients of chats."""

    def chat(self, settings: Mapping[str, str], secrets: Mapping[str, str]) -> ChatClient:
        """For the bot of a Telegram channel. Raises ConfigError for what cannot be used."""
        ...
