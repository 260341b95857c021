"""What models write that is no answer, and what is said of it."""

import json

from engine.domain.judge_advice import LONGEST_ANSWER
from tests.fakes.model_server import GOOD, answer


def raw(**changes: str) -> str:
    """A good answer with raw JSON in place of some values."""
    parts = {name: json.dumps(value) for name, value in GOOD.items()} | changes
    return "{" + ",".join(f'"{name}":{value}' for name, value in parts.items()) + "}"


BAD_ANSWERS = {
    "nothing": ("", "empty"),
    "blanks": (" \n ", "empty"),
    "prose": ("I would buy here, with great confidence.", "not JSON"),
    "a fence": (f"```json\n{answer()}\n```", "not JSON"),
    "prose before": (f"Here you are: {answer()}", "not JSON"),
    "prose after": (f"{answer()} Good luck!", "not JSON"),
    "two objects": (answer() * 2, "not JSON"),
    "half of it": (answer()[:40], "not JSON"),
    "single quotes": (answer().replace('"', "'"), "not JSON"),
    "a comment": (raw(size="1 /* all */"), "not JSON"),
    "an array": (f"[{answer()}]", "not one JSON object"),
    "a number": ("1", "not one JSON object"),
    "null": ("null", "not one JSON object"),
    "a string": (json.dumps(answer()), "not one JSON object"),
    "deep": ("[" * 9_000, "not JSON"),
    "deep objects": ('{"a":' * 3_000, "not JSON"),
    "too long": (answer(reasoning="x" * LONGEST_ANSWER), "more than"),
    "NaN": (raw(confidence="NaN"), "NaN for a number"),
    "Infinity": (raw(size="Infinity"), "Infinity for a number"),
    "-Infinity": (raw(stop="-Infinity"), "-Infinity for a number"),
    "a huge number": (raw(size="1" + "0" * 5_000), "too long"),
    "a huge exponent": (raw(size="1e999999999"), "'size'"),
    "an endless exponent": (raw(size="1e99999999999999999999"), "not JSON"),
    "a tiny exponent": (raw(stop="1e-999999"), "'stop'"),
    "a huge price": (raw(stop="1e400"), "'stop'"),
    "a huge confidence": (raw(confidence="1e400"), "'confidence'"),
    "a field twice": (answer()[:-1] + ', "size": 1}', "field twice"),
    "a field too many": (answer(leverage=10), "'leverage'"),
    "no action": (
        json.dumps({name: value for name, value in GOOD.items() if name != "action"}),
        "lacks 'action'",
    ),
    "no confidence": (raw(confidence="null"), "'confidence'"),
    "text for a number": (answer(confidence="0.9"), "not a number"),
    "text for a size": (answer(size="all"), "not a number"),
    "text for a price": (answer(stop="98"), "not a number"),
    "a boolean": (answer(size=True), "not a number"),
    "a list": (answer(target=[104]), "not a number"),
    "an object": (answer(stop={"price": 98}), "not a number"),
    "another action": (answer(action="strong_buy"), "'action'"),
    "an action in capitals": (answer(action="BUY"), "'action'"),
    "a nested action": (answer(action={"buy": True}), "'action'"),
    "another risk": (answer(risk_level="none"), "'risk_level'"),
    "too sure": (answer(confidence=1.01), "'confidence'"),
    "in percent": (answer(confidence=90), "'confidence'"),
    "less than nothing": (answer(confidence=-0.1), "'confidence'"),
    "no size": (answer(size=0), "'size'"),
    "a size above one": (answer(size=1.0000001), "'size'"),
    "a negative size": (answer(size=-1), "'size'"),
    "a negative stop": (answer(stop=-98), "'stop'"),
    "a stop of nothing": (answer(stop=0), "'stop'"),
    "no horizon": (answer(horizon_minutes=0), "'horizon_minutes'"),
    "half a minute": (answer(horizon_minutes=0.5), "'horizon_minutes'"),
    "a horizon of ages": (answer(horizon_minutes=10**9), "'horizon_minutes'"),
    "no reason": (answer(reasoning=""), "'reasoning'"),
    "an unseen reason": (answer(reasoning="\u200b\u200b"), "'reasoning'"),
    "a reason that is none": (answer(reasoning=None), "'reasoning'"),
    "a long name": (answer(**{"x" * 5_000: 1}), "was not asked for"),
}
