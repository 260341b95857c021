"""Parity: a bot on a replay and the backtest make the same trades, to the last digit.

Every strategy of the folder on real candles of crypto, stocks and forex, by the engine's own
services (``tests/support/replay_core.py``) and by the backtest; then bots whose orders are too
large for a bar, that add to positions, reverse, trail, and watch finer candles. The whole files
are in tests/bench/test_parity_full.py.
"""

from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest

from engine.adapters.strategies.loader import load
from tests.fakes.strategy_host import STRATEGIES
from tests.support.parity import MARKET, assert_equal, compare, cut_file

FILES = {
    "ETH-BTC.5m.csv": (1_400, D("0.05")),
    "BTC-USD.1m.csv": (700, D(1_000)),
    "SPY.1h.csv": (9_000, D(1_000)),
    "EUR-USD.1h.csv": (20_000, D(1_000)),
}
"""Where a piece begins, and what a bot trades there."""

BARS = 220
NAMES = sorted(path.stem for path in STRATEGIES.glob("*.py") if not path.stem.startswith("_"))

needs_market = pytest.mark.skipif(
    not MARKET.is_dir(), reason="the real candles of ../shared/market are not at hand"
)


@needs_market
@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("name", NAMES)
def test_every_strategy_trades_alike_in_the_engine_and_in_the_backtest(
    name: str, file: str, tmp_path: Path
) -> None:
    start, amount = FILES[file]
    strategy = load(STRATEGIES / f"{name}.py")()
    bars = BARS + min(strategy.warmup, 200)
    path = cut_file(MARKET / file, tmp_path, start, bars)
    tight: dict[str, Any] = {"stop_loss": D("0.004"), "take_profit": D("0.006")}
    assert_equal(compare(strategy, path, tmp_path, amount=amount, direction="both", **tight))


HARD: dict[str, tuple[str, str, int, int, dict[str, Any]]] = {
    "orders larger than a bar, reversed while they are filled": (
        "macd", "BTC-USD.1m.csv", 500, 900,
        {"amount": D(20_000), "direction": "both", "max_entries": 3, "stop_loss": D("0.0037"),
         "take_profit": D("0.0025")},
    ),
    "entries of a part of the stake, trailed, nothing reinvested": (
        "enhanced", "BTC-USD.1m.csv", 0, 700,
        {"amount": D(20_000), "direction": "both", "max_entries": 3, "reinvest": False,
         "stop_loss": D("0.0073"), "take_profit": None, "trailing_stop": D("0.0063")},
    ),
    "15m candles watched in 5m, ROI steps and a time limit": (
        "rsi", "ETH-BTC.5m.csv", 600, 900,
        {"timeframe": "15m", "amount": D(2), "direction": "both", "stop_loss": D("0.0091"),
         "take_profit": None, "trailing_stop": D("0.0136"), "time_limit_s": 36_000,
         "roi_steps": ({"after_s": 0, "profit": D("0.01")},
                       {"after_s": 7_200, "profit": D("0.0025")},
                       {"after_s": 20_000, "profit": D("-0.01")})},
    ),
    "shorts of a forex pair, four hours in one": (
        "bollinger", "EUR-USD.1h.csv", 4_000, 1_200,
        {"timeframe": "4h", "amount": D(1_000), "direction": "short", "max_entries": 2,
         "stop_loss": D("0.003"), "take_profit": D("0.004"), "trailing_stop": D("0.002")},
    ),
}  # fmt: skip


@needs_market
@pytest.mark.parametrize("case", HARD)
def test_hard_cases_trade_alike(case: str, tmp_path: Path) -> None:
    name, file, start, bars, settings = HARD[case]
    path = cut_file(MARKET / file, tmp_path, start, bars)
    strategy = load(STRATEGIES / f"{name}.py")()
    found = compare(strategy, path, tmp_path, **settings)
    assert_equal(found)
    assert len(found.played.trades) >= 5, "a case without trades shows nothing"


@needs_market
def test_the_comparison_notices_a_digit(tmp_path: Path) -> None:
    """The test above can fail: a fee of a hundredth of a basis point more is another result."""
    path = cut_file(MARKET / "SPY.1h.csv", tmp_path, 9_000, 400)
    strategy = load(STRATEGIES / "rsi.py")()
    found = compare(strategy, path, tmp_path, amount=D(1_000), backtest_fee_bps=D("10.01"))
    with pytest.raises(AssertionError, match="fees"):
        assert_equal(found)
