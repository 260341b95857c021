"""Reads what is written to one Telegram bot, on a thread of its own, and has it answered."""

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, ValidationError

from engine.domain.chat_commands import commands_of
from engine.domain.money import UtcDatetime
from engine.domain.records import Level
from engine.errors import ChannelBusy, ChannelError, ChannelRefused, LeaseLost, StoreError
from engine.ports import Transaction
from engine.ports.chat import ChatClient, ChatUpdate
from engine.services.books import Books
from engine.services.converse import Conversation

log = logging.getLogger("quarterdeck.telegram")

TROUBLE, BACK = "telegram.trouble", "telegram.back"
POLL_S = 30.0
LONGEST_PAUSE_S = 60.0
PATIENCE = 3
"""Failures in a row before it is told that the provider does not answer; it often does again."""
TOLD_EVERY = timedelta(hours=1)
KEPT_FOR = timedelta(days=1)
"""Telegram keeps what is written for a day. After a week without anything its numbers begin
anywhere, also below those before: one that is older than a day says nothing of the next."""


class Heard(BaseModel):
    """How far was read: the number of the next update, and when that was known."""

    model_config = ConfigDict(frozen=True)

    next: int = 0
    at: UtcDatetime


class Troubles:
    """Tells once of each reason why a chat is not heard, an hour long, and when it is again."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._told: dict[str, datetime] = {}
        self._is_told = False

    def failed(self, name: str, error: ChannelError, in_a_row: int) -> None:
        """What may pass is told only when it does not."""
        if in_a_row >= PATIENCE or isinstance(error, ChannelRefused):
            self.tell(name, error.message)

    def tell(self, name: str, reason: str) -> None:
        """Say that the chat of the channels ``name`` is not heard."""
        now = self._books.clock.now()
        told_at = self._told.get(reason)
        if told_at is not None and told_at <= now < told_at + TOLD_EVERY:
            return
        words = f"Commands from Telegram are not heard ({name}): {reason}"
        self._event(Level.WARNING, TROUBLE, words)
        self._told[reason] = now
        self._is_told = True

    def fine(self, name: str) -> None:
        """It went well."""
        if self._is_told:
            self._event(Level.INFO, BACK, f"Commands from Telegram are heard again ({name}).")
            self._is_told = False

    def _event(self, level: Level, kind: str, words: str) -> None:
        try:
            with self._books.writing() as writing:
                writing.event(level, kind, words)
        except StoreError as error:
            log.warning("an event about Telegram could not be kept: %s", error)


class TelegramPoller:
    """One bot's; ``bot_id`` is its number, under which is kept how far was read. Once started it
    runs until ``close``."""

    def __init__(
        self,
        books: Books,
        client: ChatClient,
        bot_id: str,
        converse: Callable[[ChatClient, Callable[[float], bool]], Conversation],
        *,
        first_pause_s: float = 1.0,
        poll_s: float = POLL_S,
    ) -> None:
        self.bot_id = bot_id
        self._books = books
        self._client = client
        self._setting = f"telegram.heard.{bot_id}"
        self._first_pause_s = first_pause_s
        self._poll_s = poll_s
        self._stop = threading.Event()
        self._troubles = Troubles(books)
        self._conversation = converse(client, self._stop.wait)
        self._heard: Heard | None = None
        self._name = self._me = ""
        self._menu: Mapping[str, str] = {}
        self._offered: Mapping[str, str] = {}
        self._thread = threading.Thread(target=self._run, name=f"telegram:{bot_id}", daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether it reads, or is still busy with what it has read."""
        return self._thread.is_alive()

    def serve(self, name: str, *, can_trade: bool) -> None:
        """Which channels it is of, and whether any of them may command; from any thread."""
        self._name, self._menu = name, commands_of(can_trade=can_trade)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def close(self) -> None:
        """Read no more; from any thread, and at once. What is being carried out is finished."""
        self._stop.set()
        self._client.close()

    def join(self, timeout_s: float) -> None:
        """Wait for the end of it."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    # --- on its thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                self._round()
            except LeaseLost:
                log.warning("commands from Telegram are left to the engine that took over")
                return
            except ChannelError as error:
                failures += 1
                self._troubles.failed(self._name, error, failures)
                self._pause(failures, error)
            except StoreError as error:
                failures += 1
                log.error("a command from Telegram waits: %s", error)
                self._pause(failures)
            except Exception:
                failures += 1
                log.exception("Telegram could not be read; it is tried again")
                self._pause(failures)
            else:
                failures = 0

    def _round(self) -> None:
        """One poll, and all that it found. Raises ChannelError, StoreError."""
        if self._heard is None:
            self._heard = self._load()
        if not self._me:
            self._me = self._client.me()
        self._offer()
        now = self._books.clock.now()
        is_known = self._heard.at <= now < self._heard.at + KEPT_FOR
        updates = self._client.updates(self._heard.next if is_known else 0, self._poll_s)
        if self._stop.is_set():
            return
        self._troubles.fine(self._name)
        for update in updates:
            if self._stop.is_set():
                return
            if not is_known or update.number >= self._heard.next:
                self._hear(update)

    def _hear(self, update: ChatUpdate) -> None:
        """Raises StoreError when it is not known to be heard; then it is read again."""
        heard = Heard(next=update.number + 1, at=self._books.clock.now())

        def keep(tx: Transaction) -> None:
            tx.put_setting(self._setting, heard.model_dump_json())

        try:
            self._conversation.hear(update, self._me, keep)
        except StoreError:
            raise
        except Exception:  # or the same would come again for ever
            log.exception("what was written in Telegram could not be answered")
        self._heard = heard

    def _offer(self) -> None:
        """Without the menu commands are heard all the same."""
        menu = self._menu
        if menu == self._offered:
            return
        try:
            self._client.offer(menu)
        except ChannelError as error:
            log.info("the menu of commands was not taken: %s", error)
        else:
            self._offered = menu

    def _load(self) -> Heard:
        with self._books.store.reading() as tx:
            kept = tx.find_setting(self._setting)
        try:
            return Heard.model_validate_json(kept or "")
        except ValidationError:
            return Heard(at=self._books.clock.now())

    def _pause(self, failures: int, error: ChannelError | None = None) -> None:
        """Longer and longer; a token that is refused stays so until somebody changes it."""
        growing_s = min(self._first_pause_s * 2.0 ** min(failures - 1, 16), LONGEST_PAUSE_S)
        asked_s = error.retry_after_s if isinstance(error, ChannelBusy) else 0.0
        self._stop.wait(max(growing_s, asked_s))
