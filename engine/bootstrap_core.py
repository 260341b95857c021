"""The middle of the engine: its books, its venues and the desk between them."""

from collections.abc import Callable
from dataclasses import dataclass

from engine.adapters.clock.system import SystemClock
from engine.adapters.store.store import SqlStore
from engine.adapters.strategies.host import StrategyHost
from engine.bootstrap_accounts import build_connections, build_vault
from engine.bootstrap_candles import build_candle_sources
from engine.bootstrap_market_data import build_market_data
from engine.bootstrap_venues import build_venues
from engine.ports import Vault
from engine.services.account_ledger import AccountLedger
from engine.services.books import Books
from engine.services.bridge_figures import BridgeReader
from engine.services.candle_feed import CandleFeed, PriceBoard
from engine.services.candle_sources import CandleSources
from engine.services.connections import Connections
from engine.services.controls import Controls
from engine.services.gateway import Gateway
from engine.services.instrument_book import InstrumentBook
from engine.services.lanes import Lanes
from engine.services.latch_file import LATCH_NAME
from engine.services.order_desk import OrderDesk
from engine.services.pulse import Pulse
from engine.services.registry import VenueRegistry
from engine.services.sleep import SleepKeeper
from engine.services.terminals import TerminalBooks
from engine.settings import Settings


@dataclass(frozen=True)
class Core:
    """What every other part of the engine is made of."""

    settings: Settings
    store: SqlStore
    clock: SystemClock
    pulse: Pulse
    lanes: Lanes
    books: Books
    controls: Controls
    host: StrategyHost
    vault: Vault
    terminals: TerminalBooks
    bridge: BridgeReader
    connections: Connections
    venues: VenueRegistry
    prices: PriceBoard
    instruments: InstrumentBook
    ledger: AccountLedger
    gateway: Gateway
    desk: OrderDesk
    sources: CandleSources
    sleep: SleepKeeper
    feed: CandleFeed


def build_core(
    settings: Settings, store: SqlStore, hide: Callable[[str], None], kill: Callable[[], None]
) -> Core:
    """Build it. ``hide`` keeps a secret out of the logs; ``kill`` has a control carried out."""
    clock = SystemClock()
    now = clock.now()
    lanes, books = Lanes(), Books(store, clock)
    controls = Controls(books, settings.data / LATCH_NAME, kill)
    vault = build_vault(settings, store)
    terminals = TerminalBooks(store)
    connections = build_connections(vault, store, clock, hide, settings.data, terminals)
    venues = build_venues(settings, store, clock, connections, terminals)
    instruments = InstrumentBook(store)
    gateway = Gateway(books, controls, settings.limits, venues.is_stepped)
    sources = build_candle_sources(settings, clock)
    sleep, feed = build_market_data(settings, books, venues, lanes, sources)
    return Core(
        settings=settings,
        store=store,
        clock=clock,
        pulse=Pulse(started_at=now, heartbeat_at=now),
        lanes=lanes,
        books=books,
        controls=controls,
        host=StrategyHost(
            settings.strategies, settings.strategy_workers, settings.strategy_deadline_s,
            settings.strategy_memory_mb,
        ),
        vault=vault,
        terminals=terminals,
        bridge=BridgeReader(store, clock),
        connections=connections,
        venues=venues,
        prices=PriceBoard(),
        instruments=instruments,
        ledger=AccountLedger(books, instruments),
        gateway=gateway,
        desk=OrderDesk(books, venues, controls, gateway),
        sources=sources,
        sleep=sleep,
        feed=feed,
    )  # fmt: skip
