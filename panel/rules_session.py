"""The rule builder's content in the session: a draft for each rule set that was opened.

Streamlit forgets the widgets that a run does not draw; their values are kept apart, so that nothing
typed is lost by an error, by choosing another indicator, or by a visit to another page.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from engine.contracts.rules import RuleCatalogue, RuleSet
from panel.facade import ControlPanel
from panel.rules_draft import (
    EXAMPLE,
    Shape,
    Values,
    body_of,
    condition_values,
    draft_of,
    name_from,
    parameter_values,
)

PREFIX = "rule_"
DRAFTS = "rules:drafts"
SOURCE = "rules:source"
NEW = ""
"""The source of rules that are not kept under any name yet."""


@dataclass
class Draft:
    """What is typed for one rule set, and what of it is kept by the engine."""

    shape: Shape
    values: Values
    saved: tuple[Shape, Values] | None = None


def key_of(name: str) -> str:
    """The session key of a widget."""
    return f"{PREFIX}{name}"


def source() -> str:
    """The name of the rules that are open; NEW for such as are not kept yet."""
    found: str = st.session_state.get(SOURCE, NEW)
    return found


def draft() -> Draft:
    """The draft that is open."""
    drafts: dict[str, Draft] = st.session_state[DRAFTS]
    return drafts[source()]


def shape() -> Shape:
    """The conditions, groups and parameters that there are."""
    return draft().shape


def values() -> Values:
    """Everything typed, also where it is not shown now."""
    return draft().values | _typed()


def open_rules(panel: ControlPanel, name: str) -> None:
    """Begin with the rules of that name, or go on with what was typed before. Raises PanelError."""
    drafts: dict[str, Draft] = st.session_state.setdefault(DRAFTS, {})
    if name not in drafts:
        drafts[name] = _kept(panel, name)
    _leave()
    st.session_state[SOURCE] = name
    _fill()


def restore() -> None:
    """At the beginning of a run: give widgets that were forgotten what they held."""
    for name, value in draft().values.items():
        st.session_state.setdefault(key_of(name), value)


def keep() -> None:
    """At the end of a run: remember what the widgets hold."""
    draft().values |= _typed()


def discard(panel: ControlPanel) -> None:
    """Back to what is kept, or to the example; a callback. Raises PanelError."""
    name = source()
    fresh = _kept(panel, name)
    _empty_widgets()
    st.session_state[DRAFTS][name] = fresh
    _fill()


def mark_saved(name: str) -> None:
    """What is typed is kept under ``name`` now."""
    drafts: dict[str, Draft] = st.session_state[DRAFTS]
    done = drafts.pop(source())
    now = done.values | _typed() | {"name": name}
    drafts[name] = Draft(done.shape, dict(now), (done.shape, dict(now)))
    st.session_state[SOURCE] = name
    st.session_state[key_of("name")] = name


def forget_rules(name: str) -> None:
    """The rules of that name are no more."""
    st.session_state[DRAFTS].pop(name, None)
    if source() == name:
        _empty_widgets()
        st.session_state[SOURCE] = NEW
        st.session_state[DRAFTS].setdefault(NEW, _example())
        _fill()


def is_saved(catalogue: RuleCatalogue) -> bool:
    """Whether everything that is typed is kept by the engine."""
    saved, now = draft().saved, values()
    if saved is None or now.get("name") != source():
        return False
    return body_of(*saved, catalogue) == body_of(shape(), now, catalogue)


# --- callbacks
def add_condition(group: str) -> None:
    """One condition more; a callback."""
    one = draft()
    one.shape, node = one.shape.with_condition(group)
    _put(condition_values(node))


def add_group(group: str) -> None:
    """One inner group more, with a condition in it; a callback."""
    one = draft()
    one.shape, node = one.shape.with_group(group)
    _put({f"{node}_join": "any"})
    add_condition(node)


def add_parameter() -> None:
    """One parameter more; a callback."""
    one = draft()
    one.shape, node = one.shape.with_parameter()
    _put(parameter_values(node))


def remove(node: str) -> None:
    """Without that condition, group or parameter; a callback."""
    one = draft()
    one.values |= _typed()
    one.shape = one.shape.without(node)
    for name in [name for name in one.values if name.startswith(f"{node}_")]:
        del one.values[name]
        st.session_state.pop(key_of(name), None)


def suggest_name() -> None:
    """While rules are new and have no name of their own, it follows their title; a callback."""
    if source() == NEW:
        st.session_state[key_of("name")] = name_from(st.session_state[key_of("title")])


# --- within
def _kept(panel: ControlPanel, name: str) -> Draft:
    if name == NEW:
        return _example()
    shape_now, values_now = draft_of(panel.rule_set(name).rules, name)
    return Draft(shape_now, dict(values_now), (shape_now, dict(values_now)))


def _example() -> Draft:
    rules = RuleSet.model_validate(EXAMPLE)
    return Draft(*draft_of(rules, name_from(rules.title)))


def _typed() -> Values:
    return {
        str(key).removeprefix(PREFIX): value
        for key, value in st.session_state.items()
        if str(key).startswith(PREFIX)
    }


def _put(found: Mapping[str, Any]) -> None:
    draft().values |= found
    for name, value in found.items():
        st.session_state[key_of(name)] = value


def _leave() -> None:
    """Remember what is open before something else is."""
    drafts: dict[str, Draft] = st.session_state.get(DRAFTS, {})
    if source() in drafts and SOURCE in st.session_state:
        keep()
    _empty_widgets()


def _fill() -> None:
    for name, value in draft().values.items():
        st.session_state[key_of(name)] = value


def _empty_widgets() -> None:
    for key in [key for key in st.session_state if str(key).startswith(PREFIX)]:
        del st.session_state[key]
