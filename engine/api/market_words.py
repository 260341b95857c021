"""Markets in words, by the kind that their id begins with."""

MARKET_WORDS = {
    "simulated": ("Simulated market", "Invented prices of crypto, stocks and forex; no network"),
    "replay": ("Replay of", "Recorded candles played again, as fast as you like"),
    "ccxt": ("Live prices of", "Real public prices through ccxt, traded on paper; no key"),
    "metatrader": ("MetaTrader", "Prices that an Expert Advisor pushes, traded on paper"),
    "testnet": ("Binance testnet", "Orders at Binance's test network, with test money"),
}
CCXT_TIMEFRAMES = ("1m", "5m", "15m", "30m", "1h", "4h", "1d")
MODE_WORDS = {"paper": "paper money", "test": "test money", "live": "real money"}
"""By mode."""
