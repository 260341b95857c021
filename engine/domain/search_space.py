"""Which parameters a study may try: a strategy's own bounds, narrowed by a person."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.unfit import Unfit

EXIT_PREFIX = "exits."
EXIT_DIGITS = 6
GRID_CUTS = 10
"""Into so many values a range is cut for a grid, unless its step says otherwise."""

MOST_GRID = 5_000
TIE = 1e-9

Value = int | float | bool | str

EXITS: dict[str, tuple[str, str, float, float]] = {
    f"{EXIT_PREFIX}stop_loss": ("Stop loss", "number", 0.001, 0.99),
    f"{EXIT_PREFIX}take_profit": ("Take profit", "number", 0.001, 10.0),
    f"{EXIT_PREFIX}trailing_stop": ("Trailing stop", "number", 0.001, 0.99),
    f"{EXIT_PREFIX}time_limit_s": ("Time limit (seconds)", "integer", 1, 31_536_000),
}
"""Exit rules that can be searched: title, kind, bounds. Only where a person names them."""


class Range(BaseModel):
    """Where a person looks for one parameter; what is empty is the strategy's own bound.

    ``choices`` are the values themselves, for switches and lists, or a few numbers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    low: float | None = None
    high: float | None = None
    step: float | None = Field(default=None, gt=0)
    choices: tuple[Value, ...] = Field(default=(), max_length=1000)


@dataclass(frozen=True, slots=True)
class Dimension:
    """One parameter that is searched. ``low`` to ``high`` by ``step`` (None: any number between),
    or one of ``choices``."""

    name: str
    title: str
    kind: Literal["integer", "number", "choice"]
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    choices: tuple[Value, ...] = ()

    def values(self) -> tuple[Value, ...]:
        """Every value of a grid, in order."""
        if self.kind == "choice":
            return self.choices
        if self.kind == "integer":
            step = int(self.step or max(1, math.ceil((self.high - self.low) / (GRID_CUTS - 1))))
            return tuple(range(int(self.low), int(self.high) + 1, step))
        if self.step is None:
            span = self.high - self.low
            return tuple(_tidy(self.low + span * cut / (GRID_CUTS - 1)) for cut in range(GRID_CUTS))
        count = math.floor((self.high - self.low) / self.step + TIE) + 1
        return tuple(_tidy(self.low + self.step * index) for index in range(count))

    def ends(self) -> tuple[Value, ...]:
        """The outermost values, the highest first; all of them where there is no order."""
        if self.kind == "choice":
            return self.choices
        ends: tuple[Value, ...] = (self.high, self.low)
        if self.kind == "integer":
            ends = (int(self.high), int(self.low))
        return tuple(dict.fromkeys(ends))


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """What is searched, and the values of everything that is not."""

    dimensions: tuple[Dimension, ...]
    fixed: Mapping[str, Any]

    @property
    def grid_size(self) -> int:
        """How many combinations a grid has."""
        return math.prod(len(one.values()) for one in self.dimensions)

    def grid(self) -> Iterator[dict[str, Value]]:
        """Every combination of what is searched, the last parameter changing first."""
        names = [one.name for one in self.dimensions]
        for values in product(*(one.values() for one in self.dimensions)):
            yield dict(zip(names, values, strict=True))

    def corners(self, most: int = 64) -> list[dict[str, Value]]:
        """Combinations of the outermost values, at the most so many: where warm-ups are longest."""
        ends = [one.ends() for one in self.dimensions]
        names = [one.name for one in self.dimensions]
        found = []
        for values in product(*ends):
            found.append(dict(zip(names, values, strict=True)))
            if len(found) == most:
                break
        return found

    def check_grid(self) -> int:
        """The grid's size. Raises Unfit when nobody would wait for it."""
        size = self.grid_size
        if size > MOST_GRID:
            parts = ", ".join(f"{one.name} {len(one.values())}" for one in self.dimensions)
            raise Unfit(
                f"The grid has {size:,} combinations ({parts}); at most {MOST_GRID:,} are tried."
                " Narrow a range, set a larger step, or use the method tpe or random.",
                field="method",
            )
        return size

    def split(self, chosen: Mapping[str, Value]) -> tuple[dict[str, Any], dict[str, Value]]:
        """A combination as the strategy's parameters, with those that are fixed, and exit rules."""
        params = dict(self.fixed)
        exits: dict[str, Value] = {}
        for name, value in chosen.items():
            if name.startswith(EXIT_PREFIX):
                # As a bot's settings can hold it: so that the bot does what the trial did.
                exact = float(f"{value:.{EXIT_DIGITS}g}") if isinstance(value, float) else value
                exits[name.removeprefix(EXIT_PREFIX)] = exact
            else:
                params[name] = value
        return params, exits


def search_space(
    schema: Mapping[str, Any], ranges: Mapping[str, Range], fixed: Mapping[str, Any]
) -> SearchSpace:
    """The space of a strategy's JSON schema.

    With ``ranges`` only those parameters are searched, without any all that have bounds and are
    not ``fixed``. Raises Unfit naming the range that is wrong (``ranges.period``).
    """
    properties = {
        name: _resolved(raw, schema.get("$defs", {}))
        for name, raw in schema.get("properties", {}).items()
    }
    unknown = [name for name in (*ranges, *fixed) if name not in properties and name not in EXITS]
    if unknown:
        known = ", ".join((*properties, *EXITS))
        raise Unfit(
            f"{unknown[0]} is not a parameter of this strategy; there are: {known}.",
            field=f"ranges.{unknown[0]}",
        )
    both = [name for name in ranges if name in fixed]
    if both:
        raise Unfit(f"{both[0]} cannot be fixed and searched.", field=f"ranges.{both[0]}")
    if ranges:
        dimensions = [_dimension(name, properties.get(name), wanted)
                      for name, wanted in ranges.items()]  # fmt: skip
    else:
        dimensions = [_dimension(name, raw, Range()) for name, raw in properties.items()
                      if name not in fixed and _has_bounds(raw)]  # fmt: skip
    if not dimensions:
        raise Unfit(
            "There is nothing to search: no parameter of this strategy has bounds. Give a range.",
            field="ranges",
        )
    return SearchSpace(tuple(dimensions), dict(fixed))


def _dimension(name: str, raw: Mapping[str, Any] | None, wanted: Range) -> Dimension:
    field = f"ranges.{name}"
    if raw is None:
        title, kind, low, high = EXITS[name]
        bounds: tuple[float | None, float | None] = (low, high)
    else:
        title, kind, bounds = str(raw.get("title", name)), _kind(raw), _bounds(raw)
    if wanted.choices or kind == "choice":
        return Dimension(name, title, "choice", choices=_choices(name, raw, wanted))
    if kind not in ("integer", "number"):
        raise Unfit(f"{name} is text; give the values to try as choices.", field=field)
    low_bound, high_bound = bounds
    lowest = low_bound if wanted.low is None else wanted.low
    highest = high_bound if wanted.high is None else wanted.high
    if lowest is None or highest is None:
        raise Unfit(f"{name} has no bounds of its own; give both ends.", field=field)
    if (low_bound is not None and lowest < low_bound) or (
        high_bound is not None and highest > high_bound
    ):
        raise Unfit(
            f"{name} goes from {_shown(low_bound)} to {_shown(high_bound)}, not from"
            f" {lowest:g} to {highest:g}.",
            field=field,
        )
    if lowest > highest:
        raise Unfit(f"{name}: {lowest:g} is above {highest:g}.", field=field)
    numbers = (lowest, highest, wanted.step or 1)
    if kind == "integer" and any(number != int(number) for number in numbers):
        raise Unfit(f"{name} takes whole numbers, and a whole step.", field=field)
    return Dimension(
        name, title, "integer" if kind == "integer" else "number", lowest, highest, wanted.step
    )


def _choices(name: str, raw: Mapping[str, Any] | None, wanted: Range) -> tuple[Value, ...]:
    offered: Sequence[Value] = ()
    if raw is not None:
        offered = (False, True) if raw.get("type") == "boolean" else tuple(raw.get("enum", ()))
    chosen = tuple(dict.fromkeys(wanted.choices or offered))
    strange = [value for value in chosen if offered and value not in offered]
    if strange:
        raise Unfit(
            f"{name} is one of {', '.join(map(str, offered))}, not {strange[0]}.",
            field=f"ranges.{name}",
        )
    return chosen


def _has_bounds(raw: Mapping[str, Any]) -> bool:
    kind = _kind(raw)
    return kind == "choice" or (kind in ("integer", "number") and None not in _bounds(raw))


def _kind(raw: Mapping[str, Any]) -> str:
    if raw.get("type") == "boolean" or raw.get("enum"):
        return "choice"
    return str(raw.get("type", ""))


def _bounds(raw: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """The lowest and the highest value; a bound that is itself excluded is moved by a little."""
    low, high = raw.get("minimum"), raw.get("maximum")
    above, below = raw.get("exclusiveMinimum"), raw.get("exclusiveMaximum")
    is_whole = raw.get("type") == "integer"
    if low is None and above is not None:
        low = above + 1 if is_whole else above + _nudge(above, below or high)
    if high is None and below is not None:
        high = below - 1 if is_whole else below - _nudge(above or low, below)
    return low, high


def _nudge(low: float | None, high: float | None) -> float:
    """A thousandth of the range."""
    return (high - low) / 1000 if low is not None and high is not None else 1e-6


def _resolved(raw: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """A property with its references followed, and an optional one as what it is else."""
    merged = dict(raw)
    for key in ("anyOf", "allOf"):
        parts = [part for part in merged.pop(key, ()) if part.get("type") != "null"]
        if parts:
            merged = {**parts[0], **merged}
    reference = merged.pop("$ref", None)
    if reference:
        merged = {**definitions.get(str(reference).rpartition("/")[2], {}), **merged}
    return merged


def _tidy(number: float) -> float:
    """Without the last digits that adding up steps leaves behind: 0.30000000000000004 is 0.3."""
    return float(f"{number:.12g}")


def _shown(bound: float | None) -> str:
    return "anywhere" if bound is None else f"{bound:g}"
