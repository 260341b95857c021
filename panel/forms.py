"""A strategy's parameters as widgets: JSON schema in, values out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from panel.format import escape, escape_label

MOST_TOLD = 1_000_000_000
"""A bound beyond this is one of the machine's."""

ErrorSlot = Callable[[str], None]
"""Called with a field's name right after its widget: keeps a place for what is wrong with it."""


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One parameter as its widget needs it. ``kind``: integer, number, boolean, choice or text."""

    name: str
    title: str
    kind: str
    default: Any
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Any, ...] = ()
    help: str = ""

    @property
    def label(self) -> str:
        """The title with its bounds, when both are there and tell a person something."""
        if self.minimum is None or self.maximum is None or self.maximum > MOST_TOLD:
            return self.title
        return f"{self.title} ({self.minimum:g} to {self.maximum:g})"


def field_specs(schema: Mapping[str, Any]) -> list[FieldSpec]:
    """The fields of a model's JSON schema, in its order."""
    definitions = schema.get("$defs", {})
    return [
        _field_spec(name, _resolved(raw, definitions))
        for name, raw in schema.get("properties", {}).items()
    ]


def draw_field(spec: FieldSpec, key: str) -> Any:
    """One parameter's widget; its value lives in the session under ``key``."""
    label, help_text = escape_label(spec.label), escape(spec.help) or None
    if spec.kind == "boolean":
        return st.checkbox(label, key=key, help=help_text)
    if spec.kind == "choice":
        return st.selectbox(label, spec.choices, key=key, help=help_text)
    if spec.kind == "text":
        return st.text_input(label, key=key, help=help_text)
    if spec.kind == "integer":
        return st.number_input(label, step=1, format="%d", key=key, help=help_text)
    return st.number_input(label, step=_step(spec), format="%g", key=key, help=help_text)


def initial_value(spec: FieldSpec, value: Any) -> Any:
    """``value`` as the widget of ``spec`` takes it; the default when it does not fit."""
    chosen = spec.default if value is None else value
    if spec.kind == "boolean":
        return bool(chosen)
    if spec.kind == "choice":
        return chosen if chosen in spec.choices else spec.choices[0]
    if spec.kind == "text":
        return "" if chosen is None else str(chosen)
    is_number = isinstance(chosen, int | float) and not isinstance(chosen, bool)
    number = chosen if is_number else spec.default or 0
    return int(number) if spec.kind == "integer" else float(number)


def _field_spec(name: str, raw: Mapping[str, Any]) -> FieldSpec:
    choices = tuple(raw.get("enum", ()))
    described, unit = raw.get("description", ""), raw.get("unit", "")
    return FieldSpec(
        name=name,
        title=f"{raw.get('title', name)}{f', {unit}' if unit else ''}",
        kind="choice" if choices else _kind(raw.get("type", "")),
        default=raw.get("default"),
        minimum=raw.get("minimum", raw.get("exclusiveMinimum")),
        maximum=raw.get("maximum", raw.get("exclusiveMaximum")),
        choices=choices,
        help=described,
    )


def _kind(json_type: str) -> str:
    return json_type if json_type in ("integer", "number", "boolean") else "text"


def _resolved(raw: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """``raw`` with its reference followed and an optional type taken as the type itself."""
    merged = dict(raw)
    options = [
        option
        for option in (*raw.get("allOf", ()), *raw.get("anyOf", ()))
        if option.get("type") != "null"
    ]
    for option in [raw] if "$ref" in raw else options[:1]:
        target = definitions.get(str(option.get("$ref", "")).rpartition("/")[2], {})
        merged = {**option, **target, **merged}
    return merged


def _step(spec: FieldSpec) -> float:
    """A step that suits the range: a hundredth of it, as a power of ten, between 0.001 and 1."""
    if spec.minimum is None or spec.maximum is None:
        return 0.1
    span = spec.maximum - spec.minimum
    return next((step for step in (1.0, 0.1, 0.01) if span >= 50 * step), 0.001)
