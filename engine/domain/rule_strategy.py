"""From rules to a strategy like any other: described, checked, charted, backtested, run."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import Field, create_model, model_validator

from engine.domain.candles import BoolArray, Candles, FloatArray
from engine.domain.catalogue import NUMBER, SOURCES
from engine.domain.channels import previous
from engine.domain.comparisons import COMPARISONS
from engine.domain.rule_words import (
    condition_words,
    document_of,
    group_words,
    operand_words,
    sentences,
)
from engine.domain.rules import (
    GROUPS,
    Condition,
    Group,
    Operand,
    RuleParameter,
    RuleSet,
    SubGroup,
    numbers_of,
    operands_of,
    resolved,
)
from engine.domain.strategy import Plot, Signals, Strategy

LEAST_HISTORY = 500
ENTRIES = ("long_entry", "short_entry")


class RuleStrategy(Strategy):
    """Base of the classes that ``strategy_of`` makes: one a rule set, its parameters as fields."""

    rules: ClassVar[RuleSet]

    @model_validator(mode="after")
    def _numbers_agree(self) -> Self:
        """Numbers that are sound one by one may contradict each other; ValueError says how."""
        for _place, condition in self.rules.all_conditions():
            for operand in operands_of(condition).values():
                source = SOURCES[operand.source]
                objection = source.objection(*numbers_of(operand, self._values))
                if objection:
                    raise ValueError(f"{operand_words(operand)}: {objection}")
        return self

    @property
    def _values(self) -> dict[str, float]:
        return {one.name: float(getattr(self, one.name)) for one in self.rules.parameters}

    @property
    def warmup(self) -> int:
        """Until every condition can be judged."""
        return max(self._reach(condition, "warmup") for _, condition in self.rules.all_conditions())

    @property
    def history(self) -> int:
        """What the longest memory of the rules' indicators needs."""
        longest = (self._reach(condition, "memory") for _, condition in self.rules.all_conditions())
        return max(LEAST_HISTORY, *longest)

    def _reach(self, condition: Condition, kind: str) -> int:
        """How many candles a condition looks at: until it is known, or at most (``memory``)."""
        values = self._values
        looks_back = COMPARISONS[condition.test].look_back(_count(condition, values))
        reaches = [
            int(getattr(SOURCES[one.source], kind)(*numbers_of(one, values))) + one.ago
            for one in operands_of(condition).values()
        ]
        return looks_back + max(reaches)

    def signals(self, candles: Candles) -> Signals:
        """States or events, as the rules say; a candle that says exit and enter only exits, one
        that says enter long and enter short does neither."""
        reading = Reading(self.rules, candles, self._values)
        is_warm = np.arange(len(candles)) >= self.warmup - 1
        said = {name: reading.holds(self.rules.group(name)) & is_warm for name in GROUPS}
        long = said["long_entry"] & ~said["long_exit"]
        short = said["short_entry"] & ~said["short_exit"]
        return Signals(
            enter_long=long & ~short,
            exit_long=said["long_exit"],
            enter_short=short & ~long,
            exit_short=said["short_exit"],
            plots=reading.plots(),
            reason=lambda index: reading.reason(index, said),
        )


class Reading:
    """A rule set's series over candles, each computed once."""

    def __init__(self, rules: RuleSet, candles: Candles, values: Mapping[str, float]) -> None:
        self._rules = rules
        self._candles = candles
        self._values = dict(values)
        self._sources: dict[tuple[str, tuple[float, ...]], tuple[FloatArray, ...]] = {}
        self._conditions: dict[int, BoolArray] = {}

    def holds(self, group: SubGroup) -> BoolArray:
        """Where a group holds; nowhere when it is empty."""
        parts = [self._judged(condition) for condition in group.conditions]
        inner = group.groups if isinstance(group, Group) else ()
        parts += [self.holds(one) for one in inner if one.conditions]
        if not parts:
            return np.zeros(len(self._candles), dtype=np.bool_)
        joined = np.logical_and if group.join == "all" else np.logical_or
        return np.asarray(joined.reduce(parts), dtype=np.bool_)

    def plots(self) -> dict[str, Plot]:
        """Every indicator of the rules as a line; plain numbers that it is compared with as the
        levels of its pane."""
        lines: dict[str, Plot] = {}
        for _place, condition in self._rules.all_conditions():
            operands = list(operands_of(condition).values())
            levels = tuple(self._level(one) for one in operands if one.source == NUMBER)
            for operand in operands:
                source = SOURCES[operand.source]
                if not source.slots or operand.source == NUMBER:
                    continue
                bare = operand.model_copy(update={"ago": 0, "factor": 1.0})
                name = self._named(bare)
                is_overlay = source.is_overlay and operand.output != "direction"
                known = lines[name].levels if name in lines else ()
                shown = () if is_overlay else tuple(sorted({*known, *levels}))
                lines[name] = Plot(self._series(bare), is_overlay, shown)
        return lines

    def reason(self, index: int, said: Mapping[str, BoolArray]) -> str:
        """What holds on a candle, with the numbers; when nothing does, why nothing is entered."""
        groups = {name: self._rules.group(name) for name in GROUPS}
        told = [name for name in GROUPS if said[name][index]]
        if told:
            return "; ".join(
                f"{GROUPS[name].lower()}: {self._group_words(groups[name], index)}" for name in told
            )
        return "; ".join(
            f"no {name.partition('_')[0]} entry: {self._group_words(groups[name], index)}"
            for name in ENTRIES
            if any(groups[name].all_conditions())
        )

    def _group_words(self, group: Group, index: int) -> str:
        def words(condition: Condition) -> str:
            values = {
                name: float(self._series(operand)[index])
                for name, operand in operands_of(condition).items()
            }
            holds = bool(self._judged(condition)[index])
            return condition_words(condition, values, holds=holds)

        return group_words(group, words)

    def _judged(self, condition: Condition) -> BoolArray:
        known = self._conditions.get(id(condition))
        if known is None:
            comparison = COMPARISONS[condition.test]
            operands = operands_of(condition)
            series = [self._series(operands[name]) for name in ("left", *comparison.needs)
                      if name in operands]  # fmt: skip
            count = [_count(condition, self._values)] if "count" in comparison.needs else []
            known = self._conditions[id(condition)] = comparison.holds(*series, *count)
        return known

    def _series(self, operand: Operand) -> FloatArray:
        source = SOURCES[operand.source]
        numbers = numbers_of(operand, self._values)
        outputs = self._sources.get((source.id, numbers))
        if outputs is None:
            outputs = self._sources[source.id, numbers] = source.compute(self._candles, *numbers)
        values = outputs[source.outputs.index(operand.output or source.outputs[0])]
        if operand.ago:
            values = previous(values, operand.ago)
        factor = resolved(operand.factor, self._values)
        return values if factor == 1 else values * factor

    def _level(self, operand: Operand) -> float:
        return numbers_of(operand, self._values)[0] * resolved(operand.factor, self._values)

    def _named(self, operand: Operand) -> str:
        """A line's name: parameters by their values, without the brackets of a sentence."""
        numbers = zip(SOURCES[operand.source].slots, numbers_of(operand, self._values), strict=True)
        params: dict[str, float | str] = {slot.name: number for slot, number in numbers}
        words = operand_words(operand.model_copy(update={"params": params}))
        return re.sub(r"\(([^)]*)\)", r" \1", words)


def strategy_of(strategy_id: str, rules: RuleSet) -> type[RuleStrategy]:
    """The strategy class of a rule set; its docstring is the text of the Strategies page."""
    fields: dict[str, Any] = {one.name: _field(one) for one in rules.parameters}
    made = create_model(
        f"Rules_{strategy_id}", __base__=RuleStrategy, __doc__=document_of(rules), **fields
    )
    made.rules = rules
    made.title = rules.title
    made.summary = " ".join(sentences(rules).values())
    return made


def _field(parameter: RuleParameter) -> tuple[type[int] | type[float], Any]:
    kind: type[int] | type[float] = int if parameter.is_whole else float
    return kind, Field(
        default=kind(parameter.default),
        ge=kind(parameter.least),
        le=kind(parameter.most),
        title=parameter.shown,
        description="A number of the rules",
    )


def _count(condition: Condition, values: Mapping[str, float]) -> int:
    return 0 if condition.count is None else int(resolved(condition.count, dict(values)))
