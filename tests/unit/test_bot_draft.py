"""The bot form's content and the request body it becomes."""

from datetime import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.contracts import BotConfig
from engine.contracts.routing import RoutingConfig
from engine.domain.bots import ActiveHours, Direction, EntryOrder, Overnight, RoiStep, Weekday
from engine.domain.signals import SignalConfig, Signature
from panel.bot_draft import DEFAULTS, PRESETS, auto_name, body_of, draft_of, fraction, roi_steps


def test_the_defaults_are_a_valid_configuration_with_the_usual_stops() -> None:
    config = BotConfig.model_validate(body_of(DEFAULTS, "first"))
    assert (config.stop_loss, config.take_profit) == (Decimal("0.02"), Decimal("0.05"))
    assert (config.timeframe, config.interval_s) == ("15m", 900)


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_preset_is_a_valid_configuration(name: str) -> None:
    config = BotConfig.model_validate(body_of({**DEFAULTS, **PRESETS[name]}, "first"))
    assert config.interval_s == PRESETS[name]["interval"]


def test_editing_without_a_change_sends_the_same_configuration() -> None:
    config = BotConfig(
        name="all", market="replay:/tmp/ETH-BTC.5m.csv?speed=60", symbol="ETH/BTC",
        strategy="ma_cross", params={"fast": 5, "slow": 9}, timeframe="5m", interval_s=7,
        amount=Decimal("0.015"), reinvest=False, direction=Direction.BOTH, max_entries=3,
        stop_loss=Decimal("0.0125"), take_profit=None, trailing_stop=Decimal("0.007"),
        time_limit_s=5400, roi_steps=(RoiStep(after_s=0, profit=Decimal("0.05")),
                                      RoiStep(after_s=1800, profit=Decimal("-0.01"))),
        active_hours=ActiveHours(start=time(22), end=time(4, 30), zone="Asia/Kolkata",
                                 weekdays=(Weekday.MON, Weekday.FRI)),
        follow_market=False, wake_lead_min=0, overnight=Overnight.CLOSE, close_before_min=12,
        entry_order=EntryOrder.LIMIT,
        limit_offset_bps=Decimal("7.5"), entry_timeout_s=90,
        signals=SignalConfig(signature=Signature.HMAC, max_lag_s=5, expect_every_s=100),
    )  # fmt: skip
    assert BotConfig.model_validate(body_of(draft_of(config), config.name)) == config


def test_routing_goes_through_the_form_unchanged_and_is_off_by_default() -> None:
    rules = RoutingConfig(
        markets=("ccxt:kraken", "prices:mine"), max_extra_fee_bps=Decimal("7.25"), max_age_s=2.5,
        latency_bps_per_s=Decimal("0.125"),
    )  # fmt: skip
    config = BotConfig.model_validate(body_of(DEFAULTS, "one"))
    assert config.routing is None
    routed = config.model_copy(update={"routing": rules})
    assert BotConfig.model_validate(body_of(draft_of(routed), "one")) == routed
    emptied = body_of({**draft_of(routed), "routing_fee": None, "routing_markets": []}, "one")
    assert emptied["routing"] is not None  # the engine says what is missing
    assert (emptied["routing"]["markets"], emptied["routing"]["max_extra_fee_bps"]) == ([], "")
    replay = {**draft_of(routed), "market": "replay", "replay_path": "/x.csv"}
    assert body_of(replay, "one")["routing"] is None


@given(st.integers(min_value=1, max_value=999_999))
def test_percent_becomes_the_exact_fraction(thousandths: int) -> None:
    percent = thousandths / 1000
    assert Decimal(fraction(percent)) == Decimal(thousandths) / 100_000


def test_what_is_no_number_is_sent_as_typed_for_the_engine_to_judge() -> None:
    assert body_of({**DEFAULTS, "amount": "ten"}, "x")["amount"] == "ten"
    assert roi_steps("soon: 5, 30: lots") == [
        {"after_s": "soon", "profit": "0.05"},
        {"after_s": "1800", "profit": "lots"},
    ]
    assert body_of({**DEFAULTS, "stop": None}, "x")["stop_loss"] == ""
    assert body_of({**DEFAULTS, "offset": None}, "x")["limit_offset_bps"] == ""


def test_an_automatic_name_is_free() -> None:
    assert auto_name("rsi", "BTC/USDT", []) == "rsi BTC-USDT"
    taken = ["RSI BTC-USDT", "rsi BTC-USDT 2"]
    assert auto_name("rsi", "BTC/USDT", taken) == "rsi BTC-USDT 3"
