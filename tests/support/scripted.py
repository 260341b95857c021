"""Replays whose course is known: candles written by hand, and a strategy that follows a plan."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.support.client import Client

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

PLANNED = '''"""Follows a plan: ``3L 5l`` enters long at the close of candle 3, leaves at 5."""

from typing import ClassVar

import numpy as np

from engine.domain.candles import Candles
from engine.domain.strategy import Signals, Strategy

BEGIN_MS = 1_772_409_600_000


class Planned(Strategy):
    """L and S enter long and short, l and s leave. Candles are counted from BEGIN_MS."""

    title: ClassVar[str] = "Planned"
    summary: ClassVar[str] = "Follows a plan."
    plan: str = ""

    @property
    def warmup(self) -> int:
        """None."""
        return 1

    def signals(self, candles: Candles) -> Signals:
        """The plan's letters at their candles."""
        numbers = (candles.time - BEGIN_MS) // 60_000
        at = {letter: [int(word[:-1]) for word in self.plan.split() if word[-1] == letter]
              for letter in "LlSs"}
        return Signals(
            enter_long=np.isin(numbers, at["L"]), exit_long=np.isin(numbers, at["l"]),
            enter_short=np.isin(numbers, at["S"]), exit_short=np.isin(numbers, at["s"]),
        )
'''

Prices = Sequence[float]
"""Open, high, low, close and, where it counts, volume; or one price for all four."""


def write_planned(folder: Path) -> None:
    """Put the planned strategy into a strategies folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "planned.py").write_text(PLANNED, encoding="utf-8")


def write_candles(folder: Path, bars: Sequence[Prices]) -> Path:
    """One-minute candles of ABC/USDT from ``BEGIN`` on; one more at the end sets the tick, 0.01."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "ABC-USDT.1m.csv"
    lines = ["timestamp,open,high,low,close,volume"]
    last = bars[-1][:4][-1] + 0.01
    for number, bar in enumerate([*bars, [last]]):
        opened = f"{BEGIN + number * MINUTE:%Y-%m-%dT%H:%M:%SZ}"
        prices = [bar[0]] * 4 if len(bar) == 1 else list(bar[:4])
        volume = bar[4] if len(bar) > 4 else 1_000_000
        lines.append(",".join([opened, *(f"{price:.2f}" for price in prices), str(volume)]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def planned_bot(client: Client, folder: Path, bars: Sequence[Prices], **changes: Any) -> str:
    """Create and start a bot on a replay of ``bars``; no exit rules unless given. Its id."""
    path = write_candles(folder, bars)
    plan = changes.pop("plan")
    bot = client.create_bot(
        **{
            "name": folder.name, "market": f"replay:{path}", "symbol": "ABC/USDT",
            "strategy": "planned", "params": {"plan": plan}, "timeframe": "1m", "amount": "1001",
            "stop_loss": None, "take_profit": None,
        } | changes
    )  # fmt: skip
    client.post(f"/bots/{bot['id']}/start")
    return str(bot["id"])


def minute(number: int) -> str:
    """The time of a candle's open as the API writes it."""
    return f"{BEGIN + number * MINUTE:%Y-%m-%dT%H:%M:%SZ}"
