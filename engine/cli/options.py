"""From what is typed on the command line to the fields of a bot's configuration.

Only the notation is judged here; whether a value makes sense is the engine's to say, in the same
words as in the form.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.cli.failures import BadInput

UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
NONE = "none"


def seconds(words: str, option: str) -> int:
    """``90``, ``15m``, ``4h`` in seconds. Raises BadInput."""
    match = re.fullmatch(r"([0-9]{1,9})([smhd]?)", words.strip().lower())
    if match is None:
        raise BadInput(f"{option}: '{words}' is not a length of time such as 90, 15m or 4h.")
    return int(match[1]) * UNITS_S[match[2]]


def parameters(given: Sequence[str]) -> dict[str, Any]:
    """``NAME=VALUE`` pairs; numbers, true and false by their type, all else text."""
    params = {}
    for pair in given:
        name, mark, value = pair.partition("=")
        if not mark or not name.strip():
            raise BadInput(f"--param: '{pair}' is not of the form NAME=VALUE.")
        params[name.strip()] = scalar(value.strip())
    return params


def roi_steps(given: Sequence[str]) -> list[dict[str, Any]]:
    """``AGE:PROFIT`` pairs, as in ``10m:0.01``; a single ``none`` clears them."""
    if list(given) == [NONE]:
        return []
    steps = []
    for pair in given:
        age, mark, profit = pair.partition(":")
        if not mark:
            raise BadInput(f"--roi: '{pair}' is not of the form AGE:PROFIT, as in 10m:0.01.")
        steps.append({"after_s": seconds(age, "--roi"), "profit": profit.strip()})
    return steps


def routing(markets: Sequence[str]) -> dict[str, Any] | None:
    """Markets that may take entries too, with the other terms at their defaults; a single ``none``
    turns routing off."""
    return None if list(markets) == [NONE] else {"markets": [market(one) for one in markets]}


def section(given: Sequence[str], option: str, words: Mapping[str, dict[str, Any]]) -> Any:
    """One of ``words`` and ``NAME=VALUE`` pairs as the fields of a part of the configuration; a
    single ``none`` turns the part off. Raises BadInput."""
    if list(given) == [NONE]:
        return None
    fields: dict[str, Any] = {}
    for one in given:
        name, mark, value = (part.strip() for part in one.partition("="))
        if mark and name:
            fields[name] = scalar(value)
        elif one in words:
            fields |= words[one]
        else:
            known = ", ".join((*words, NONE, "NAME=VALUE"))
            raise BadInput(f"{option}: '{one}' is none of {known}.")
    return fields


def hours(words: str) -> dict[str, Any] | None:
    """``08:00-20:00``, ``08:00-20:00@Europe/Berlin,mon,fri`` (UTC and every day without), or
    ``none`` for all day. Raises BadInput."""
    if words == NONE:
        return None
    match = re.fullmatch(r"(\d\d:\d\d)-(\d\d:\d\d)(?:@([\w/+-]+))?((?:,[a-z]{3})*)", words.strip())
    if match is None:
        raise BadInput(f"--hours: '{words}' is not of the form 08:00-20:00@Europe/Berlin,mon,fri.")
    found: dict[str, Any] = {"start": match[1], "end": match[2]}
    if match[3]:
        found["zone"] = match[3]
    if match[4]:
        found["weekdays"] = match[4].strip(",").split(",")
    return found


def overnight(words: str) -> dict[str, Any]:
    """``keep``, ``close``, or ``close:10m`` for when. Raises BadInput."""
    kind, mark, lead = words.strip().partition(":")
    if not mark:
        return {"overnight": kind}
    return {"overnight": kind, "close_before_min": minutes(lead, "--overnight")}


def minutes(words: str, option: str) -> int:
    """``10m``, ``1h`` in whole minutes. Raises BadInput."""
    whole, left = divmod(seconds(words, option), 60)
    if left:
        raise BadInput(f"{option}: '{words}' is not a number of whole minutes, such as 10m.")
    return whole


def market(words: str) -> str:
    """A market's id; a replay's path is made absolute, for the engine runs elsewhere."""
    kind, mark, rest = words.partition(":")
    if kind != "replay" or not mark:
        return words
    name, question, query = rest.partition("?")
    path = Path(name).expanduser().resolve()
    if not path.is_file():
        raise BadInput(f"--market: there is no candle file {path}.")
    return f"replay:{path}{question}{query}"


def time_limit(words: str) -> int | None:
    """Seconds, or ``none``. Raises BadInput."""
    return None if words == NONE else seconds(words, "--time-limit")


READERS: Mapping[str, Callable[[Any], Any]] = {
    "market": market,
    "interval_s": lambda words: seconds(words, "--interval"),
    "entry_timeout_s": lambda words: seconds(words, "--entry-timeout"),
    "time_limit_s": time_limit,
    "active_hours": hours,
    "wake_lead_min": lambda words: minutes(words, "--wake-lead"),
    "params": parameters,
    "routing": routing,
    "signals": lambda given: section(given, "--listen", {"on": {}}),
    "ai": lambda given: section(
        given, "--ai", {"advisor": {"role": "advisor"}, "decider": {"role": "decider"}}
    ),
    "roi_steps": roi_steps,
}
"""How the notation of a field becomes its value; other fields are sent as they are."""


def settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a BotConfig that were given; those left out keep their default or value."""
    fields = {name: value for name, value in given.items() if value is not None}
    for name in ("stop_loss", "take_profit", "trailing_stop"):
        if fields.get(name) == NONE:
            fields[name] = None
    if "overnight" in fields:
        fields |= overnight(fields["overnight"])
    return {name: READERS[name](value) if name in READERS else value
            for name, value in fields.items()}  # fmt: skip


def scalar(words: str) -> Any:
    """A number, true or false by its type; all else text."""
    try:
        value = json.loads(words)
    except (ValueError, RecursionError):
        return words
    is_number = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return value if is_number else words
