"""A hundred bots, ten of which hang in their broker and five in their strategy: what others feel.

Two engines with the same bots, one after the other: in the first everybody behaves. A candle's
lateness is the time from its close to its decision; the machine's own speed cancels out.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.fakes.strategy_files import write_strategy
from tests.support.books import rows
from tests.support.client import Client, eventually
from tests.support.faulty_engine import Faulty, faulty_engine

BOTS, HUNG_BROKERS, HUNG_STRATEGIES = 100, 10, 5
TIMEFRAME_S = 5
SETTLING_S, MEASURED_S = 20, 60
LEAST_DECIDED = 0.9
GOAL_S = 0.25
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT", "DOGE/USDT", "AAPL", "MSFT", "TSLA")
TRADES = "above = candles.time // 1000 % 20 < 10"
HANGS = "\n        while os.path.exists({flag!r}): time.sleep(0.02)"


@pytest.fixture
def strategies(tmp_path: Path) -> Path:
    """A folder with a strategy that trades every ten seconds, and one that may hang besides."""
    folder = tmp_path / "strategies"
    folder.mkdir()
    write_strategy(folder, "busy", act=TRADES)
    write_strategy(folder, "stuck", act=TRADES + HANGS.format(flag=str(tmp_path / "stuck")))
    return folder


@contextmanager
def crowd(folder: Path, name: str) -> Iterator[tuple[Faulty, list[str]]]:
    """An engine with a hundred trading bots, and the ids of those that behave."""
    with faulty_engine(
        folder.parent / name,
        QUARTERDECK_STRATEGIES=str(folder),
        QUARTERDECK_STRATEGY_DEADLINE_S="2",
        QUARTERDECK_STRATEGY_WORKERS="2",
        QUARTERDECK_PAPER_BALANCE="10000000",
    ) as faulty:
        faulty.copy.start_engine()
        client = Client(faulty.copy)
        good = []
        for number in range(BOTS):
            is_hung = number < HUNG_BROKERS
            is_stuck = HUNG_BROKERS <= number < HUNG_BROKERS + HUNG_STRATEGIES
            bot = client.create_bot(
                name=f"bot {number:02}", symbol=SYMBOLS[number % len(SYMBOLS)], params={},
                market=f"simulated:{'hung' if is_hung else 'free'}{number % 10}",
                strategy="stuck" if is_stuck else "busy", timeframe=f"{TIMEFRAME_S}s",
                interval_s=TIMEFRAME_S,
            )  # fmt: skip
            client.post(f"/bots/{bot['id']}/start")
            if not (is_hung or is_stuck):
                good.append(bot["id"])
        eventually(lambda: client.get("/stats")["live_bots"], lambda live: live == BOTS)
        yield faulty, good


def lateness_s(faulty: Faulty, bot_ids: list[str]) -> list[float]:
    """How late each candle of these bots was decided, of a minute from now on; sorted."""
    time.sleep(SETTLING_S)
    begun = datetime.fromisoformat(Client(faulty.copy).get("/overview")["now"])
    time.sleep(MEASURED_S)
    found = rows(faulty.copy.place.data, "SELECT bot_id, candle_time, decided_at FROM decisions")
    length = timedelta(seconds=TIMEFRAME_S)
    late = []
    for row in found:
        closed = datetime.fromisoformat(row["candle_time"]) + length
        if closed > begun and row["bot_id"] in bot_ids:
            late.append((datetime.fromisoformat(row["decided_at"]) - closed).total_seconds())
    expected = len(bot_ids) * MEASURED_S // TIMEFRAME_S
    assert len(late) >= expected * LEAST_DECIDED, f"{len(late)} of {expected} candles were decided"
    return sorted(late)


def percentile(values: list[float], share: float) -> float:
    """The value below which ``share`` of the sorted values lie."""
    return values[int(share * (len(values) - 1))]


def test_bots_that_hang_hardly_delay_the_others(strategies: Path) -> None:
    with crowd(strategies, "calm") as (faulty, good):
        calm = lateness_s(faulty, good)
    with crowd(strategies, "disturbed") as (faulty, good):
        faulty.hang()
        (strategies.parent / "stuck").touch()
        disturbed = lateness_s(faulty, good)
        client = Client(faulty.copy)
        states = [bot["state"] for bot in client.get("/bots") if bot["id"] in good]
        assert states == ["running"] * len(good)
        faulty.release()
    for name, late in (("undisturbed", calm), ("disturbed", disturbed)):
        print(
            f"\n{len(good)} bots {name}: candles late p50 {percentile(late, 0.5) * 1000:.0f} ms,"
            f" p99 {percentile(late, 0.99) * 1000:.0f} ms, worst {late[-1] * 1000:.0f} ms",
            end="",
        )
    more_s = percentile(disturbed, 0.99) - percentile(calm, 0.99)
    print(f"\n{HUNG_BROKERS} brokers and {HUNG_STRATEGIES} strategies hang: p99 +{more_s:.3f} s")
    assert more_s < GOAL_S
