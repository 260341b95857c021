"""What the bot form holds about a model, and how that becomes a part of the request body. Pure."""

from collections.abc import Mapping
from typing import Any

from engine.contracts import SECONDS, BotConfig
from engine.contracts.ai import AiConfig, AiRole
from panel.format import duration, percent

DAY_S = 86_400
OFF = "off"
ROLES = {OFF: "Off", AiRole.ADVISOR.value: "Advisor", AiRole.DECIDER.value: "Decider"}

AI_DEFAULTS: Mapping[str, Any] = {
    "ai_role": OFF, "ai_model": "", "ai_confidence": 0.7, "ai_deadline": 20.0, "ai_every": 0,
    "ai_candles": 60, "ai_news": True, "ai_levels": True, "ai_instructions": "",
}  # fmt: skip

FIELDS = {
    "ai_role": "role", "ai_model": "model", "ai_confidence": "min_confidence",
    "ai_deadline": "deadline_s", "ai_every": "ask_every_s", "ai_candles": "candle_count",
    "ai_news": "has_news", "ai_levels": "may_set_levels", "ai_instructions": "instructions",
}  # fmt: skip
"""The engine's name of each field."""


def ai_draft(config: BotConfig) -> dict[str, Any]:
    """The form's content for a saved configuration."""
    return dict(AI_DEFAULTS) if config.ai is None else ai_fields(config.ai)


def ai_fields(ai: AiConfig) -> dict[str, Any]:
    """The form's content for how a bot uses a model."""
    values = ai.model_dump(mode="json")
    return {name: values[field] for name, field in FIELDS.items()}


def ai_body(draft: Mapping[str, Any]) -> dict[str, Any]:
    """The model's part of a draft, as the engine takes it; a number that is not there is for the
    engine to refuse."""
    if draft["ai_role"] == OFF:
        return {"ai": None}
    values = {field: draft[name] for name, field in FIELDS.items()}
    return {"ai": {name: "" if value is None else value for name, value in values.items()}}


def ai_rows(config: BotConfig) -> list[tuple[str, str, str]]:
    """What a model is to a bot: titles, values and remarks."""
    ai = config.ai
    if ai is None:
        return [("A model's say", "none", "no model is asked")]
    rows = [
        ("A model's say", ROLES[ai.role.value].lower(), ai.model or "the model of the settings"),
        ("Confidence threshold", percent(ai.min_confidence), "less sure opens nothing"),
        ("Deadline", f"{ai.deadline_s:g} s", "later opens nothing; exits never wait"),
        ("It is shown", f"{ai.candle_count} candles{', and news' if ai.has_news else ''}", ""),
        ("It may set levels", "yes" if ai.may_set_levels else "no", ""),
    ]
    if ai.role is AiRole.DECIDER:
        rows.append(("Asked", f"at most every {duration(ai.ask_every_s)}" if ai.ask_every_s
                     else "on every closed candle", ""))  # fmt: skip
    if ai.instructions:
        rows.append(("Instructions to it", ai.instructions, ""))
    return rows


def may_and_may_not(draft: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """What a model may do to a bot of this draft, and what it never may, each a sentence."""
    is_decider = draft["ai_role"] == AiRole.DECIDER.value
    sure = draft["ai_confidence"]
    threshold = f"when it is sure to {percent(sure)} or more" if sure is not None else ""
    may = (
        [f"open a position {threshold}".strip(), "close it", "use less than the trade amount"]
        if is_decider
        else [f"let an entry pass {threshold}".strip(), "hold it back", "make it smaller"]
    )
    if draft["ai_levels"]:
        may.append("set a stop or a target that is nearer than yours")
    never = [
        "use more than your size, limits and direction allow",
        "hold back or delay an exit: stops, targets and the strategy's exits hold without it",
        "move a stop further away",
        "place orders itself, or read keys and accounts",
        "go on after the kill switch, a pause or a control",
    ]
    if not draft["ai_levels"]:
        never.append("set levels")
    return may, never


def questions_a_day(draft: Mapping[str, Any]) -> int | None:
    """How often a decider is asked in a day of open market; None for others, whose entries nobody
    knows beforehand, and for a number that is not there."""
    candle_s, every_s = SECONDS.get(draft["timeframe"]), draft["ai_every"]
    if draft["ai_role"] != AiRole.DECIDER.value or candle_s is None or every_s is None:
        return None
    return int(DAY_S // max(candle_s, every_s))
