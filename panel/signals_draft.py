"""What the bot form holds about signals from outside, and how that becomes a part of the request
body. Pure."""

from collections.abc import Mapping
from typing import Any

from engine.contracts import BotConfig
from panel.format import duration

OUTSIDE_ONLY = "signals_only"
"""The strategy that leaves every decision to signals from outside."""

SIGNATURES = {
    "none": "None: whoever knows the address may send",
    "hmac": "HMAC: X-Signature over the body",
    "standard": "Standard Webhooks",
}
"""What a sender must show, in words."""

SIGNED = {"none": "no signature", "hmac": "signed (HMAC)", "standard": "signed (Standard Webhooks)"}

SIGNALS_DEFAULTS: Mapping[str, Any] = {
    "has_signals": False, "signature": "none", "tradingview_only": False, "max_lag": 60,
    "signal_rate": 60, "same_within": 60, "expects": False, "expect_every": 60.0,
}  # fmt: skip


def signals_draft(config: BotConfig) -> dict[str, Any]:
    """The form's content for a saved configuration."""
    rules = config.signals
    if rules is None:
        return {"has_signals": False}
    draft: dict[str, Any] = {
        "has_signals": True,
        "signature": rules.signature.value,
        "tradingview_only": rules.is_tradingview_only,
        "max_lag": rules.max_lag_s,
        "signal_rate": rules.rate_per_minute,
        "same_within": rules.same_within_s,
        "expects": rules.expect_every_s is not None,
    }
    if rules.expect_every_s is not None:
        draft["expect_every"] = rules.expect_every_s / 60
    return draft


def signals_body(draft: Mapping[str, Any]) -> dict[str, Any]:
    """The part about signals, as the engine takes it; it judges what is missing."""
    if not draft["has_signals"]:
        return {"signals": None}
    every = draft["expect_every"]
    return {
        "signals": {
            "signature": draft["signature"],
            "is_tradingview_only": draft["tradingview_only"],
            "max_lag_s": draft["max_lag"],
            "rate_per_minute": draft["signal_rate"],
            "same_within_s": draft["same_within"],
            "expect_every_s": _seconds(every) if draft["expects"] else None,
        }
    }


def _seconds(minutes: float | None) -> int | str:
    """Nothing typed is for the engine to refuse, not for none to be expected."""
    return "" if minutes is None else round(minutes * 60)


def listening_words(config: BotConfig) -> tuple[str, str]:
    """Whether it listens, and what a sender must keep to."""
    rules = config.signals
    if rules is None:
        return "off", "signals from outside are not taken"
    parts = [
        SIGNED[rules.signature.value],
        *(["from TradingView's addresses only"] if rules.is_tradingview_only else ()),
        f"at most {duration(rules.max_lag_s)} old",
        f"at most {rules.rate_per_minute:,} a minute",
    ]
    if rules.expect_every_s is not None:
        parts.append(f"one is expected every {duration(rules.expect_every_s)}")
    return "on", ", ".join(parts)
