"""A bot that enters and leaves, once with a model and once without: what the difference was."""

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from engine.domain.advice import AiConfig, Counsel, EntryProposal, Situation
from engine.domain.bots import Direction
from engine.domain.candles import Candles
from engine.domain.decisions import Intent
from engine.domain.exits import fixed_levels
from engine.domain.money import ZERO
from engine.domain.news import NewsItem
from engine.domain.positions import PositionSide
from engine.services.conclude import Concluder
from tests.fakes.clock import FakeClock
from tests.fakes.market import FakeMarket
from tests.fakes.memory_store import MemoryStore
from tests.support.advising import situation
from tests.unit.conftest import Room, open_room
from tests.unit.samples import config

D = Decimal
LONG = PositionSide.LONG


@dataclass(frozen=True)
class Exit:
    """How a position ended."""

    reason: str
    price: Decimal


@dataclass(frozen=True)
class Course:
    """What became of one play: what was opened, its levels, how it was closed."""

    spent: Decimal = ZERO
    quantity: Decimal = ZERO
    stop: Decimal | None = None
    target: Decimal | None = None
    exits: tuple[Exit, ...] = ()
    orders: int = 0


class Play:
    """A bot of 100 USDT at a price of 100 that wants to enter, is filled at a worse one, and wants
    out a candle later."""

    def __init__(self, room: Room, market: FakeMarket, side: PositionSide) -> None:
        self.room, self.market, self.side = room, market, side
        self.fill_price = "100.07" if side is LONG else "99.93"
        self._concluder = Concluder(room.books, room.desk, room.controls)
        is_long = side is LONG
        self._enter = Intent(enter_long=is_long, enter_short=not is_long, reason="RSI")
        self._leave = Intent(exit_long=is_long, exit_short=not is_long, reason="RSI")

    def situation(self, items: tuple[NewsItem, ...], ai: AiConfig) -> Situation:
        """What the model is told."""
        config = self.room.bot.config
        return situation(
            candles=self._candles(), now=self.market.now(), news=items, ai=ai,
            position=self.room.books.positions.get(self.room.bot.id), can_short=True,
            stop_loss=config.stop_loss, take_profit=config.take_profit,
            instrument=self.market.instrument("BTC/USDT"),
        )  # fmt: skip

    def proposal(self) -> EntryProposal:
        """The entry it is asked about."""
        instrument = self.market.instrument("BTC/USDT")
        stop, target = fixed_levels(self.room.bot.config, self.side, D(100), instrument)
        return EntryProposal(
            side=self.side, amount=D(100), price=D(100), stop_price=stop, target_price=target,
            reason="RSI",
        )  # fmt: skip

    def run(self, counsel: Counsel | None = None, intent: Intent | None = None) -> Course:
        """Enter as far as the counsel lets it, then leave."""
        self.enter(counsel, intent)
        held = self.room.books.positions.get(self.room.bot.id)
        orders = len(self.room.orders())
        self.leave()
        assert not self.room.books.positions
        exits = tuple(Exit(one.exit_reason, one.exit_price) for one in self.room.trades())
        if held is None:
            return Course(orders=orders)
        return Course(
            held.entry_value, held.quantity, held.stop_price, held.target_price, exits, orders
        )

    def enter(self, counsel: Counsel | None = None, intent: Intent | None = None) -> None:
        """Conclude the entry; it is filled at another price than the one that was judged."""
        self.room.move(self.fill_price)
        self._conclude(intent or self._enter, counsel)

    def leave(self, intent: Intent | None = None, counsel: Counsel | None = None) -> None:
        """Conclude the exit a candle later; no model is asked about it."""
        self.market.add_bar("BTC/USDT", 100, 101, 99, 100.5)
        self.room.broker.now = self.market.now()
        self.room.move("100.50")
        self._conclude(intent or self._leave, counsel)

    def _candles(self) -> Candles:
        return self.market.candles("BTC/USDT", "1m", limit=20)

    def _conclude(self, intent: Intent, counsel: Counsel | None) -> None:
        self._concluder.conclude(
            self.room.bot.id, self.market, self._candles(), intent, counsel=counsel
        )


def begin_play(folder: Path, side: PositionSide) -> Play:
    """A play of its own; ``folder`` is where a kill latch would be."""
    clock = FakeClock()
    market = FakeMarket(clock, market_id="simulated")
    for _ in range(20):
        market.add_bar("BTC/USDT", 100, 101, 99, 100)
    settings = config(
        amount=D(100), direction=Direction.BOTH, stop_loss=D("0.02"), take_profit=D("0.05")
    )
    with open_room(folder, clock, market, MemoryStore(clock.now), bot_config=settings) as room:
        return Play(room, market, side)


def assert_no_more(one: Course, without: Course) -> None:
    """The whole promise: exposure not above, stop not wider, exits the same."""
    assert one.spent <= without.spent
    assert one.quantity <= without.quantity
    assert one.orders <= without.orders
    if not one.quantity:
        return
    assert without.stop is not None
    assert without.target is not None
    assert one.stop is not None
    assert one.target is not None
    is_long = without.stop < 100
    assert (one.stop >= without.stop) if is_long else (one.stop <= without.stop)
    assert (one.target <= without.target) if is_long else (one.target >= without.target)
    assert one.exits == without.exits


def assert_fenced(system: str, prompt: str, mark: str) -> None:
    """The news of this mark is one line of JSON between the marks, and nowhere else."""
    lines = prompt.split("\n")
    assert not [line for line in lines if mark in line and not line.startswith("[{")]
    assert mark not in system
    [place] = [number for number, line in enumerate(lines) if mark in line]
    name = lines[place - 1]
    assert lines[place + 1] == name.replace("<data-", "</data-")
    assert prompt.count(name) == 1
    assert "<" not in lines[place]
    items = json.loads(lines[place])
    assert any(mark in str(item.get("title")) for item in items)
    assert all(str(value).isprintable() for item in items for value in item.values())
    assert len(prompt) < 6_000
