"""Who is asked about bots with a model, and what is told about them."""

from collections.abc import Mapping

from engine.bootstrap_ai import build_advisor
from engine.bootstrap_core import Core
from engine.bootstrap_trading import Advice
from engine.services.bridge_figures import BridgeReader
from engine.services.news_desk import NewsDesk
from engine.services.situations import Situations


def build_advice(core: Core, news: NewsDesk) -> Advice:
    """Build it; nobody is asked before a bot wants it."""
    bridge = BridgeReader(core.store, core.clock)

    def outside(market_id: str, symbol: str) -> Mapping[str, float | None]:
        """An Expert Advisor's indicators, told apart from the strategy's own series."""
        found = bridge.find_indicators(market_id, symbol)
        return {f"mt_{name}": value for name, value in found.items()}

    return Advice(
        advisor=build_advisor(core.settings, core.books, core.lanes),
        situations=Situations(core.books, core.venues, core.lanes, news.about, outside),
    )
