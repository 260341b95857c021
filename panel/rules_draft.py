"""What the rule builder holds, and how it becomes the rules that the engine is sent. Pure.

The *shape* says which conditions, groups and parameters there are, by ids; *values* hold what is
typed, under keys that begin with such an id. What cannot be read as a number is sent as it was
typed: the engine says what is wrong with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from engine.contracts.rules import (
    GROUPS,
    Condition,
    Group,
    Operand,
    RuleCatalogue,
    RuleParameter,
    RuleSet,
    SourceView,
    SubGroup,
)

Values = dict[str, Any]
NUMBER = "number"
SIDES = ("left", "right", "upper")
NEW_CONDITION = {
    "test": "above", "left_source": "close", "right_source": "sma", "upper_source": "number",
}  # fmt: skip
NEW_PARAMETER = {
    "name": "", "title": "", "default": "14", "least": "2", "most": "50", "is_whole": True,
}  # fmt: skip
EXAMPLE: Mapping[str, Any] = {
    "title": "Dip in a rising trend",
    "description": "",
    "long_entry": {
        "conditions": [
            {"left": {"source": "rsi"}, "test": "below",
             "right": {"source": "number", "params": {"value": 40}}},
            {"left": {"source": "close"}, "test": "above",
             "right": {"source": "sma", "params": {"period": 200}}},
        ]
    },
    "long_exit": {
        "conditions": [
            {"left": {"source": "rsi"}, "test": "above",
             "right": {"source": "number", "params": {"value": 65}}},
        ]
    },
}  # fmt: skip
"""What a new rule set begins with."""


@dataclass(frozen=True)
class Shape:
    """Ids in their order: conditions of each group (a group of GROUPS or an inner one), inner
    groups of each group, parameters."""

    conditions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    inner: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    parameters: tuple[str, ...] = ()
    made: int = 0

    def with_condition(self, group: str) -> tuple["Shape", str]:
        """One condition more at the end of a group, and its id."""
        made, node = self._next("c")
        conditions = {**self.conditions, group: (*self.conditions.get(group, ()), node)}
        return replace(self, conditions=conditions, made=made), node

    def with_group(self, group: str) -> tuple["Shape", str]:
        """One inner group more in a group of GROUPS, and its id; empty."""
        made, node = self._next("g")
        inner = {**self.inner, group: (*self.inner.get(group, ()), node)}
        return replace(self, inner=inner, made=made), node

    def with_parameter(self) -> tuple["Shape", str]:
        """One parameter more, and its id."""
        made, node = self._next("p")
        return replace(self, parameters=(*self.parameters, node), made=made), node

    def without(self, node: str) -> "Shape":
        """Without a condition, an inner group or a parameter."""
        return Shape(
            {name: _without(ids, node) for name, ids in self.conditions.items() if name != node},
            {name: _without(ids, node) for name, ids in self.inner.items()},
            _without(self.parameters, node),
            self.made,
        )

    def _next(self, kind: str) -> tuple[int, str]:
        return self.made + 1, f"{kind}{self.made + 1}"


def draft_of(rules: RuleSet, name: str) -> tuple[Shape, Values]:
    """The builder's content for a rule set that is kept under ``name``."""
    values: Values = {"name": name, "title": rules.title, "description": rules.description}
    shape = Shape()
    for group_name in GROUPS:
        group = rules.group(group_name)
        shape = _take_group(shape, values, group_name, group)
        for one in group.groups:
            shape, node = shape.with_group(group_name)
            shape = _take_group(shape, values, node, one)
    for parameter in rules.parameters:
        shape, node = shape.with_parameter()
        values |= {f"{node}_{key}": value for key, value in _parameter_values(parameter).items()}
    return shape, values


def body_of(shape: Shape, values: Mapping[str, Any], catalogue: RuleCatalogue) -> dict[str, Any]:
    """The rules as the engine takes them."""
    sources = {one.id: one for one in catalogue.sources}
    needs = {one.id: one.needs for one in catalogue.comparisons}

    def group_body(node: str) -> dict[str, Any]:
        return {
            "join": values.get(f"{node}_join", "all"),
            "conditions": [
                _condition_body(one, values, sources, needs)
                for one in shape.conditions.get(node, ())
            ],
        }

    body = {"title": values.get("title", ""), "description": values.get("description", "")}
    for name in GROUPS:
        inner = [group_body(node) for node in shape.inner.get(name, ())]
        body[name] = {**group_body(name), "groups": inner}
    return {**body, "parameters": [_parameter_body(one, values) for one in shape.parameters]}


def sides_of(test: str, catalogue: RuleCatalogue) -> tuple[str, ...]:
    """What a condition asks for beside its left side: ``right``, ``upper``, ``count``."""
    return next((one.needs for one in catalogue.comparisons if one.id == test), ())


def condition_values(node: str) -> Values:
    """What a new condition begins with."""
    return {f"{node}_{key}": value for key, value in NEW_CONDITION.items()}


def parameter_values(node: str) -> Values:
    """What a new parameter begins with."""
    begin = {**NEW_PARAMETER, "name": f"number_{node[1:]}"}
    return {f"{node}_{key}": value for key, value in begin.items()}


def name_from(title: str) -> str:
    """A name for a title: ``Dip in a trend`` gives ``dip_in_a_trend``; empty when there is none."""
    letters = "".join(one if one.isascii() and one.isalnum() else "_" for one in title.lower())
    return "_".join(part for part in letters.split("_") if part).lstrip("0123456789_")[:64]


def _take_group(shape: Shape, values: Values, node: str, group: Group | SubGroup) -> Shape:
    values[f"{node}_join"] = group.join
    for condition in group.conditions:
        shape, one = shape.with_condition(node)
        values |= condition_values(one)
        values |= {f"{one}_{key}": value for key, value in _condition_values(condition).items()}
    return shape


def _condition_values(condition: Condition) -> Values:
    values: Values = {"test": condition.test}
    if condition.count is not None:
        values["count"] = _typed(condition.count)
    for side in SIDES:
        operand: Operand | None = getattr(condition, side)
        if operand is not None:
            values[f"{side}_source"] = operand.source
            values[f"{side}_output"] = operand.output
            values[f"{side}_more"] = operand.ago != 0 or operand.factor != 1
            values[f"{side}_ago"] = operand.ago
            values[f"{side}_factor"] = _typed(operand.factor)
            for name, number in operand.params.items():
                values[f"{side}_{operand.source}_{name}"] = _typed(number)
    return values


def _condition_body(
    node: str,
    values: Mapping[str, Any],
    sources: Mapping[str, SourceView],
    needs: Mapping[str, tuple[str, ...]],
) -> dict[str, Any]:
    test = values.get(f"{node}_test", "above")
    needed = needs.get(test, ())
    body: dict[str, Any] = {"test": test, "left": _operand_body(f"{node}_left", values, sources)}
    for side in ("right", "upper"):
        if side in needed:
            body[side] = _operand_body(f"{node}_{side}", values, sources)
    if "count" in needed:
        body["count"] = values.get(f"{node}_count", "3")
    return body


def _operand_body(
    node: str, values: Mapping[str, Any], sources: Mapping[str, SourceView]
) -> dict[str, Any]:
    source = sources[values.get(f"{node}_source") or "close"]
    output = values.get(f"{node}_output") or ""
    is_shifted = bool(values.get(f"{node}_more"))
    return {
        "source": source.id,
        "params": {
            slot.name: values.get(f"{node}_{source.id}_{slot.name}", _typed(slot.default))
            for slot in source.slots
        },
        "output": output if output in source.outputs[1:] else "",  # the first goes without saying
        "ago": int(values.get(f"{node}_ago") or 0) if is_shifted else 0,
        "factor": values.get(f"{node}_factor", "1") if is_shifted else "1",
    }


def _parameter_values(parameter: RuleParameter) -> Values:
    numbers = ("default", "least", "most")
    return {
        "name": parameter.name, "title": parameter.title, "is_whole": parameter.is_whole,
        **{name: _typed(getattr(parameter, name)) for name in numbers},
    }  # fmt: skip


def _parameter_body(node: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values.get(f"{node}_{name}", begin) for name, begin in NEW_PARAMETER.items()}


def _typed(number: float | str) -> str:
    """A number as a person would type it."""
    return number if isinstance(number, str) else f"{number:.12g}"


def _without(ids: tuple[str, ...], node: str) -> tuple[str, ...]:
    return tuple(one for one in ids if one != node)
