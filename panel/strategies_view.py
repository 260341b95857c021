"""The Strategies page: what each strategy does, its parameters, and what is wrong with a file."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from engine.contracts import StrategyView
from panel.facade import ControlPanel, PanelError
from panel.format import escape
from panel.forms import field_specs
from panel.layout import show_error
from panel.live import latest, show_staleness

FOLDER_REFRESH_S = 3.0
RULES_ENDING = ".rules.json"


@st.fragment(run_every=FOLDER_REFRESH_S)
def draw_strategies(panel: ControlPanel, search: str) -> None:
    """All strategies, broken files first; a file dropped into the folder appears by itself."""
    try:
        snapshot = latest("strategies", panel.strategies)
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    strategies = snapshot.value
    if not strategies:
        st.info("The strategies folder holds no strategy. Copy strategies/_template.py to begin.")
        return
    for broken in (one for one in strategies if one.error is not None):
        st.error(
            f"**{escape(broken.path)}** cannot be used. {escape(broken.error or '')}",
            icon=":material/error:",
        )
    picked = [one for one in strategies if one.error is None and _matches(one, search)]
    if not picked:
        st.info("No strategy matches the search.", icon=":material/filter_alt:")
    for strategy in picked:
        _draw_strategy(strategy)


def _matches(strategy: StrategyView, search: str) -> bool:
    words = f"{strategy.id} {strategy.title} {strategy.summary}".lower()
    return search.strip().lower() in words


def _draw_strategy(strategy: StrategyView) -> None:
    with st.container(border=True, key=f"strategy-{strategy.id}", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{escape(strategy.title)}**", width="content")
            st.badge(strategy.id, color="gray")
            st.caption(_used_by(strategy.used_by), width="stretch")
            if strategy.path.endswith(RULES_ENDING):
                st.page_link("pages/rules.py", label="Edit the rules", icon=":material/rule:",
                             query_params={"rules": strategy.id})  # fmt: skip
        st.markdown(escape(strategy.summary))
        frame = parameters_frame(strategy)
        if not frame.empty:
            st.table(frame, hide_index=True, border="horizontal")
        if strategy.doc:
            with st.expander("How it works", key=f"doc-{strategy.id}"):
                st.markdown(strategy.doc)
        st.caption(
            f"{escape(strategy.path)}, needs {strategy.warmup} candles before its first signal"
        )


def _used_by(names: Sequence[str]) -> str:
    if not names:
        return "not used by any bot"
    shown = ", ".join(escape(name) for name in names[:6])
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return f"used by {shown}{more}"


def parameters_frame(strategy: StrategyView) -> pd.DataFrame:
    """The parameters, one a row, all as text."""
    return pd.DataFrame(
        [
            {
                "Parameter": spec.title,
                "Default": _shown(spec.default),
                "Range": _range(spec.minimum, spec.maximum, spec.choices),
                "Meaning": spec.help,
            }
            for spec in field_specs(strategy.parameters)
        ]
    )


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _range(minimum: float | None, maximum: float | None, choices: Sequence[object]) -> str:
    if choices:
        return ", ".join(str(choice) for choice in choices)
    if minimum is None and maximum is None:
        return ""
    if maximum is None:
        return f"from {minimum:g}"
    return f"up to {maximum:g}" if minimum is None else f"{minimum:g} to {maximum:g}"
