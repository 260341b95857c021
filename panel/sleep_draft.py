"""What the bot form holds about sleep, and how that becomes a part of the request body. Pure."""

from collections.abc import Mapping
from datetime import time
from typing import Any

from engine.contracts import BotConfig

SLEEP_DEFAULTS: Mapping[str, Any] = {
    "follow_market": True, "wake_lead": 5, "overnight": "keep", "close_before": 5,
    "has_hours": False, "hours_start": time(8), "hours_end": time(20), "hours_zone": "UTC",
    "hours_days": [],
}  # fmt: skip


def sleep_draft(config: BotConfig) -> dict[str, Any]:
    """The form's content for a saved configuration."""
    draft: dict[str, Any] = {
        "follow_market": config.follow_market,
        "wake_lead": config.wake_lead_min,
        "overnight": config.overnight.value,
        "close_before": config.close_before_min,
    }
    hours = config.active_hours
    if hours is not None:
        draft |= {
            "has_hours": True, "hours_start": hours.start, "hours_end": hours.end,
            "hours_zone": hours.zone, "hours_days": [day.value for day in hours.weekdays],
        }  # fmt: skip
    return draft


def sleep_body(draft: Mapping[str, Any]) -> dict[str, Any]:
    """The sleep of a draft, as the engine takes it."""
    hours = {
        "start": draft["hours_start"].isoformat(), "end": draft["hours_end"].isoformat(),
        "zone": draft["hours_zone"], "weekdays": list(draft["hours_days"]),
    }  # fmt: skip
    return {
        "active_hours": hours if draft["has_hours"] else None,
        "follow_market": draft["follow_market"],
        "wake_lead_min": draft["wake_lead"],
        "overnight": draft["overnight"],
        "close_before_min": draft["close_before"],
    }


def hours_words(config: BotConfig) -> str:
    """Own hours in words: ``09:00 to 17:00 Europe/Berlin, mon, tue``."""
    hours = config.active_hours
    if hours is None:
        return "always"
    days = ", ".join(day.value for day in hours.weekdays)
    return f"{hours.start:%H:%M} to {hours.end:%H:%M} {hours.zone}{f', {days}' if days else ''}"


def overnight_words(config: BotConfig) -> str:
    """What becomes of a position when the bot goes to sleep."""
    if config.overnight == "keep":
        return "positions are kept"
    return f"closed {config.close_before_min} min before the end"
