"""The bridge to MetaTrader over memory."""

from dataclasses import dataclass

from engine.api.metatrader_desk import MetaTraderDesk
from engine.ports import Clock, Store
from engine.services.advisor_orders import AdvisorOrders
from engine.services.bridge_figures import BridgeReader
from engine.services.take_prices import PriceTaker
from engine.services.terminals import TerminalBooks
from tests.fakes.memory_store import MemoryStore


@dataclass(frozen=True)
class Bridge:
    """A desk, and what is behind it."""

    store: Store
    terminals: TerminalBooks
    desk: MetaTraderDesk


def bridge_over(store: Store, clock: Clock) -> Bridge:
    """The real services over a store."""
    terminals = TerminalBooks(store)
    desk = MetaTraderDesk(
        PriceTaker(store, clock), AdvisorOrders(store, terminals, clock), BridgeReader(store, clock)
    )
    return Bridge(store, terminals, desk)


def fake_metatrader(clock: Clock) -> MetaTraderDesk:
    """A desk over an empty memory."""
    return bridge_over(MemoryStore(), clock).desk
