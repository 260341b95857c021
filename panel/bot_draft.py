"""What the bot form holds, and how it becomes the body that the engine is sent. Pure.

The form shows percent and words; the engine takes exact fractions and seconds. What cannot be read
as a number is sent as it was typed: the engine says what is wrong with it.
"""

from collections.abc import Collection, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from engine.contracts import BotConfig
from engine.contracts.backtests import ExitRules
from panel.ai_draft import AI_DEFAULTS, ai_body, ai_draft
from panel.signals_draft import SIGNALS_DEFAULTS, signals_body, signals_draft
from panel.sleep_draft import SLEEP_DEFAULTS, sleep_body, sleep_draft

PREFIX = "draft_"
REPLAY = "replay"
CUSTOM = "custom"
INTERVALS = {1: "1 s", 5: "5 s", 15: "15 s", 60: "1 min", 300: "5 min", 900: "15 min",
             3600: "1 h", 14_400: "4 h", 86_400: "1 d"}  # fmt: skip
UNITS_S = {"minutes": 60, "hours": 3600, "days": 86_400}

DEFAULTS: Mapping[str, Any] = {
    "name": "", "market": "simulated", "replay_path": "", "symbol": "BTC/USDT",
    "strategy": "rsi", "params": {}, **AI_DEFAULTS,
    "timeframe": "15m", "interval": 900, "interval_custom": 60,
    "amount": "1000", "reinvest": True, "direction": "long", "max_entries": 1,
    "entry_order": "market", "offset": 0.0, "timeout": 5.0,
    "has_stop": True, "stop": 2.0, "has_target": True, "target": 5.0,
    "has_trailing": False, "trailing": 1.5, "has_limit": False, "limit": 4, "limit_unit": "hours",
    "has_routing": False, "routing_markets": [], "routing_fee": 20.0, "routing_age": 5.0,
    "routing_latency": 1.0,
    "roi": "", **SLEEP_DEFAULTS, **SIGNALS_DEFAULTS,
}  # fmt: skip

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "1 s demo": {"timeframe": "1s", "interval": 1,
                 "params": {"period": 5, "oversold": 40.0, "overbought": 60.0}},
    "1 min": {"timeframe": "1m", "interval": 60},
    "15 min": {"timeframe": "15m", "interval": 900},
}  # fmt: skip


def draft_of(config: BotConfig) -> dict[str, Any]:
    """The form's content for a saved configuration."""
    market, _, path = config.market.partition(":")
    is_replay = market == REPLAY
    draft = {
        **DEFAULTS,
        "name": config.name,
        "market": REPLAY if is_replay else config.market,
        "replay_path": path if is_replay else "",
        "symbol": config.symbol,
        "strategy": config.strategy,
        "params": dict(config.params),
        **ai_draft(config),
        "timeframe": config.timeframe,
        "interval": config.interval_s if config.interval_s in INTERVALS else CUSTOM,
        "interval_custom": config.interval_s,
        "amount": f"{config.amount:f}",
        "reinvest": config.reinvest,
        "direction": config.direction.value,
        "max_entries": config.max_entries,
        "entry_order": config.entry_order.value,
        "offset": float(config.limit_offset_bps / 100),
        "timeout": config.entry_timeout_s / 60,
        **exit_draft(config),
        **sleep_draft(config),
        **signals_draft(config),
    }
    if config.routing is not None:
        rules = config.routing
        draft |= {
            "has_routing": True, "routing_markets": list(rules.markets),
            "routing_fee": float(rules.max_extra_fee_bps), "routing_age": rules.max_age_s,
            "routing_latency": float(rules.latency_bps_per_s),
        }  # fmt: skip
    return draft


def body_of(draft: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The request body of a draft under ``name``; amounts as decimal text."""
    is_replay = draft["market"] == REPLAY
    is_custom = draft["interval"] == CUSTOM
    return {
        "name": name,
        "market": f"{REPLAY}:{draft['replay_path'].strip()}" if is_replay else draft["market"],
        "symbol": draft["symbol"] or "",
        "strategy": draft["strategy"] or "",
        "params": dict(draft["params"]),
        **ai_body(draft),
        "timeframe": draft["timeframe"],
        "interval_s": draft["interval_custom"] if is_custom else draft["interval"],
        "amount": draft["amount"].replace(",", "").replace(" ", ""),
        "reinvest": draft["reinvest"],
        "direction": draft["direction"],
        "max_entries": draft["max_entries"],
        "entry_order": draft["entry_order"],
        "limit_offset_bps": "" if draft["offset"] is None else scaled(str(draft["offset"]), 100),
        "entry_timeout_s": _seconds(draft["timeout"], "minutes"),
        **exit_body(draft),
        **sleep_body(draft),
        **signals_body(draft),
        "routing": _routing(draft) if draft["has_routing"] and not is_replay else None,
    }


def _routing(draft: Mapping[str, Any]) -> dict[str, Any]:
    """Where else entries may go; a number that is not there is for the engine to refuse."""
    return {
        "markets": [one for one in draft["routing_markets"] if one != draft["market"]],
        "max_extra_fee_bps": _typed(draft["routing_fee"]),
        "max_age_s": _typed(draft["routing_age"]),
        "latency_bps_per_s": _typed(draft["routing_latency"]),
    }


def _typed(number: float | None) -> str:
    return "" if number is None else str(number)


def exit_draft(rules: ExitRules) -> dict[str, Any]:
    """The form's content for exit rules."""
    draft: dict[str, Any] = {
        "roi": ", ".join(
            f"{step.after_s / 60:g}: {float(step.profit * 100):g}" for step in rules.roi_steps
        )
    }
    for name, level in (
        ("stop", rules.stop_loss), ("target", rules.take_profit), ("trailing", rules.trailing_stop),
    ):  # fmt: skip
        draft[f"has_{name}"] = level is not None
        if level is not None:
            draft[name] = float(level * 100)
    if rules.time_limit_s is not None:
        unit, size = _unit_of(rules.time_limit_s)
        draft |= {"has_limit": True, "limit": rules.time_limit_s / size, "limit_unit": unit}
    return draft


def exit_body(draft: Mapping[str, Any]) -> dict[str, Any]:
    """The exit rules of a draft."""
    is_limited = draft["has_limit"]
    return {
        "stop_loss": fraction(draft["stop"]) if draft["has_stop"] else None,
        "take_profit": fraction(draft["target"]) if draft["has_target"] else None,
        "trailing_stop": fraction(draft["trailing"]) if draft["has_trailing"] else None,
        "time_limit_s": _seconds(draft["limit"], draft["limit_unit"]) if is_limited else None,
        "roi_steps": roi_steps(draft["roi"]),
    }


def fraction(percent: float | None) -> str:
    """Percent as an exact fraction: 2.1 gives ``0.021``. Nothing typed gives an empty text."""
    return "" if percent is None else f"{Decimal(str(percent)) / 100:f}"


def roi_steps(text: str) -> list[dict[str, Any]]:
    """``"0: 5, 30: 2"`` (minutes: percent) as steps; what is no number stays as typed."""
    steps = []
    for part in (part for part in text.split(",") if part.strip()):
        minutes, _, percent = part.partition(":")
        steps.append({"after_s": scaled(minutes, 60), "profit": scaled(percent, "0.01")})
    return steps


def auto_name(strategy: str, symbol: str, taken: Collection[str]) -> str:
    """A name that is not taken yet: ``rsi BTC-USDT``, then ``rsi BTC-USDT 2``."""
    base = f"{strategy} {symbol.replace('/', '-')}"[:34].strip()
    lowered = {name.lower() for name in taken}
    names = (base, *(f"{base} {number}" for number in range(2, len(taken) + 3)))
    return next(name for name in names if name.lower() not in lowered)


def scaled(text: str, factor: int | str) -> str:
    """``text`` times ``factor`` as plain decimal text; as typed when it is no number."""
    try:
        number = Decimal(text.strip()) * Decimal(factor)
    except InvalidOperation:
        return text.strip()
    return f"{number.normalize():f}" if number.is_finite() else text.strip()


def _seconds(count: float | None, unit: str) -> int | None:
    return None if count is None else round(count * UNITS_S[unit])


def _unit_of(seconds: int) -> tuple[str, int]:
    """The largest unit that ``seconds`` is a whole number of; else minutes."""
    whole = [(unit, size) for unit, size in UNITS_S.items() if seconds % size == 0]
    return whole[-1] if whole else ("minutes", 60)
