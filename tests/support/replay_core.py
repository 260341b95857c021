"""A bot on a replay, by the engine's own services in this process: what the backtest must equal.

Everything that decides, orders, fills and books is the real thing; only the store is in memory and
the strategy runs here, so that thousands of candles take seconds.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.adapters.brokers.paper import PaperBroker
from engine.adapters.market_data.replay import ReplayMarket
from engine.domain.bots import Bot, BotConfig, Desired
from engine.domain.candles import Candles
from engine.domain.decisions import Intent
from engine.domain.positions import Position, Trade
from engine.domain.strategy import Strategy
from engine.ports import Broker, MarketData
from engine.services.books import Books
from engine.services.candle_feed import CandleFeed, PriceBoard
from engine.services.conclude import Concluder
from engine.services.controls import Controls
from engine.services.gateway import Gateway
from engine.services.lanes import Lanes
from engine.services.order_desk import OrderDesk
from engine.services.registry import MarketKind, VenueRegistry
from engine.services.run_cycle import CycleRunner
from engine.services.watch_positions import PositionWatcher
from engine.settings import Settings
from tests.fakes.clock import FakeClock
from tests.fakes.memory_store import MemoryStore
from tests.fakes.paper_book import FakePaperBook
from tests.fakes.strategy_host import FakeStrategyHost
from tests.unit.samples import bot as sample_bot

BALANCE = Decimal(100_000)


@dataclass(frozen=True)
class Played:
    """What a bot has done when its replay has ended."""

    trades: tuple[Trade, ...]
    position: Position | None
    bot: Bot


class PreparedHost(FakeStrategyHost):
    """Builds the one strategy once: its parameters are the same at every candle."""

    def __init__(self, strategy: Strategy) -> None:
        super().__init__({"tested": type(strategy)})
        self._strategy = strategy

    def history(self, strategy_id: str, params: Mapping[str, Any]) -> int:
        """As the worker says."""
        return max(self._strategy.history, self._strategy.warmup)

    def decide(self, strategy_id: str, params: Mapping[str, Any], candles: Candles) -> Intent:
        """The strategy's own live decision on the candles that it is shown."""
        return self._strategy.decide(candles)


def play(
    config: BotConfig,
    strategy: Strategy,
    path: Path,
    folder: Path,
    *,
    fee_bps: Decimal,
    slippage_bps: Decimal,
    volume_cap: Decimal,
) -> Played:
    """Run ``config`` over the candle file to its end."""
    clock = FakeClock()
    store, book = MemoryStore(clock.now), FakePaperBook()
    books = Books(store, clock)
    controls = Controls(books, folder / "KILL")

    def paper(account_id: str, market: MarketData) -> Broker:
        return PaperBroker(account_id, market, book, opening_balance=BALANCE, fee_bps=fee_bps,
                           slippage_bps=slippage_bps, volume_cap=volume_cap)  # fmt: skip

    kinds = {"replay": MarketKind(ReplayMarket, list, is_stepped=True)}
    venues = VenueRegistry(kinds, {"paper": paper})
    gateway = Gateway(books, controls, Settings(data=folder).limits, venues.is_stepped)
    desk = OrderDesk(books, venues, controls, gateway)
    lanes, prices = Lanes(), PriceBoard()
    watcher = PositionWatcher(books, desk, venues, prices, lanes)
    runner = CycleRunner(books, Concluder(books, desk, controls), desk, watcher, venues,
                         PreparedHost(strategy), CandleFeed(lanes), prices, lanes)  # fmt: skip
    market_id = f"replay:{path}"
    bot = sample_bot(config.model_copy(update={"market": market_id}), id="b0000001",
                     account_id=venues.account_of(market_id, "b0000001"))  # fmt: skip
    with books.writing() as writing:
        writing.add_bot(bot)
        instrument = venues.market(market_id, bot.id).instrument(config.symbol)
        writing.tx.put_instrument(market_id, instrument)
    try:
        asyncio.run(runner.run(bot.id))
    finally:
        lanes.close()
    ended = books.bots[bot.id]
    if ended.desired is not Desired.STOPPED:
        raise AssertionError(f"the replay did not come to its end: {ended.reason}")
    with store.reading() as tx:
        trades = tuple(tx.trades.select())
    return Played(trades, books.positions.get(bot.id), ended)
