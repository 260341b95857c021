"""Candles to replay: real ones where they are at hand, else as many of the simulated market."""

from datetime import UTC, datetime
from pathlib import Path

from engine.adapters.market_data.simulated import SimulatedMarket
from engine.domain.money import from_epoch_ms
from tests.fakes.clock import FakeClock
from tooling.place import ROOT

REAL = ROOT.parent / "shared" / "market" / "ETH-BTC.5m.csv"
COUNT = 5_760


def eth_btc(folder: Path) -> Path:
    """A CSV of 5,760 five-minute candles of ETH/BTC."""
    if REAL.exists():
        return REAL
    market = SimulatedMarket(7, FakeClock(datetime(2026, 1, 21, tzinfo=UTC)))
    candles = market.candles("ETH/USDT", "5m", limit=COUNT)
    path = folder / REAL.name
    lines = ["timestamp,open,high,low,close,volume"]
    for bar in candles.bars():
        opened = from_epoch_ms(bar.open_ms).isoformat().replace("+00:00", "Z")
        lines.append(f"{opened},{bar.open},{bar.high},{bar.low},{bar.close},{bar.volume}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
