"""A strategy trades on what an Expert Advisor pushes: on paper, and in the terminal itself.

Everything that decides, orders and books is the engine's own; the advisor, its terminal and the
clock are stand-ins. No job runs: each check is begun by the bar that has come.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest

from engine.adapters.brokers.mt5_ea.broker import AdvisorBroker
from engine.adapters.brokers.mt5_ea.link import Link
from engine.adapters.brokers.mt5_ea.options import EA_MAGIC
from engine.adapters.brokers.paper import PaperBroker
from engine.adapters.market_data.pushed import PushedMarket
from engine.domain.bots import Bot
from engine.domain.decisions import Action
from engine.domain.positions import Trade
from engine.domain.venue_accounts import Mode, VenueAccount
from engine.ports import Broker, MarketData
from engine.services.bar_checks import BarChecks
from engine.services.books import Books
from engine.services.candle_feed import CandleFeed, PriceBoard
from engine.services.check_bots import Checks
from engine.services.conclude import Concluder
from engine.services.controls import Controls
from engine.services.lanes import Lanes
from engine.services.order_desk import OrderDesk
from engine.services.pulse import Pulse
from engine.services.registry import MarketKind, VenueRegistry
from engine.services.run_cycle import CycleRunner
from engine.services.watch_positions import PositionWatcher
from tests.fakes.clock import START, FakeClock
from tests.fakes.expert_advisor import DeskWire, ExpertAdvisor
from tests.fakes.memory_store import MemoryStore
from tests.fakes.metatrader5 import StandIn, stocked
from tests.fakes.metatrader_desk import Bridge, bridge_over
from tests.fakes.paper_book import FakePaperBook
from tests.fakes.strategy_host import FakeStrategyHost
from tests.unit.samples import bot as sample_bot
from tests.unit.samples import config

SYMBOL = "EURUSD"
PATH = [*range(20, 10, -1), *range(10, 22), *range(22, 8, -1)]
CLOSES = [D("1.1") + D(step) / 1000 for step in PATH]
"""Down, up and down again: an average of two crosses one of four once each way."""


class Chart(ExpertAdvisor):
    """An advisor whose chart shows ``CLOSES``, a minute each, the first
    of them before ``START``, too."""

    def rates(self, symbol: str, count: int) -> list[Any]:
        """The bars that have closed."""
        closed = int((self.terminal.world.now() - START) / timedelta(minutes=1))
        first = int(START.timestamp()) - 60
        rows = []
        for minute, close in enumerate([CLOSES[0], *CLOSES[:closed]]):
            price = float(close)
            rows.append([first + 60 * minute, price, price, price, price, 10])
        return rows[-count:]


@dataclass
class Engine:
    """The parts of an engine that a bot on the bridge needs."""

    clock: FakeClock
    store: MemoryStore
    terminal: StandIn
    bridge: Bridge
    advisor: Chart
    books: Books
    lanes: Lanes
    checks: Checks

    async def minute(self) -> None:
        """The price moves on, and the advisor tells."""
        place = int((self.clock.now() - START) / timedelta(minutes=1))
        self.clock.advance(60)
        self.terminal.world.set_price(SYMBOL, CLOSES[place])
        await asyncio.to_thread(self.advisor.tick)
        await asyncio.sleep(0)  # what the bar has begun
        await self.checks.finish(90)

    def trades(self) -> list[Trade]:
        with self.store.reading() as tx:
            return list(tx.trades.select())


def build(folder: Path, loop: asyncio.AbstractEventLoop, market_id: str, **changes: Any) -> Engine:
    """An engine whose one bot trades on ``market_id``."""
    clock = FakeClock()
    store = MemoryStore(clock.now)
    terminal = stocked(clock.now)
    bridge = bridge_over(store, clock)
    wire = DeskWire(bridge.desk)
    advisor = Chart(terminal, wire, folder / "done.txt", magic=EA_MAGIC, symbols=(SYMBOL,))
    login = str(terminal.world.login)
    link = Link(login, str(EA_MAGIC), Mode.TEST, False, bridge.terminals, clock)
    book = FakePaperBook()

    def market(market_id: str) -> MarketData:
        return PushedMarket(market_id, login, bridge.terminals, clock)

    def paper(account_id: str, market: MarketData) -> Broker:
        return PaperBroker(account_id, market, book, opening_balance=D(100_000))

    def executed(account_id: str, market: MarketData) -> Broker:
        return AdvisorBroker(account_id, link, market, wait=lambda _s: advisor.tick())

    venues = VenueRegistry(
        {"metatrader": MarketKind(market, list),
         "account": MarketKind(market, list, account_kind="test")},
        {"paper": paper, "test": executed},
    )  # fmt: skip
    books, lanes, prices = Books(store, clock), Lanes(), PriceBoard()
    controls = Controls(books, folder / "KILL")
    desk, feed = OrderDesk(books, venues, controls), CandleFeed(lanes)
    watcher = PositionWatcher(books, desk, venues, prices, lanes)
    runner = CycleRunner(books, Concluder(books, desk, controls), desk, watcher, venues,
                         FakeStrategyHost(), feed, prices, lanes)  # fmt: skip
    checks = Checks(runner.run, Pulse(clock.now(), clock.now()), clock, pytest.fail)
    bridge.desk.prices.on_bar = BarChecks(books, feed, checks.begin, loop).tell
    with store.transaction() as tx:
        tx.venue_accounts.add(
            VenueAccount(id="ea", name="EA", venue="mt5_ea", mode=Mode.TEST,
                         options={"login": int(login)}, created_at=START, updated_at=START)
        )  # fmt: skip
    advisor.tick()  # the market is there from the first prices on
    settings = config(
        market=market_id.format(login=login), symbol=SYMBOL, strategy="ma_cross",
        params={"fast": 2, "slow": 4}, amount=D(12_000), interval_s=86_400,
    )  # fmt: skip
    with books.writing() as writing:
        bot = sample_bot(settings, account_id=venues.account_of(settings.market, "b0000001"))
        writing.add_bot(bot)
        found = venues.market(settings.market).instrument(SYMBOL)
        writing.tx.put_instrument(settings.market, found)
    return Engine(clock, store, terminal, bridge, advisor, books, lanes, checks)


def bot_of(engine: Engine) -> Bot:
    return engine.books.bots["b0000001"]


def test_bars_that_come_are_decided_at_once_and_traded_on_paper(tmp_path: Path) -> None:
    async def run() -> Engine:
        engine = build(tmp_path, asyncio.get_running_loop(), "metatrader:{login}")
        for _ in CLOSES:
            await engine.minute()
        engine.lanes.close()
        return engine

    engine = asyncio.run(run())
    [trade] = engine.trades()
    assert (trade.symbol, trade.exit_reason) == (SYMBOL, "signal")
    assert trade.exit_price > trade.entry_price
    assert trade.quantity % 1000 == 0, "in steps of a hundredth of a lot"
    assert bot_of(engine).account_id.startswith("paper:metatrader:")
    with engine.store.reading() as tx:
        decisions = tx.decisions.select()
    assert len(decisions) == len(CLOSES), "each bar, once"
    assert decisions[0].trace[-1].detail == "warming up: 2 of 5 candles"
    assert [one.action for one in decisions if one.action is not Action.HOLD] == [
        Action.ENTER_LONG, Action.EXIT,
    ]  # fmt: skip
    assert engine.advisor.sends == 0


def test_a_bot_does_not_decide_while_nothing_is_heard_and_says_since_when(tmp_path: Path) -> None:
    async def run() -> Engine:
        engine = build(tmp_path, asyncio.get_running_loop(), "metatrader:{login}")
        for _ in CLOSES[:6]:
            await engine.minute()
        engine.clock.advance(180)
        engine.checks.begin("b0000001")
        await engine.checks.finish(90)
        engine.lanes.close()
        return engine

    engine = asyncio.run(run())
    assert "Nothing was heard of EURUSD since 2026-03-02 12:06:00 UTC" in bot_of(engine).reason
    with engine.store.reading() as tx:
        assert tx.decisions.count() == 6


def test_the_same_bot_trades_in_the_terminal_and_both_books_agree(tmp_path: Path) -> None:
    async def run() -> Engine:
        engine = build(tmp_path, asyncio.get_running_loop(), "account:ea")
        for _ in CLOSES:
            await engine.minute()
        engine.lanes.close()
        return engine

    engine = asyncio.run(run())
    [trade] = engine.trades()
    bought, sold = engine.terminal.world.deals
    assert engine.advisor.sends == 3, "in, a stop that rests at the broker, and out"
    assert engine.terminal.world.orders == {}, "the stop was taken back"
    assert trade.quantity == bought.volume * 100_000 == sold.volume * 100_000
    assert (trade.entry_price, trade.exit_price) == (bought.price, sold.price)
    assert trade.fees == -(bought.commission + sold.commission)
    assert engine.terminal.world.positions == {}
    with engine.store.reading() as tx:
        fills = tx.fills.select()
    find = engine.bridge.desk.reader.find_indicators
    assert find("account:ea", SYMBOL) == find("prices:ea", SYMBOL) == {"mt_rsi_14": 51.5}
    assert [fill.trade_id for fill in fills] == [str(bought.ticket), str(sold.ticket)]
