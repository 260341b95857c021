"""Rules as a person reads them: ``Enter long when RSI(14) < 30 and close > SMA(200).``"""

from collections.abc import Callable, Mapping

from engine.domain.catalogue import NUMBER, SOURCES
from engine.domain.comparisons import COMPARISONS
from engine.domain.rules import GROUPS, Condition, Operand, RuleSet, SubGroup, operands_of

JOINS = {"all": " and ", "any": " or "}


def sentences(rules: RuleSet) -> dict[str, str]:
    """A sentence for each group that has conditions; parameters by their names."""
    return {
        name: f"{title} when {group_words(group)}."
        for name, title in GROUPS.items()
        for group in [rules.group(name)]
        if any(group.all_conditions())
    }


def document_of(rules: RuleSet) -> str:
    """The text of the Strategies page, as Markdown."""
    lines = [f"- {sentence}" for sentence in sentences(rules).values()]
    parameters = [
        f"- {one.shown} (`{one.name}`): {one.default:g}, from {one.least:g} to {one.most:g}"
        for one in rules.parameters
    ]
    parts = [
        rules.description.strip(),
        "**What it does.**\n\n" + "\n".join(lines),
        "A candle that says both exit and enter only exits.",
        *(["**Its parameters.**\n\n" + "\n".join(parameters)] if parameters else []),
        "Source: made with the rule builder.",
    ]
    return "\n\n".join(part for part in parts if part)


def group_words(group: SubGroup, words: Callable[[Condition], str] | None = None) -> str:
    """The conditions joined by their words; inner groups in brackets."""
    write = words or condition_words
    parts = [write(condition) for condition in group.conditions]
    inner = [one for one in getattr(group, "groups", ()) if one.conditions]
    for one in inner:
        text = group_words(one, write)
        is_alone = len(one.conditions) == 1 or len(inner) + len(group.conditions) == 1
        parts.append(text if is_alone else f"({text})")
    return JOINS[group.join].join(parts)


def condition_words(
    condition: Condition, values: Mapping[str, float] | None = None, *, holds: bool = True
) -> str:
    """A condition in words; with ``values`` of its operands, each is followed by its value."""
    comparison = COMPARISONS[condition.test]
    shown = {
        name: _with_value(operand, None if values is None else values[name])
        for name, operand in operands_of(condition).items()
    }
    words = f"{shown['left']} {comparison.words if holds else comparison.denial}"
    if "count" in comparison.needs:
        count = number_words(condition.count if condition.count is not None else 1.0)
        return f"{words} {count} {'candle' if count == '1' else 'candles'}"
    words = f"{words} {shown.get('right', '...')}"
    return f"{words} and {shown.get('upper', '...')}" if "upper" in comparison.needs else words


def operand_words(operand: Operand) -> str:
    """An operand: ``1.02 x close``, ``MACD(12, 26, 9) signal 1 candle ago``."""
    source = SOURCES[operand.source]
    numbers = [number_words(operand.params.get(s.name, s.default)) for s in source.slots]
    if operand.source == NUMBER:
        words = numbers[0]
    else:
        words = source.short + (f"({', '.join(numbers)})" if numbers else "")
        if len(source.outputs) > 1:
            words = f"{words} {operand.output or source.outputs[0]}"
    if operand.ago:
        words = f"{words} {operand.ago} {'candle' if operand.ago == 1 else 'candles'} ago"
    return words if operand.factor == 1 else f"{number_words(operand.factor)} × {words}"


def number_words(number: float | str) -> str:
    """A number with the digits it needs, or the name of a parameter."""
    return number if isinstance(number, str) else f"{number:.10g}"


def _with_value(operand: Operand, value: float | None) -> str:
    words = operand_words(operand)
    is_plain = operand.source == NUMBER and not isinstance(operand.params.get("value"), str)
    return words if value is None or is_plain else f"{words} {value:.6g}"
