"""Telegram's bot API through python-telegram-bot: what the channel and the commands both use."""

import asyncio
import os
import ssl
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from engine.adapters.notify.texts import fitted, units
from engine.adapters.notify.wire import (
    TIMEOUT_S,
    again,
    failed_call,
    masked,
    pause_s,
    quiet,
)
from engine.errors import ChannelBusy, ChannelError, ChannelRefused, ChannelUnsure
from engine.ports.chat import ChatUpdate

TELEGRAM_URL = "https://api.telegram.org"
LONGEST = 4_096
"""Letters of a message, in UTF-16 units."""

T = TypeVar("T")
Work = Callable[[Any], Awaitable[T]]

WORDS: Sequence[tuple[str, str]] = (
    ("blocked by the user", "The user has blocked the bot: open the chat with it and unblock it."),
    ("kicked", "The bot was removed from the group: add it again."),
    ("not a member", "The bot is not in the channel: add it as an administrator."),
    ("initiate conversation", "Nobody has written to the bot yet: open its chat and press Start."),
    ("user is deactivated", "The user's Telegram account is gone: choose another chat."),
    ("to bots", "The chat is that of a bot: choose a person's, a group's or a channel's."),
    ("chat not found", "Telegram knows no such chat: write to the bot once, then copy the chat's"
     " number (for a channel @name, with the bot as an administrator)."),
    ("not enough rights", "The bot may not write in this chat: give it the right to."),
    ("message is too long", "The message is too long for Telegram."),
    ("webhook is active", "A webhook is set for this bot, so that its messages cannot be read here:"
     " delete it, or make a bot for Quarterdeck alone."),
    ("getupdates", "Another program reads this bot's messages: stop it, or make a bot for"
     " Quarterdeck alone."),
)  # fmt: skip


class TelegramClient:
    """One bot. Implements ``engine.ports.chat.ChatClient``; used from many threads.

    The SDK is asynchronous and our callers are threads: each call has an event loop and a
    connection of its own for as long as it takes, so that none waits for another's and no
    connection is found dead when something is to be sent.
    """

    def __init__(
        self, token: str, *, base_url: str = TELEGRAM_URL, timeout_s: float = TIMEOUT_S
    ) -> None:
        quiet("telegram")
        self._token = token
        self._base_url = base_url
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._polls: set[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = set()
        self._is_closed = False

    def me(self) -> str:
        """See ChatClient."""
        return f"@{self._ask(lambda bot: bot.get_me()).username}"

    def chat_name(self, chat: str) -> str:
        """What a chat is called: its title, or the user's name."""
        found = self._ask(lambda bot: bot.get_chat(chat))
        return str(found.title or found.full_name or found.username or chat)

    def say(
        self, chat: str, text: str, buttons: Sequence[tuple[str, str]] = (), *, bold: str = ""
    ) -> str:
        """See ChatClient. ``bold`` is the beginning of the text that is written so."""

        async def work(bot: Any) -> Any:
            from telegram import InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions
            from telegram import MessageEntity as Entity

            keys = [[InlineKeyboardButton(shown, callback_data=meant) for shown, meant in buttons]]
            return await bot.send_message(
                chat, fitted(text, LONGEST),
                entities=[Entity(Entity.BOLD, 0, units(bold))] if bold else None,
                reply_markup=InlineKeyboardMarkup(keys) if buttons else None,
                link_preview_options=LinkPreviewOptions(is_disabled=True),
            )  # fmt: skip

        return str(self._run(work).message_id)

    def updates(self, offset: int, timeout_s: float) -> Sequence[ChatUpdate]:
        """See ChatClient. Empty too when ``close`` ended the waiting."""

        async def work(bot: Any) -> Any:
            return await bot.get_updates(
                offset=offset, timeout=round(timeout_s), read_timeout=self._timeout_s,
                allowed_updates=["message", "callback_query"],
            )  # fmt: skip

        try:
            return [_update(one) for one in self._ask(lambda bot: self._until_closed(work(bot)))]
        except asyncio.CancelledError:
            return ()

    def answer(self, press: str, text: str = "") -> None:
        """See ChatClient."""
        self._ask(lambda bot: bot.answer_callback_query(press, text or None))

    def offer(self, commands: Mapping[str, str]) -> None:
        """See ChatClient."""
        self._ask(lambda bot: bot.set_my_commands(list(commands.items())))

    def close(self) -> None:
        """See ChatClient."""
        with self._lock:
            self._is_closed = True
            for loop, task in self._polls:
                loop.call_soon_threadsafe(task.cancel)

    # --- within

    def _ask(self, work: Work[T]) -> T:
        """A call that sends no message: without an answer it can be made again."""
        try:
            return self._run(work)
        except ChannelUnsure as unsure:
            raise again("Telegram", unsure) from None

    def _run(self, work: Work[T]) -> T:
        """One call with a loop and a connection of its own. Raises as ChatClient says."""
        # The SDK's way to a time span in its errors; it warns of the number that it gives else.
        os.environ.setdefault("PTB_TIMEDELTA", "true")
        import telegram.request

        seen = _Seen()

        async def call() -> T:
            request = telegram.request.HTTPXRequest(
                connection_pool_size=1, read_timeout=self._timeout_s,
                write_timeout=self._timeout_s, connect_timeout=self._timeout_s,
                httpx_kwargs={"verify": _trusted(), "trust_env": False,
                              "event_hooks": {"response": [seen.see]}},
            )  # fmt: skip
            try:
                return await work(
                    telegram.Bot(self._token, base_url=f"{self._base_url}/bot", request=request,
                                 get_updates_request=request)
                )  # fmt: skip
            finally:
                await request.shutdown()

        try:
            return asyncio.run(call())
        except Exception as error:  # noqa: BLE001  # whatever it is, the request may be out
            raise self._meaning(error, seen) from None

    async def _until_closed(self, poll: Coroutine[Any, Any, T]) -> T:
        """Raises CancelledError when it is closed before or meanwhile."""
        mine = (asyncio.get_running_loop(), asyncio.ensure_future(poll))
        with self._lock:
            self._polls.add(mine)
            if self._is_closed:
                mine[1].cancel()
        try:
            return await mine[1]
        finally:
            with self._lock:
                self._polls.discard(mine)

    def _meaning(self, error: Exception, seen: "_Seen") -> ChannelError:
        from telegram.error import ChatMigrated

        status = seen.status
        said = masked(seen.said or error, (self._token,)).rstrip(".")
        answer = f"{status}: {said}" if status else ""
        if status == 0 or 200 <= status < 300:
            return failed_call("Telegram", error)
        if status == 429:
            return ChannelBusy("Telegram asks for a pause: too many messages.", answer=answer,
                               retry_after_s=seen.pause_s)  # fmt: skip
        if status in (408, 503):
            return ChannelBusy("Telegram is out of order for the moment; nothing was sent.",
                               answer=answer, retry_after_s=seen.pause_s)  # fmt: skip
        if status >= 500:
            return ChannelUnsure("Telegram failed over the message; it may have taken it.",
                                 answer=answer)  # fmt: skip
        if isinstance(error, ChatMigrated):
            return ChannelRefused(
                f"The group has become a supergroup: its number is {error.new_chat_id} now."
                " Correct it.", answer=answer, field="chat",
            )  # fmt: skip
        if status in (401, 404):
            return ChannelRefused("Telegram refuses the token: copy it again from @BotFather.",
                                  answer=answer, field="token")  # fmt: skip
        sentence = next((told for words, told in WORDS if words in said.lower()), "")
        if status == 409:
            return ChannelBusy(sentence or f"Telegram: {said}", answer=answer)
        return ChannelRefused(sentence or f"Telegram refuses: {said}.", answer=answer)


class _Seen:
    """Reads what an answer says: the SDK's errors tell neither the status nor all of the words."""

    def __init__(self) -> None:
        self.status = 0
        self.said = ""
        self.pause_s = 0.0

    async def see(self, response: Any) -> None:
        """A hook of httpx."""
        self.status = response.status_code
        if self.status < 400:
            return
        await response.aread()
        try:
            body = response.json()
            self.said = str(body["description"])
            self.pause_s = pause_s(body.get("parameters", {}).get("retry_after", ""))
        except (ValueError, LookupError, TypeError, AttributeError):
            self.said = response.reason_phrase
            self.pause_s = pause_s(response.headers.get("retry-after", ""))


def _update(one: Any) -> ChatUpdate:
    pressed = one.callback_query
    message = pressed.message if pressed else one.message
    user = pressed.from_user if pressed else message and message.from_user
    text = pressed.data if pressed else message and message.text
    if message is None or user is None or not text:
        return ChatUpdate(one.update_id)
    return ChatUpdate(
        number=one.update_id, chat=str(message.chat.id), user=str(user.id),
        user_name=str(user.full_name), text=str(text), press=str(pressed.id) if pressed else "",
        sent_at=None if pressed else message.date,
    )  # fmt: skip


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """Made once: reading the system's certificates takes longer than a call."""
    return ssl.create_default_context()
