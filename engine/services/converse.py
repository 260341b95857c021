"""A conversation with those who command the engine from a chat: one message at a time."""

import logging
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from engine.domain.alerts import Channel
from engine.domain.amount_words import lasting
from engine.domain.chat_commands import (
    CHANGING,
    Action,
    Answer,
    Command,
    Confirmations,
    Unconfirmed,
    Unmatched,
    Verb,
    help_text,
    parse,
)
from engine.errors import ChannelBusy, ChannelError, LeaseLost, QuarterdeckError, StoreError
from engine.ports import Transaction
from engine.ports.chat import ChatClient, ChatUpdate
from engine.services.books import Books
from engine.services.chat_access import ChatAccess, can_trade

log = logging.getLogger("quarterdeck.telegram")

AUDITED = "telegram.command"
TOO_OLD = timedelta(seconds=60)
YES, NO = "yes", "no"
PAUSES_S = (1.0, 3.0)
"""Before an answer is tried again that surely was not sent."""
LONGEST_PAUSE_S = 10.0
FAULT = "The engine failed over this command; its log says why. Look at the panel."
READ_ONLY = (
    "This chat may ask only. Who runs the engine can set Commands to 'trade' for this channel,"
    " on the Alerts page."
)
NO_COMMAND = "I understand commands alone. /help lists them."


class Carrier(Protocol):
    """What commands do: ``api.chat_desk``. Raises QuarterdeckError, Unmatched."""

    def carry_out(self, command: Command, actor: str) -> Answer:
        """Do it, or ask whether it is to be done."""
        ...

    def confirmed(self, action: Action, actor: str) -> str:
        """Do what was asked about; what came of it."""
        ...


class Conversation:
    """One bot's; used by its poller's thread alone. ``wait`` gives way to the engine's end: true
    when it is near, and nothing is tried again."""

    def __init__(
        self,
        books: Books,
        client: ChatClient,
        access: ChatAccess,
        carrier: Carrier,
        wait: Callable[[float], bool],
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        self._books = books
        self._client = client
        self._access = access
        self._carrier = carrier
        self._wait = wait
        self._pauses_s = pauses_s
        self._waiting = Confirmations()
        self._told_old: dict[str, datetime] = {}

    def hear(self, update: ChatUpdate, me: str, keep: Callable[[Transaction], None]) -> None:
        """Answer what somebody wrote or pressed. ``keep`` writes down that it was heard, and is
        committed before anything is done about it: what is not known to be done is not done again.

        Raises StoreError when that cannot be committed; then nothing was done.
        """
        if not update.text:
            return
        channel = self._access.channel_for(update)
        if channel is None:
            self._access.turn_away(update)
        elif update.press:
            self._pressed(update, channel, keep)
        else:
            self._written(update, channel, me, keep)

    # --- what was written -------------------------------------------------------------------------

    def _written(
        self, update: ChatUpdate, channel: Channel, me: str, keep: Callable[[Transaction], None]
    ) -> None:
        command = parse(update.text, me)
        if command is None:
            if not update.chat.startswith("-") and not update.text.startswith("/"):
                self._say(update.chat, Answer(NO_COMMAND))
            return
        verb, now = command.verb, self._books.clock.now()
        if update.sent_at is not None and now - update.sent_at > TOO_OLD:
            self._tell_old(update.chat, now - update.sent_at, now)
        elif verb is None:
            self._say(
                update.chat, Answer(f"There is no /{command.word}. /help lists what there is.")
            )
        elif verb is Verb.HELP:
            self._note(keep, update, channel, command)
            self._say(update.chat, Answer(help_text(can_trade=can_trade(channel))))
        elif verb in CHANGING and not can_trade(channel):
            self._say(update.chat, Answer(READ_ONLY))
        else:
            self._note(keep, update, channel, command)
            answer = self._safely(lambda: self._carrier.carry_out(command, _actor(update)))
            self._say(update.chat, answer, self._asked(answer, update, now))

    def _asked(self, answer: Answer, update: ChatUpdate, now: datetime) -> str:
        """The code under which a question waits; empty for what is none."""
        if answer.action is None:
            return ""
        code = secrets.token_urlsafe(12)
        self._waiting.ask(code, answer.action, update.chat, update.user, now)
        return code

    def _tell_old(self, chat: str, age: timedelta, now: datetime) -> None:
        """Once for all that was written in vain."""
        told_at = self._told_old.get(chat)
        if told_at is None or not told_at <= now < told_at + TOO_OLD:
            self._told_old[chat] = now
            words = (
                f"What was written {lasting(age)} ago was read only now, and is not carried out:"
                " the engine did not listen then. Write it again if you still want it."
            )
            self._say(chat, Answer(words))

    # --- what was pressed -------------------------------------------------------------------------

    def _pressed(
        self, update: ChatUpdate, channel: Channel, keep: Callable[[Transaction], None]
    ) -> None:
        said, _, code = update.text.partition(":")
        try:
            action = self._waiting.find(code, update.chat, update.user, self._books.clock.now())
        except Unconfirmed as error:
            self._toast(update, str(error))
            return
        if said != YES:
            self._waiting.done(code)
            self._toast(update, "Nothing was done.")
            self._say(update.chat, Answer(f"/{action.verb}: nothing was done."))
        elif not can_trade(channel):
            self._waiting.done(code)
            self._toast(update, READ_ONLY)
        else:
            confirmed = Command(action.verb, action.verb.value, action.bot_id)
            self._note(keep, update, channel, confirmed, is_confirmed=True)
            self._waiting.done(code)
            answer = self._safely(lambda: Answer(self._carrier.confirmed(action, _actor(update))))
            self._toast(update, "")
            self._say(update.chat, answer)

    # --- parts ------------------------------------------------------------------------------------

    def _note(
        self,
        keep: Callable[[Transaction], None],
        update: ChatUpdate,
        channel: Channel,
        command: Command,
        *,
        is_confirmed: bool = False,
    ) -> None:
        """Who commands what, with how far was read, in one transaction."""
        detail = {"command": command.word, "of": command.argument, "chat": update.chat}
        try:
            with self._books.writing() as writing:
                keep(writing.tx)
                writing.audit(_actor(update), AUDITED, channel.id, confirmed=is_confirmed, **detail)
        except LeaseLost:
            raise
        except StoreError as error:
            if command.verb is not Verb.KILL:
                raise
            # The switch has a file of its own, and its code is good for one press in any case.
            log.error("the kill switch goes before the database, which fails: %s", error)

    def _safely(self, work: Callable[[], Answer]) -> Answer:
        """What failed is answered too: somebody waits."""
        try:
            return work()
        except Unmatched as error:
            return Answer(str(error))
        except LeaseLost:
            raise
        except QuarterdeckError as error:
            return Answer(f"Not done: {error.message}")
        except Exception:
            log.exception("a command from a chat failed")
            return Answer(FAULT)

    def _say(self, chat: str, answer: Answer, code: str = "") -> None:
        """What cannot be answered is logged: what was commanded is done."""
        buttons = [(answer.button, f"{YES}:{code}"), ("No", f"{NO}:{code}")] if code else []
        for pause_s in (*self._pauses_s, None):
            try:
                self._client.say(chat, answer.text, buttons)
            except ChannelBusy as error:
                pause = max(pause_s or 0.0, min(error.retry_after_s, LONGEST_PAUSE_S))
                if pause_s is not None and not self._wait(pause):
                    continue
                log.warning("an answer in a chat was not sent: %s", error)
            except ChannelError as error:
                log.warning("an answer in a chat may not have arrived: %s", error)
            return

    def _toast(self, update: ChatUpdate, words: str) -> None:
        try:
            self._client.answer(update.press, words)
        except ChannelError as error:
            log.info("a press of a button was not answered: %s", error)


def _actor(update: ChatUpdate) -> str:
    return f"telegram:{update.user}"
