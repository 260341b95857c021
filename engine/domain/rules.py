"""Rules that make a strategy without code: conditions over indicators, joined by and / or.

Where a number stands, the name of one of the rule set's parameters may stand instead; it then
becomes a parameter of the strategy, with bounds, for the bot's form and for tuning.
"""

import math
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from engine.domain.catalogue import SOURCES, Slot
from engine.domain.comparisons import COMPARISONS, MOST_STEPS
from engine.domain.strategy import Strategy

MOST_CONDITIONS = 20
MOST_GROUPS = 10
MOST_AGO = 500
MOST_PARAMETERS = 20
PARAMETER_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
LARGEST = 1e12
COUNT = Slot("count", "Candles in a row", 3.0, 1.0, MOST_STEPS, is_whole=True)
FACTOR = Slot("factor", "Times", 1.0, -LARGEST, LARGEST)

Location = tuple[str | int, ...]


def _number(value: Any) -> float | str:
    """A number, also as text; any other text counts as a name. Raises ValueError."""
    if isinstance(value, str):
        text = value.strip()
        try:
            value = float(text)
        except ValueError:
            return text
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number or the name of a parameter")
    if not math.isfinite(value) or abs(value) > LARGEST:
        raise ValueError(f"must be a finite number, at most {LARGEST:g}")
    return float(value)


Number = Annotated[
    float | str,
    PlainValidator(_number),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}]}),
]
"""A number, or the name of a parameter."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class RuleParameter(_Part):
    """A number of the rules that each bot may set for itself, and that tuning may vary."""

    name: str = Field(max_length=60)
    title: str = Field(default="", max_length=60)
    default: float = Field(ge=-LARGEST, le=LARGEST)
    least: float = Field(ge=-LARGEST, le=LARGEST)
    most: float = Field(ge=-LARGEST, le=LARGEST)
    is_whole: bool = False

    @property
    def shown(self) -> str:
        """What it is called on the form."""
        return self.title or self.name.replace("_", " ").capitalize()


class Operand(_Part):
    """One side of a comparison: a source of the catalogue, ``ago`` candles before, times
    ``factor``. Numbers that are not given are the source's defaults."""

    source: str = Field(max_length=40)
    params: dict[str, Number] = Field(default_factory=dict)
    output: str = Field(default="", max_length=40)
    ago: int = Field(default=0, ge=0, le=MOST_AGO)
    factor: Number = 1.0


class Condition(_Part):
    """A comparison that holds or does not, candle by candle."""

    left: Operand
    test: Literal[
        "above", "below", "crosses_above", "crosses_below", "between", "rising", "falling"
    ] = "above"
    right: Operand | None = None
    upper: Operand | None = None
    count: Number | None = None


class SubGroup(_Part):
    """Conditions of which all or any must hold."""

    join: Literal["all", "any"] = "all"
    conditions: tuple[Condition, ...] = Field(default=(), max_length=MOST_CONDITIONS)


class Group(SubGroup):
    """Conditions and groups of them; without any of either it never holds."""

    groups: tuple[SubGroup, ...] = Field(default=(), max_length=MOST_GROUPS)

    def all_conditions(self) -> Iterator[tuple[Location, Condition]]:
        """Every condition with where it stands."""
        for number, condition in enumerate(self.conditions):
            yield ("conditions", number), condition
        for place, group in enumerate(self.groups):
            for number, condition in enumerate(group.conditions):
                yield ("groups", place, "conditions", number), condition


GROUPS = {
    "long_entry": "Enter long",
    "long_exit": "Exit long",
    "short_entry": "Enter short",
    "short_exit": "Exit short",
}
"""The four questions that a rule set answers, and their titles."""


class RuleSet(_Part):
    """A whole strategy. Raises ValidationError naming every number and name that is wrong."""

    title: str = Field(min_length=1, max_length=60)
    description: str = Field(default="", max_length=4000)
    long_entry: Group = Group()
    long_exit: Group = Group()
    short_entry: Group = Group()
    short_exit: Group = Group()
    parameters: tuple[RuleParameter, ...] = Field(default=(), max_length=MOST_PARAMETERS)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        problems = [
            InitErrorDetails(type=PydanticCustomError("value_error", "{error}", {"error": words}),
                             loc=place, input=None)
            for place, words in _problems(self)
        ]  # fmt: skip
        if problems:
            raise ValidationError.from_exception_data("RuleSet", problems)
        return self

    def all_conditions(self) -> Iterator[tuple[Location, Condition]]:
        """Every condition with where it stands."""
        for name in GROUPS:
            for place, condition in self.group(name).all_conditions():
                yield (name, *place), condition

    def group(self, name: str) -> Group:
        """The group of one of GROUPS."""
        found: Group = getattr(self, name)
        return found

    @property
    def defaults(self) -> dict[str, float]:
        """The parameters' values where a bot sets none."""
        return {one.name: one.default for one in self.parameters}


def operands_of(condition: Condition) -> dict[str, Operand]:
    """The operands that a condition's comparison uses, by their names."""
    given = {"left": condition.left, "right": condition.right, "upper": condition.upper}
    needed = ("left", *COMPARISONS[condition.test].needs)
    return {name: given[name] for name in needed if given.get(name) is not None}  # type: ignore[misc]


Problem = tuple[Location, str]


def _problems(rules: RuleSet) -> Iterator[Problem]:
    if not (any(rules.long_entry.all_conditions()) or any(rules.short_entry.all_conditions())):
        yield ("long_entry",), "add at least one condition for an entry"
    yield from _parameter_problems(rules)
    known = {one.name: one for one in rules.parameters}
    for place, condition in rules.all_conditions():
        needs = COMPARISONS[condition.test].needs
        for name in needs:
            if getattr(condition, name) is None:
                yield (*place, name), "must be given for this comparison"
        if "count" in needs and condition.count is not None:
            yield from _number_problems((*place, "count"), condition.count, COUNT, known)
        for name, operand in operands_of(condition).items():
            for where, words in _operand_problems(operand, known):
                yield (*place, name, *where), words


def _parameter_problems(rules: RuleSet) -> Iterator[Problem]:
    seen: set[str] = set()
    for number, one in enumerate(rules.parameters):
        place = ("parameters", number)
        if one.name in seen:
            yield (*place, "name"), "there is a parameter of that name already"
        if hasattr(Strategy, one.name) or one.name in ("rules", *Strategy.__annotations__):
            yield (*place, "name"), "this name is taken by every strategy; choose another one"
        if not PARAMETER_NAME.fullmatch(one.name):
            yield (*place, "name"), "must be small letters, digits and _, a letter first"
        seen.add(one.name)
        if not one.least <= one.default <= one.most or one.least == one.most:
            yield (*place, "default"), "must lie between the least and the most, which must differ"
        values = (one.default, one.least, one.most)
        if one.is_whole and not all(value.is_integer() for value in values):
            yield (*place, "default"), "a whole number needs whole bounds"


def _operand_problems(operand: Operand, known: dict[str, RuleParameter]) -> Iterator[Problem]:
    source = SOURCES.get(operand.source)
    if source is None:
        yield ("source",), "there is no such indicator"
        return
    if operand.output not in ("", *source.outputs):
        yield ("output",), f"must be one of {', '.join(source.outputs)}"
    names = {slot.name for slot in source.slots}
    for name in operand.params.keys() - names:
        yield ("params", name), "is not a number that this indicator takes"
    is_sound = True
    for slot in source.slots:
        given = operand.params.get(slot.name, slot.default)
        for problem in _number_problems(("params", slot.name), given, slot, known):
            is_sound = False
            yield problem
    yield from _number_problems(("factor",), operand.factor, FACTOR, known)
    if is_sound and source.slots:
        defaults = {name: one.default for name, one in known.items()}
        objection = source.objection(*numbers_of(operand, defaults))
        if objection:
            yield ("params", source.slots[0].name), objection


def _number_problems(
    place: Location, number: float | str, slot: Slot, known: dict[str, RuleParameter]
) -> Iterator[Problem]:
    label = ""
    if isinstance(number, str):
        parameter = known.get(number)
        if parameter is None:
            yield place, "must be a number, or a parameter: there is none of this name"
            return
        if slot.is_whole and not parameter.is_whole:
            yield place, f"takes whole numbers: make the parameter '{number}' whole"
        values, label = (parameter.least, parameter.most), f"the parameter '{number}' "
    else:
        values = number, number
        if slot.is_whole and not float(number).is_integer():
            yield place, "must be a whole number"
            return
    if values[0] < slot.least or values[1] > slot.most:
        yield place, f"{label}must be from {slot.least:g} to {slot.most:g}"


def numbers_of(operand: Operand, values: dict[str, float]) -> tuple[float, ...]:
    """The numbers of an operand's source in their order, parameters by ``values``; whole ones as
    int."""
    found = []
    for slot in SOURCES[operand.source].slots:
        number = resolved(operand.params.get(slot.name, slot.default), values)
        found.append(int(number) if slot.is_whole else number)
    return tuple(found)


def resolved(number: float | str, values: dict[str, float]) -> float:
    """A number, or the value of the parameter that it names."""
    return values[number] if isinstance(number, str) else number
