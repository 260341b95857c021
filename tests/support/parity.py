"""The same bot twice over one candle file: by the engine's services, and by the backtest."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.domain.backtest import Leg
from engine.domain.backtests import BacktestResult, BacktestTerms
from engine.domain.bots import BotConfig, ExitRules
from engine.domain.candles import resample
from engine.domain.exact_backtest import exact_backtest
from engine.domain.strategy import Strategy
from engine.links.candle_files import read_candle_file
from tests.support.replay_core import BALANCE, Played, play
from tooling.place import ROOT

MARKET = ROOT.parent / "shared" / "market"
FEE_BPS, SLIPPAGE_BPS, VOLUME_CAP = Decimal(10), Decimal(1), Decimal("0.25")
SAME = (
    "side", "quantity", "entry_time", "entry_price", "entry_value", "exit_time", "exit_price",
    "exit_value", "fees", "pnl", "return_fraction", "entry_count", "exit_reason", "symbol",
)  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """What both did."""

    played: Played
    tested: BacktestResult


def cut_file(source: Path, folder: Path, start: int, bars: int) -> Path:
    """``bars`` rows of a candle file from row ``start`` on, as a file of the same name."""
    head, *rows = source.read_text(encoding="utf-8").splitlines()
    path = folder / source.name
    path.write_text("\n".join([head, *rows[start : start + bars]]) + "\n", encoding="utf-8")
    return path


def compare(
    strategy: Strategy,
    path: Path,
    folder: Path,
    *,
    amount: Decimal,
    timeframe: str | None = None,
    backtest_fee_bps: Decimal = FEE_BPS,
    **settings: Any,
) -> Comparison:
    """Run a bot of ``settings`` both ways."""
    file = read_candle_file(path)
    instrument, bars = file.instrument, file.candles
    timeframe = timeframe or bars.timeframe
    config = BotConfig(
        name="parity", market="replay:", symbol=instrument.symbol, strategy="tested",
        timeframe=timeframe, amount=amount, **settings,
    )  # fmt: skip
    played = play(config, strategy, path, folder, fee_bps=FEE_BPS, slippage_bps=SLIPPAGE_BPS,
                  volume_cap=VOLUME_CAP)  # fmt: skip
    terms = BacktestTerms(
        cash=BALANCE, amount=amount, reinvest=config.reinvest, direction=config.direction,
        can_short=instrument.can_short, max_entries=config.max_entries, fee_bps=backtest_fee_bps,
        slippage_bps=SLIPPAGE_BPS, volume_cap=VOLUME_CAP, price_tick=instrument.price_tick,
        quantity_step=instrument.quantity_step, min_quantity=instrument.min_quantity,
        min_notional=instrument.min_notional,
        exits=ExitRules(**{name: getattr(config, name) for name in ExitRules.model_fields}),
    )  # fmt: skip
    candles = resample(bars, timeframe)
    fine = None if timeframe == bars.timeframe else bars
    leg = Leg(instrument.symbol, candles, strategy.signals(candles), fine, strategy.warmup)
    return Comparison(played, exact_backtest(leg, terms))


def assert_equal(found: Comparison) -> None:
    """Trade by trade, digit by digit, and what is left open at the end."""
    trades = found.tested.exact_trades
    for number, (live, tested) in enumerate(zip(found.played.trades, trades, strict=False)):
        for name in SAME:
            one, other = getattr(live, name), getattr(tested, name)
            assert one == other, f"trade {number}: {name} is {one} live and {other} tested"
    assert len(found.played.trades) == len(trades)
    position, held = found.played.position, found.tested.open_positions
    assert (position is not None) == bool(held)
    if position is not None:
        assert float(position.quantity) == held[0].quantity
        assert float(position.entry_value) == held[0].entry_value
        assert position.opened_at.timestamp() * 1000 == held[0].entry_ms
