"""A bot with a model in a room of its own: scripted strategy, scripted model, hand-made bars."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from engine.domain.advice import Advice, AiConfig
from engine.domain.decisions import Decision, Intent
from engine.domain.orders import Purpose
from engine.ports import Store
from engine.services.asked_once import AskedOnce
from engine.services.candle_feed import CandleFeed, PriceBoard
from engine.services.conclude import Concluder
from engine.services.consult import Consultant, Links
from engine.services.lanes import Lanes
from engine.services.run_cycle import CycleRunner
from engine.services.situations import Situations
from engine.services.waiting_entries import WaitingEntries
from engine.services.watch_positions import PositionWatcher
from tests.fakes.advisor import GO, FakeAdvisor, buy
from tests.fakes.clock import FakeClock
from tests.fakes.market import FakeMarket
from tests.fakes.memory_store import MemoryStore
from tests.fakes.strategy_host import FakeStrategyHost
from tests.unit.conftest import Room, open_room
from tests.unit.samples import config

LONG = Intent(enter_long=True, reason="the strategy says so", size=0.5, values={"rsi": 25.0})
WHOLE = Intent(enter_long=True, reason="the strategy says so")
SHORT = Intent(enter_short=True, reason="down it goes")
OUT = Intent(exit_long=True, reason="enough")
NOTHING = Intent(reason="nothing to do", values={"rsi": 50.0})
"""What a strategy may say."""


class Desk:
    """A cycle runner with a scripted strategy and a scripted model, over a market of hand-made
    bars."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.host = FakeStrategyHost()
        self.advisor = FakeAdvisor(room.store)
        self.checked: list[str] = []
        self.lanes = Lanes()
        self.build()

    def build(self) -> None:
        """Everything that does not outlive a crash."""
        room, lanes, prices = self.room, self.lanes, PriceBoard()
        concluder = Concluder(room.books, room.desk, room.controls)
        self.watcher = PositionWatcher(room.books, room.desk, room.venues, prices, lanes)
        advisor = AskedOnce(self.advisor, room.store, lanes, lambda *_: GO, lambda *_: buy())
        self.consultant = Consultant(
            room.books, concluder, WaitingEntries(room.books, concluder, room.desk), advisor,
            Situations(room.books, room.venues, lanes), room.venues, lanes,
            links=Links(check_now=self.checked.append),
        )  # fmt: skip
        self.runner = CycleRunner(
            room.books, concluder, room.desk, self.watcher, room.venues, self.host,
            CandleFeed(lanes), prices, lanes, consultant=self.consultant,
        )  # fmt: skip

    def crash(self) -> None:
        """What a crash and a start leave."""
        self.room.restart()
        self.advisor.dies = False
        self.build()

    def bar(self, close: float = 100.0) -> None:
        """One more candle closes, at a price."""
        market = self.room.market
        assert isinstance(market, FakeMarket)
        market.add_bar("BTC/USDT", close, close, close, close, 1.0)
        self.room.move(str(close))
        self.room.broker.now = self.room.clock.now()

    async def check(self, answer: Intent) -> None:
        """One check with the strategy's answer; the model is not waited for."""
        self.host.script.append(answer)
        await self.runner.run(self.room.bot.id)

    def run(self, *script: Intent) -> None:
        """For each answer of the strategy a candle, a check, and the model's answer."""
        for answer in script:
            self.bar()
            asyncio.run(self.wait(answer))

    async def wait(self, answer: Intent) -> None:
        """One check with the strategy's answer, and the model's."""
        await self.check(answer)
        await self.consultant.finish(10)

    @asynccontextmanager
    async def thinking(self, answer: Intent) -> AsyncIterator[None]:
        """While the model thinks about a candle on which the strategy said ``answer``."""
        self.bar()
        self.advisor.hold_back()
        await self.check(answer)
        await self.advisor.is_asked()
        yield
        self.advisor.release()
        await self.consultant.finish(10)

    def save(self, **changes: Any) -> None:
        """Change the one bot."""
        with self.room.books.writing() as writing:
            writing.save_bot(self.room.bot.id, **changes)

    def advice(self) -> list[Advice]:
        """All advice, oldest first."""
        with self.room.store.reading() as tx:
            return list(tx.advice.select())

    def decisions(self) -> list[Decision]:
        """All decisions, oldest first."""
        with self.room.store.reading() as tx:
            return list(tx.decisions.select())

    def last(self) -> Decision:
        """The newest decision."""
        return self.decisions()[-1]

    def sent(self, purpose: Purpose) -> list[str]:
        """The client ids of the orders of a purpose that reached the venue."""
        return [one.client_id for one in self.room.orders()
                if one.purpose is purpose and one.client_id in self.room.broker.sent]  # fmt: skip


@contextmanager
def model_desk(
    folder: Path, ai: AiConfig | None = None, *, store: Store | None = None, **changes: Any
) -> Iterator[Desk]:
    """A desk whose bot has the given settings, after eighty minutes at a price of 100; ``store``
    stands in for one in memory."""
    clock = FakeClock()
    market = FakeMarket(clock)
    market.history("BTC/USDT", [100.0] * 80)
    settings = config(ai=ai or AiConfig(), **changes)
    with open_room(
        folder, clock, market, store or MemoryStore(clock.now), bot_config=settings
    ) as room:
        desk = Desk(room)
        yield desk
        desk.lanes.close()
