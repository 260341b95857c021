"""The rule builder around its form: which rules are open, saving, deleting, and the trial."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from engine.contracts import ErrorDetail, MarketView
from engine.contracts.rules import RuleCatalogue, RulesRow, RuleTrial
from panel import bot_form
from panel import rules_session as session
from panel.bot_draft import DEFAULTS
from panel.candle_chart import candle_payload
from panel.chart_component import draw_chart
from panel.commands import attempt, say_done
from panel.facade import ControlPanel, EngineRefused, PanelError
from panel.format import escape
from panel.layout import show_error
from panel.rules_draft import body_of
from panel.rules_session import NEW
from panel.symbols import find_symbols

CHOICE = "rules_choice"
REFUSAL = "rules:refusal"
TRIAL_CANDLES = {200: "200 candles", 500: "500 candles", 2000: "2,000 candles"}
TRIAL_TIMEFRAME = "15m"


def choose_rules(panel: ControlPanel, rows: Sequence[RulesRow]) -> None:
    """The list of rule sets, broken ones with their error, and what can be done with one."""
    titles = {one.id: f"{one.title} ({one.id})" for one in rows if not one.error}
    for broken in (one for one in rows if one.error):
        st.error(f"**{escape(broken.id)}** cannot be used. {escape(broken.error)}",
                 icon=":material/error:")  # fmt: skip
        if st.button(f"Delete {broken.id}", key=f"rules_drop_{broken.id}"):
            _delete_dialog(panel, broken)
    st.session_state[CHOICE] = session.source()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.selectbox(
            "Rules", [NEW, *titles], key=CHOICE, on_change=_switch, args=(panel,), width=320,
            format_func=lambda name: titles.get(name, "New rules"),
        )  # fmt: skip
        st.button("Start over", key="rules_discard", on_click=_discard, args=(panel,),
                  help="Back to what is saved; for new rules to the example")  # fmt: skip
        row = next((one for one in rows if one.id == session.source()), None)
        if row is not None:
            is_used = bool(row.used_by)
            help_text = f"Used by {', '.join(row.used_by)}" if is_used else None
            if st.button("Delete", icon=":material/delete:", key="rules_delete", disabled=is_used,
                         help=help_text):  # fmt: skip
                _delete_dialog(panel, row)


def draw_commands(panel: ControlPanel, catalogue: RuleCatalogue) -> tuple[ErrorDetail, ...]:
    """Save, and a bot with what is saved. Returns what was wrong with the last attempt."""
    is_saved = session.is_saved(catalogue)
    with st.container(horizontal=True, gap="small"):
        st.button("Save", type="primary", icon=":material/save:", key="rules_save",
                  on_click=_save, args=(panel, catalogue), disabled=is_saved)  # fmt: skip
        if st.button(
            "Create a bot with it", icon=":material/add_circle:", key="rules_bot",
            disabled=not is_saved, help=None if is_saved else "Save the rules first",
        ):  # fmt: skip
            _prepare_bot(session.source())
            st.switch_page("pages/create.py")
    refusal: EngineRefused | PanelError | None = st.session_state.pop(REFUSAL, None)
    if refusal is None:
        return ()
    st.error(f"Not saved. {escape(refusal.message)}", icon=":material/error:")
    return refusal.details if isinstance(refusal, EngineRefused) else ()


def draw_trial(panel: ControlPanel, body: dict[str, Any]) -> tuple[ErrorDetail, ...]:
    """The rules in sentences and on past candles. Returns what is wrong with them, when it is."""
    request = {"rules": body, **_draw_trial_choice(panel)}
    try:
        trial = panel.try_rules(request)
    except EngineRefused as error:
        if not error.details:
            show_error(error)
        else:
            st.info("The rules in words and the chart appear once the marked fields are right.")
        return error.details
    except PanelError as error:
        show_error(error)
        return ()
    for sentence in trial.sentences.values():
        st.markdown(escape(sentence))
    st.caption(_counts(trial))
    if not trial.entries:
        st.info("On these candles the rules enter nothing: loosen them, or look at more candles.")
    view = f"{request['market']}:{request['symbol']}:{request['timeframe']}:{request['limit']}"
    draw_chart(candle_payload(trial.chart, view_id=view, price_px=280), key="rules-chart")
    return ()


def _draw_trial_choice(panel: ControlPanel) -> dict[str, Any]:
    """On which candles the rules are tried."""
    markets = {one.id: one for one in panel.markets() if one.timeframes}
    with st.grid(2, min_column_width=140, gap="small"):
        market = st.selectbox(
            "Market", list(markets), key="rules_trial_market",
            format_func=lambda one: markets[one].title,
        )  # fmt: skip
        symbols = [view.instrument.symbol for view in find_symbols(panel, market or "")]
        symbol = st.selectbox("Symbol", symbols, key="rules_trial_symbol")
        frames = _timeframes(markets.get(market))
        usual = frames.index(TRIAL_TIMEFRAME) if TRIAL_TIMEFRAME in frames else 0
        timeframe = st.selectbox("Timeframe", frames, index=usual, key="rules_trial_timeframe")
        limit = st.selectbox(
            "Look at", list(TRIAL_CANDLES), index=1, key="rules_trial_limit",
            format_func=TRIAL_CANDLES.__getitem__,
        )  # fmt: skip
    return {"market": market or "simulated", "symbol": symbol or "", "timeframe": timeframe or "",
            "limit": limit}  # fmt: skip


def _timeframes(market: MarketView | None) -> list[str]:
    return list(market.timeframes) if market else [TRIAL_TIMEFRAME]


def _counts(trial: RuleTrial) -> str:
    positions = "1 position" if trial.entries == 1 else f"{trial.entries:,} positions"
    closed = "1 closed" if trial.exits == 1 else f"{trial.exits:,} closed"
    return (
        f"On {len(trial.chart.time):,} candles: {positions} opened, {closed} by the rules."
        f" Needs {trial.warmup:,} candles before its first signal."
        " Without stops and costs; a backtest tells what it earns."
    )


# --- commands
def _switch(panel: ControlPanel) -> None:
    attempt(lambda: session.open_rules(panel, st.session_state[CHOICE]))


def _discard(panel: ControlPanel) -> None:
    attempt(lambda: session.discard(panel))


def _save(panel: ControlPanel, catalogue: RuleCatalogue) -> None:
    """Keep what is typed; a callback. The draft stays as it is when the engine refuses."""
    values = session.values()
    name = str(values.get("name", "")).strip()
    if not name:
        st.session_state[REFUSAL] = EngineRefused(
            "Give the strategy a name.", [ErrorDetail(field="id", message="must not be empty")]
        )
        return
    body = body_of(session.shape(), values, catalogue)
    try:
        panel.save_rules(name, body, is_new=name != session.source())
    except PanelError as error:
        st.session_state[REFUSAL] = error
        return
    session.mark_saved(name)
    say_done(f"{values.get('title')} is saved as the strategy {name}.")


@st.dialog("Delete rules")
def _delete_dialog(panel: ControlPanel, row: RulesRow) -> None:
    title = f"**{escape(row.title)}** ({escape(row.id)})" if row.title else f"**{escape(row.id)}**"
    st.markdown(f"Delete {title}? It cannot be brought back.")
    if st.button("Delete for good", type="primary", key="rules_delete_confirm", on_click=_delete,
                 args=(panel, row.id)):  # fmt: skip
        st.rerun()


def _delete(panel: ControlPanel, name: str) -> None:
    if attempt(lambda: panel.delete_rules(name), f"{name} is deleted."):
        session.forget_rules(name)


def _prepare_bot(strategy: str) -> None:
    """Let the form of Create bot begin with a strategy; what is typed there already is kept."""
    bot_form.load_draft("new", DEFAULTS)
    st.session_state[bot_form.key_of("strategy")] = strategy
    bot_form.keep_draft()
