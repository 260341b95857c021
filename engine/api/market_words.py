"""Markets in words, by the kind that their id begins with."""

from engine.api.views import mode_of
from engine.contracts import MarketView
from engine.ports import Venues

MARKET_WORDS = {
    "simulated": ("Simulated market", "Invented prices of crypto, stocks and forex; no network"),
    "replay": ("Replay of", "Recorded candles played again, as fast as you like"),
    "ccxt": ("Live prices of", "Real public prices through ccxt, traded on paper; no key"),
    "testnet": ("Binance testnet", "Orders at Binance's test network, with test money"),
}
CCXT_TIMEFRAMES = ("1m", "5m", "15m", "30m", "1h", "4h", "1d")


def with_mode(view: MarketView, venues: Venues) -> MarketView:
    """The market with what the orders of its accounts move."""
    return view.model_copy(update={"mode": mode_of(venues.account_of(view.id, "form"))})
