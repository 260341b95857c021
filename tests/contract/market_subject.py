"""What the contract suite of markets asks; apart, so that venue modules can name it."""

from dataclasses import dataclass

from engine.ports import MarketData


@dataclass
class Subject:
    """A market under test, one of its symbols, and a timeframe that has history."""

    market: MarketData
    symbol: str
    timeframe: str
