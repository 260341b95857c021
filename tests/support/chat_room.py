"""An engine that is commanded from a chat: its services over memory, Telegram on the loopback."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from engine.adapters.market_data.simulated import SimulatedMarket
from engine.adapters.notify.registry import NotifierRegistry
from engine.api.chat_desk import ChatDesk
from engine.api.control_desk import ControlDesk
from engine.api.views import Views
from engine.domain.alerts import Channel, ChannelKind
from engine.domain.conversion import read_equals
from engine.domain.limits import Limits
from engine.domain.records import AuditEntry, Event
from engine.services.account_ledger import AccountLedger
from engine.services.books import Books
from engine.services.bots import BotService
from engine.services.candle_feed import PriceBoard
from engine.services.channel_links import ChannelLinks
from engine.services.controls import Controls
from engine.services.convert import Converter, Terms
from engine.services.gateway import Gateway
from engine.services.instrument_book import InstrumentBook
from engine.services.lanes import Lanes
from engine.services.pulse import Pulse
from engine.services.telegram_commands import TelegramCommands
from engine.services.track_equity import EquityKeeper
from tests.fakes.broker import ScriptedBroker
from tests.fakes.clock import FakeClock
from tests.fakes.memory_store import MemoryStore
from tests.fakes.strategy_host import FakeStrategyHost
from tests.fakes.telegram_server import CHAT, TOKEN, USER, WRITTEN_AT, TelegramServer
from tests.fakes.vault import FakeVault
from tests.fakes.venues import FakeVenues
from tests.support.client import eventually
from tests.unit.samples import bot as sample_bot
from tests.unit.samples import config

AT = datetime.fromtimestamp(WRITTEN_AT, UTC)
TIMEOUT_S = 20.0


class ChatRoom:
    """One engine after another over one store; the clock stands where messages are written."""

    def __init__(self, folder: Path, telegram: TelegramServer) -> None:
        self.folder = folder
        self.telegram = telegram
        self.clock = FakeClock(AT)
        self.store = MemoryStore(self.clock.now)
        self.vault = FakeVault()
        self.hidden: set[str] = set()
        self.market = SimulatedMarket(7, self.clock)
        self.venues = FakeVenues(self.market, ScriptedBroker())
        self.lanes = Lanes()
        self.build()

    def build(self) -> None:
        """What a start makes anew."""
        self.books = Books(self.store, self.clock)
        self.books.load()
        self.controls = Controls(self.books, self.folder / "KILL")
        self.controls.load()
        self.prices, instruments = PriceBoard(), InstrumentBook(self.store)
        ledger = AccountLedger(self.books, instruments)
        converter = Converter(
            self.books, self.prices, instruments, ledger, self.venues, self.lanes,
            Terms("USDT", read_equals("")),
        )  # fmt: skip
        equity = EquityKeeper(self.books, self.prices, instruments, self.venues)
        pulse = Pulse(started_at=AT - timedelta(hours=3), heartbeat_at=AT)
        views = Views(self.books, equity, instruments, pulse, converter)
        self.bots = BotService(self.books, self.venues, FakeStrategyHost(), lambda: None)
        gateway = Gateway(self.books, self.controls, lambda _is_paper: Limits())
        desk = ControlDesk(self.books, self.venues, self.controls, gateway)
        self.desk = ChatDesk(self.books, views, self.bots, desk, self.venues, pulse)
        chats = NotifierRegistry(telegram_url=self.telegram.url, timeout_s=TIMEOUT_S)
        links = ChannelLinks(self.vault, chats, self.hidden.add)
        self.commands = TelegramCommands(
            self.books, self.lanes, links, chats, self.desk, first_pause_s=0.01
        )

    def restart(self) -> None:
        """An end and a start."""
        self.end()
        self.build()
        self.commands.compare()

    def end(self) -> None:
        """As the engine ends."""
        self.commands.close()
        asyncio.run(self.commands.finish(TIMEOUT_S))

    def close(self) -> None:
        """The end of the test; no thread of a poller is left."""
        self.end()
        self.lanes.close()
        assert not [one.name for one in threading.enumerate() if one.name.startswith("telegram:")]

    # --- what there is ----------------------------------------------------------------------------

    def add_channel(
        self, commands: str = "trade", users: str = "", chat: str = CHAT, token: str = TOKEN,
        id: str = "c1",
    ) -> None:  # fmt: skip
        """A channel, read from now on."""
        self.put_channel(commands, users, chat, token, id)
        self.commands.compare()

    def put_channel(
        self, commands: str = "trade", users: str = "", chat: str = CHAT, token: str = TOKEN,
        id: str = "c1",
    ) -> None:  # fmt: skip
        """A channel, read from the next comparison on."""
        channel = Channel(
            id=id, name=f"Phone {id}", kind=ChannelKind.TELEGRAM,
            settings={"chat": chat, "commands": commands, "users": users},
            sealed={"token": self.vault.seal(id, "token", token)}, created_at=AT, updated_at=AT,
        )  # fmt: skip
        with self.store.transaction() as tx:
            tx.channels.add(channel)

    def change_channel(self, id: str = "c1", **changes: Any) -> None:
        """Edit it, as the panel does; the pollers learn of it by themselves."""
        with self.store.transaction() as tx:
            tx.channels.save(tx.channels.get(id).model_copy(update=changes))

    def add_bot(self, name: str, **changes: Any) -> str:
        """A running bot; its id."""
        bot_id = f"b{len(self.books.bots) + 1:07}"
        made = sample_bot(config(name=name), id=bot_id, **changes)
        with self.books.writing() as writing:
            writing.add_bot(made)
            writing.tx.put_instrument(made.config.market, self.market.instrument("BTC/USDT"))
        return bot_id

    # --- what is said -----------------------------------------------------------------------------

    def said(self) -> list[str]:
        """What the engine wrote, in order."""
        return [text for _, text in self.telegram.texts]

    def ask(self, text: str, chat: str = CHAT, user: int = USER) -> str:
        """Write, and wait for the answer."""
        before = len(self.telegram.sent)
        self.telegram.write(text, chat, user)
        self.wait_said(before + 1)
        return self.said()[before]

    def wait_said(self, count: int) -> None:
        """Wait until so much was written."""
        eventually(lambda: len(self.telegram.sent), lambda sent: sent >= count, every_s=0.01)

    def buttons(self) -> list[str]:
        """What the buttons of the last message stand for."""
        [row] = self.telegram.sent[-1]["reply_markup"]["inline_keyboard"]
        return [one["callback_data"] for one in row]

    def press(self, data: str, chat: str = CHAT, user: int = USER) -> str:
        """Press, and wait for the word that answers it."""
        before = len(self.telegram.answered)
        self.telegram.press(data, chat, user)
        eventually(lambda: len(self.telegram.answered), lambda n: n > before, every_s=0.01)
        return self.telegram.answered[before].get("text", "")

    def events(self, kind: str) -> list[Event]:
        """Recorded of a kind, oldest first."""
        with self.store.reading() as tx:
            return list(tx.events.select(kind=kind))

    def audit(self) -> list[AuditEntry]:
        """All of it, oldest first."""
        with self.store.reading() as tx:
            return list(tx.audit.select())
