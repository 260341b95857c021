"""Commands from Telegram: one poller for each bot whose channels let a chat ask or command."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.domain.alerts import Channel
from engine.errors import ConfigError
from engine.ports.chat import ChatClient, Chats
from engine.services.books import Books
from engine.services.channel_links import ChannelLinks
from engine.services.chat_access import (
    ChatAccess,
    StrangerWatch,
    can_trade,
    commanding_channels,
)
from engine.services.converse import Carrier, Conversation
from engine.services.lanes import Lanes
from engine.services.telegram_poller import TelegramPoller, Troubles

LANE = "telegram"
NO_CHAT = (
    "Nobody can command in a channel with a @name: give the number of a chat or group, or set"
    " Commands to 'no'."
)


@dataclass(frozen=True)
class _Bot:
    """A bot that is read."""

    poller: TelegramPoller
    access: ChatAccess


class TelegramCommands:
    """``begin_due`` compares what is read with what is to be; a bot is never read twice at a
    time, also not while its last poller ends."""

    def __init__(
        self,
        books: Books,
        lanes: Lanes,
        links: ChannelLinks,
        chats: Chats,
        carrier: Carrier,
        *,
        first_pause_s: float = 1.0,
    ) -> None:
        self._books = books
        self._lanes = lanes
        self._links = links
        self._chats = chats
        self._carrier = carrier
        self._first_pause_s = first_pause_s
        self._strangers = StrangerWatch(books)
        self._bots: dict[str, _Bot] = {}
        self._ending: list[TelegramPoller] = []
        self._unusable: dict[str, Troubles] = {}
        self._is_closed = False

    # --- on the event loop ------------------------------------------------------------------------

    async def begin_due(self) -> None:
        """Have it compared. Raises StoreError."""
        if not self._lanes.backlog(LANE):
            await self._lanes.run(LANE, self.compare)

    def close(self) -> None:
        """Read nothing any more, at once."""
        self._is_closed = True
        for bot in list(self._bots.values()):
            bot.poller.close()

    async def finish(self, timeout_s: float) -> None:
        """Let what is being carried out end; after ``close``."""
        pollers = [*self._ending, *(bot.poller for bot in list(self._bots.values()))]
        await asyncio.gather(*(asyncio.to_thread(one.join, timeout_s) for one in pollers))

    # --- on its lane ------------------------------------------------------------------------------

    def compare(self) -> None:
        """Start and stop what the channels say. Raises StoreError."""
        wanted = self._wanted()
        for token in [one for one in self._bots if one not in wanted]:
            poller = self._bots.pop(token).poller
            poller.close()
            self._ending.append(poller)
        self._ending = [one for one in self._ending if one.is_alive]
        for token, channels in wanted.items():
            if token in self._bots:
                self._serve(self._bots[token], channels)
            elif all(one.bot_id != _bot_id(token) for one in self._ending):
                self._begin(token, channels)

    def _wanted(self) -> dict[str, list[Channel]]:
        """By the token of a bot, the channels that can be used; of the others it is told."""
        with self._books.store.reading() as tx:
            channels = commanding_channels(tx)
        found: dict[str, list[Channel]] = {}
        for channel in channels:
            troubles = self._unusable.setdefault(channel.id, Troubles(self._books))
            if channel.settings.get("chat", "").startswith("@"):
                troubles.tell(_names([channel]), NO_CHAT)
                continue
            try:
                _, opened = self._links.opened(channel)
            except ConfigError as error:
                troubles.tell(_names([channel]), error.message)
                continue
            troubles.fine(_names([channel]))
            found.setdefault(opened["token"], []).append(channel)
        there = {one.id for one in channels}
        self._unusable = {key: one for key, one in self._unusable.items() if key in there}
        return found

    def _begin(self, token: str, channels: Sequence[Channel]) -> None:
        access = ChatAccess(self._books, self._strangers)

        def converse(client: ChatClient, wait: Callable[[float], bool]) -> Conversation:
            return Conversation(self._books, client, access, self._carrier, wait)

        client = self._chats.chat(channels[0].settings, {"token": token})
        poller = TelegramPoller(
            self._books, client, _bot_id(token), converse, first_pause_s=self._first_pause_s
        )
        bot = self._bots[token] = _Bot(poller, access)
        self._serve(bot, channels)
        poller.start()
        if self._is_closed:  # meanwhile
            poller.close()

    def _serve(self, bot: _Bot, channels: Sequence[Channel]) -> None:
        bot.access.serve(channels)
        bot.poller.serve(_names(channels), can_trade=any(can_trade(one) for one in channels))


def _bot_id(token: str) -> str:
    """The part of a token that is no secret; a new token of the same bot has it too."""
    return token.partition(":")[0]


def _names(channels: Sequence[Channel]) -> str:
    return ", ".join(f"'{one.name}'" for one in channels)
