"""The bot that a newcomer can start with one click."""

from collections.abc import Mapping
from typing import Any

from panel.commands import attempt
from panel.session import control_panel

DEMO_CONFIG: Mapping[str, Any] = {
    "name": "demo",
    "market": "simulated",
    "symbol": "BTC/USDT",
    "strategy": "rsi",
    "params": {"period": 5, "oversold": 40, "overbought": 60},
    "timeframe": "1s",
    "interval_s": 1,
    "amount": "1000",
}
"""Decides every second with a nervous RSI, so that trades are seen within a minute."""


def start_demo() -> None:
    """Create and start the demo bot; a callback."""
    attempt(_create_and_start, "The demo bot is starting.")


def _create_and_start() -> None:
    panel = control_panel()
    panel.start_bot(panel.create_bot(DEMO_CONFIG).id)
