"""The bridge to MetaTrader, put together."""

import asyncio

from engine.api.metatrader_desk import MetaTraderDesk
from engine.bootstrap_core import Core
from engine.services.advisor_orders import AdvisorOrders
from engine.services.bar_checks import BarChecks
from engine.services.check_bots import Checks
from engine.services.take_prices import PriceTaker


def build_metatrader(core: Core, checks: Checks, loop: asyncio.AbstractEventLoop) -> MetaTraderDesk:
    """Bots on a pushed market are checked as soon as a bar has come."""
    prices = PriceTaker(core.store, core.clock)
    prices.on_bar = BarChecks(core.books, core.feed, checks.begin, loop).tell
    return MetaTraderDesk(
        prices=prices,
        orders=AdvisorOrders(core.store, core.terminals, core.clock),
        reader=core.bridge,
    )
