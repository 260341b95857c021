"""The rule builder's form: groups of conditions, what they compare, and the rules' parameters."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from engine.contracts import ErrorDetail
from engine.contracts.rules import GROUPS, RuleCatalogue, SlotView
from panel import rules_session as session
from panel.format import escape
from panel.rules_draft import NUMBER, SIDES, Values, sides_of
from panel.rules_session import key_of

JOINS = {"all": "all of them (and)", "any": "any of them (or)"}
EMPTY = {
    "long_entry": "No condition yet: these rules enter nothing long.",
    "long_exit": "No condition yet: only the bot's stop, target and other exits close a position.",
    "short_entry": "No condition yet: these rules enter nothing short.",
    "short_exit": "No condition yet: only the bot's stop, target and other exits close a position.",
}  # fmt: skip
SIDE_LABELS = {"left": "This", "right": "That", "upper": "And that"}
OUTPUT_WORDS = {"k": "%K", "d": "%D", "adx": "ADX", "plus": "+DI", "minus": "-DI"}


class RulesForm:
    """Draws the groups; ``slots`` has a place for the error of each field, by its dotted name."""

    def __init__(self, catalogue: RuleCatalogue) -> None:
        self.catalogue = catalogue
        self.sources = {one.id: one for one in catalogue.sources}
        self.comparisons = {one.id: one for one in catalogue.comparisons}
        self.slots: dict[str, DeltaGenerator] = {}
        self.values: Values = session.values()

    def slot(self, field: str) -> None:
        """Keep a place below what was just drawn for what is wrong with ``field``."""
        self.slots[field] = st.empty()

    def show_errors(self, details: Sequence[ErrorDetail]) -> list[ErrorDetail]:
        """Put each error next to its field; the nearest part that has a place takes the rest.
        Returns those without one."""
        left = []
        told: dict[int, list[str]] = {}
        for detail in details:
            parts = detail.field.removeprefix("rules.").split(".")
            names = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
            place = next((self.slots[name] for name in names if name in self.slots), None)
            if place is None:
                left.append(detail)
                continue
            lines = told.setdefault(id(place), [])
            lines.append(f":red[:material/error: {escape(detail.message)}]")
            place.markdown("  \n".join(lines))
        return left

    def draw_about(self) -> None:
        """What the rules are called."""
        with st.grid(2, min_column_width=200, gap="small"):
            with st.container(gap="xxsmall"):
                st.text_input(
                    "Title", key=key_of("title"), max_chars=60, on_change=session.suggest_name
                )
                self.slot("title")
            with st.container(gap="xxsmall"):
                st.text_input(
                    "Name of the strategy", key=key_of("name"), max_chars=64,
                    help="Letters, digits and _. Another name than before keeps a copy.",
                )  # fmt: skip
                self.slot("id")
        st.text_area(
            "Description", key=key_of("description"), max_chars=4000, height=68,
            placeholder="When it works, when it loses, where the idea comes from",
        )  # fmt: skip
        self.slot("description")

    def draw_group(self, name: str) -> None:
        """One of the four questions: its conditions, its inner groups, and what adds to them."""
        shape = session.shape()
        st.markdown(f"**{GROUPS[name]}** when")
        conditions, inner = shape.conditions.get(name, ()), shape.inner.get(name, ())
        self._draw_join(name, len(conditions) + len(inner))
        if not conditions and not inner:
            st.caption(EMPTY[name])
        self._draw_conditions(name, f"{name}.conditions")
        for number, node in enumerate(inner):
            with st.container(border=True, key=f"rules-group-{node}", gap="small"):
                with st.container(horizontal=True, vertical_alignment="center"):
                    st.markdown("A group of which", width="stretch")
                    _remove_button(node, "Remove the group")
                self._draw_join(node, 2)
                self._draw_conditions(node, f"{name}.groups.{number}.conditions")
                _add_button("Add condition to the group", f"rules_add_{node}",
                            session.add_condition, node)  # fmt: skip
        with st.container(horizontal=True, gap="small"):
            _add_button("Add condition", f"rules_add_{name}", session.add_condition, name)
            _add_button("Add group", f"rules_add_group_{name}", session.add_group, name)
        self.slot(name)

    def _draw_join(self, node: str, count: int) -> None:
        if count > 1:
            st.segmented_control(
                "Join", list(JOINS), key=key_of(f"{node}_join"), required=True,
                format_func=JOINS.__getitem__, label_visibility="collapsed",
            )  # fmt: skip

    def _draw_conditions(self, node: str, field: str) -> None:
        for number, condition in enumerate(session.shape().conditions.get(node, ())):
            with st.container(border=True, key=f"rules-condition-{condition}", gap="xxsmall"):
                self._draw_condition(condition, f"{field}.{number}")

    def _draw_condition(self, node: str, field: str) -> None:
        test = str(self.values.get(f"{node}_test", "above"))
        needs = sides_of(test, self.catalogue)
        with st.grid(3, min_column_width=142, gap="small"):
            with st.container(gap="xxsmall"):
                self._draw_operand(node, "left", field)
            with st.container(gap="xxsmall"):
                st.selectbox(
                    "Comparison", list(self.comparisons), key=key_of(f"{node}_test"),
                    format_func=lambda one: self.comparisons[one].title,
                )  # fmt: skip
                if "count" in needs:
                    self._number("Candles in a row", f"{node}_count", f"{field}.count", "3")
                self.slot(f"{field}.test")
            for side in SIDES[1:]:
                if side in needs:
                    with st.container(gap="xxsmall"):
                        self._draw_operand(node, side, field)
        with st.container(horizontal=True, horizontal_alignment="right"):
            _remove_button(node, "Remove the condition")
        self.slot(field)

    def _draw_operand(self, node: str, side: str, field: str) -> None:
        stem, place = f"{node}_{side}", f"{field}.{side}"
        known = str(self.values.get(f"{stem}_source", "close"))
        chosen = st.selectbox(
            SIDE_LABELS[side], list(self.sources), key=key_of(f"{stem}_source"),
            format_func=lambda one: self.sources[one].title,
            help=escape(self.sources[known].help) or None,
        )  # fmt: skip
        source = self.sources[chosen]
        if len(source.outputs) > 1:
            output_key = key_of(f"{stem}_output")
            if st.session_state.get(output_key) not in source.outputs:
                st.session_state[output_key] = source.outputs[0]
            st.selectbox(
                "Line", source.outputs, key=output_key, format_func=_output_title,
                label_visibility="collapsed",
            )  # fmt: skip
        for slot in source.slots:
            self._number(
                _slot_label(slot), f"{stem}_{source.id}_{slot.name}",
                f"{place}.params.{slot.name}", f"{slot.default:g}",
            )  # fmt: skip
        if chosen != NUMBER or self.values.get(f"{stem}_more"):
            self._draw_earlier(stem, place)
        self.slot(place)

    def _draw_earlier(self, stem: str, place: str) -> None:
        """How many candles ago, and times what: seldom needed, so only when asked for.

        Not in a popover: Streamlit's forgets what its widgets were given before it is opened.
        """
        if not st.checkbox("Shift, scale", key=key_of(f"{stem}_more")):
            return
        key = key_of(f"{stem}_ago")
        st.session_state.setdefault(key, 0)
        st.number_input("Candles ago", min_value=0, max_value=500, step=1, key=key)
        self._number("Times", f"{stem}_factor", f"{place}.factor", "1")

    def draw_parameters(self) -> None:
        """Numbers that each bot may set for itself; their names stand in for numbers above."""
        st.caption(
            "Give a number a name here and write that name where the number stood. Each bot can"
            " then set it, and tuning can vary it."
        )
        for number, node in enumerate(session.shape().parameters):
            with st.container(border=True, key=f"rules-parameter-{node}", gap="xxsmall"):
                with st.grid(3, min_column_width=130, gap="small"):
                    for name, label in (
                        ("name", "Name"), ("title", "Title on the form"), ("default", "Value"),
                        ("least", "Least"), ("most", "Most"),
                    ):  # fmt: skip
                        with st.container(gap="xxsmall"):
                            self._text(label, f"{node}_{name}", f"parameters.{number}.{name}")
                    st.checkbox("Whole numbers only", key=key_of(f"{node}_is_whole"))
                with st.container(horizontal=True, horizontal_alignment="right"):
                    _remove_button(node, "Remove the parameter")
                self.slot(f"parameters.{number}")
        _add_button("Add parameter", "rules_add_parameter", session.add_parameter)
        self.slot("parameters")

    def _number(self, label: str, name: str, field: str, default: str) -> None:
        """A text, as the name of a parameter may stand for the number."""
        st.session_state.setdefault(key_of(name), default)
        self._text(label, name, field)

    def _text(self, label: str, name: str, field: str) -> None:
        st.text_input(escape(label), key=key_of(name))
        self.slot(field)


def _slot_label(slot: SlotView) -> str:
    is_bounded = max(abs(slot.least), abs(slot.most)) < 1e9
    return f"{slot.title} ({slot.least:g} to {slot.most:g})" if is_bounded else slot.title


def _output_title(output: str) -> str:
    words: Mapping[str, str] = OUTPUT_WORDS
    return words.get(output, output.capitalize())


def _add_button(label: str, key: str, command: Any, *args: str) -> None:
    st.button(label, icon=":material/add:", key=key, on_click=command, args=args, type="tertiary")


def _remove_button(node: str, words: str) -> None:
    st.button(
        "Remove", icon=":material/close:", key=f"rules_remove_{node}", help=words,
        on_click=session.remove, args=(node,), type="tertiary",
    )  # fmt: skip
