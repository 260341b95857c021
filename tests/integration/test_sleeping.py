"""A bot on a market that never closes, with hours of its own."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import time
from pathlib import Path
from typing import Any

import pytest

from engine.domain.bots import ActiveHours, BotState, Overnight
from engine.domain.decisions import Intent
from tests.fakes.clock import FakeClock
from tests.fakes.market import BTC
from tests.fakes.session_market import SessionMarket
from tests.support.stock_days import StockDays, stock_days
from tests.unit.samples import config
from tests.unit.test_sessions import at

LONG, OUT, HOLD = (
    Intent(enter_long=True, reason="up"), Intent(exit_long=True, reason="enough"),
    Intent(reason="nothing"),
)  # fmt: skip
OFFICE = ActiveHours(start=time(9), end=time(17), zone="Europe/Berlin")
Open = Callable[..., AbstractContextManager[StockDays]]


@pytest.fixture
def in_the_office(tmp_path: Path) -> Open:
    """Opens the days of a bot that is awake from nine to five in Berlin, at half past four."""

    def open_days(**changes: Any) -> AbstractContextManager[StockDays]:
        market = SessionMarket(FakeClock(at("2026-11-25 15:30")), instruments=[BTC])
        fields: dict[str, Any] = {
            "symbol": "BTC/USDT", "market": "stocks", "timeframe": "15m", "interval_s": 900,
            "active_hours": OFFICE, "stop_loss": None, "take_profit": None,
        }  # fmt: skip
        return stock_days(tmp_path, market, config(**(fields | changes)))

    return open_days


def test_with_nothing_at_stake_a_sleeping_bot_asks_for_nothing(in_the_office: Open) -> None:
    with in_the_office() as days:
        days.host.script.extend([HOLD] * 10)
        days.to(at("2026-11-25 16:00"))
        assert days.bot.state is BotState.SLEEPING
        asked = len(days.market.requests), len(days.market.quote_requests)
        days.to(at("2026-11-26 07:54"), step_s=900)
        assert (len(days.market.requests), len(days.market.quote_requests)) == asked
        days.host.script.clear()
        days.host.script.extend([LONG, HOLD])
        days.to(at("2026-11-26 08:01"))
        assert days.bot.state is BotState.RUNNING
        assert days.books.positions, "what closed last is decided as it wakes"


def test_asleep_a_position_is_still_sold_by_its_strategy_and_nothing_is_bought(
    in_the_office: Open,
) -> None:
    with in_the_office() as days:
        days.host.script.extend([LONG, HOLD, HOLD, OUT, LONG])
        days.to(at("2026-11-25 16:00"))
        assert days.bot.state is BotState.SLEEPING
        assert days.books.positions
        days.to(at("2026-11-25 17:30"))
        [trade] = days.trades()
        assert trade.exit_reason == "signal"
        assert trade.exit_time > at("2026-11-25 16:00")
        assert not days.books.positions


def test_asleep_a_stop_is_watched(in_the_office: Open) -> None:
    with in_the_office(stop_loss="0.05") as days:
        days.host.script.extend([LONG] + [HOLD] * 10)
        days.to(at("2026-11-25 16:30"))
        assert days.bot.state is BotState.SLEEPING
        days.market.price = lambda _opened: 90.0
        days.to(at("2026-11-25 16:32"))
        assert [trade.exit_reason for trade in days.trades()] == ["stop_loss"]


def test_nothing_is_held_beyond_its_own_hours_when_it_is_not_to_be(in_the_office: Open) -> None:
    with in_the_office(overnight=Overnight.CLOSE, close_before_min=10) as days:
        days.host.script.extend([LONG] * 10)
        days.to(at("2026-11-25 15:49"))
        assert days.books.positions
        days.to(at("2026-11-25 15:53"))
        [trade] = days.trades()
        assert trade.exit_reason == "session_end"
        assert days.bot.reason == (
            "Sleeps until Thu 2026-11-26 08:00 UTC (Thu 09:00 in Berlin): flat before the close of"
            " its own hours at 16:00 UTC."
        )
