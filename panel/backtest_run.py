"""One backtest: what it is doing, how it ended, everything it found, what to do next."""

from collections.abc import Callable

import streamlit as st

from engine.contracts.backtests import BacktestReport, BacktestRun, RunState
from panel.analysis_view import draw_analysis
from panel.asked import ask, asked, settled
from panel.backtest_bot import BOT_OF, bot_dialog
from panel.backtest_draft import draft_of
from panel.backtest_form import DRAFT
from panel.backtest_trades import draw_chart_tab, draw_trades_tab
from panel.backtest_words import (
    STATE_COLOURS,
    bar_share,
    decimal,
    flat,
    refused_words,
    setting_name,
    setting_value,
    source_words,
    stage_words,
    took,
)
from panel.commands import attempt
from panel.facade import ControlPanel, EngineRefused, PanelError
from panel.figures import Figure, draw_figures
from panel.format import escape, moment, money
from panel.layout import show_error
from panel.live import latest, show_staleness
from panel.markup import gain_html
from panel.record_tables import ROW_PX, table_px
from panel.session import control_panel

REFRESH_S = 1.0
NOT_FOUND = 404
AGAIN = "backtest:again"
TABS = ("Report", "Trades", "Chart", "Settings")


def draw_run(panel: ControlPanel, run_id: str) -> None:
    """The page of one run."""
    try:
        report = panel.backtest(run_id)
    except EngineRefused as error:
        if error.status != NOT_FOUND:
            raise
        st.error("There is no such backtest any more.", icon=":material/error:")
        back_link()
        return
    run = report.run
    draw_commands(panel, run)
    st.markdown(
        f"**{escape(run.name)}** :{STATE_COLOURS[run.state]}-badge[{run.state.value}]"
        f" {escape(source_words(run))},"
        f" {run.request.timeframe}"
    )
    if run.request.notes:
        st.caption(escape(run.request.notes))
    if run.is_active:
        live_progress(panel, run)
        return
    draw_end(run)
    for warning in run.warnings:
        st.warning(escape(warning), icon=":material/warning:")
    if report.analysis is None:
        draw_settings(run)
        return
    draw_report(panel, report)


def back_link() -> None:
    """The way to all of them."""
    st.page_link("pages/backtest.py", label="All backtests", icon=":material/arrow_back:",
                 query_params={"view": "Runs"})  # fmt: skip


def draw_commands(panel: ControlPanel, run: BacktestRun) -> None:
    """What can be done with the run as it is."""
    with st.container(horizontal=True, key="run_commands", vertical_alignment="center"):
        back_link()
        if run.is_active:
            st.button("Cancel", icon=":material/stop:", key="run_cancel", on_click=cancel,
                      args=(run,))  # fmt: skip
            return
        if run.state is RunState.DONE:
            st.button("Run as a paper bot", type="primary", icon=":material/smart_toy:",
                      key="run_bot", on_click=ask, args=(BOT_OF, run.id))  # fmt: skip
            if asked(BOT_OF) == run.id:
                settled()
                bot_dialog(panel, run)
        st.button("Run again", icon=":material/replay:", key="run_again", on_click=run_again,
                  args=(run,), help="With candles and strategy as they are now")  # fmt: skip
        st.button("Change and run again", icon=":material/tune:", key="run_change",
                  on_click=change, args=(run,),
                  help="The form with everything of this one")  # fmt: skip
        if run.state is RunState.DONE:
            _downloads(panel, run)
        if st.button("Delete", icon=":material/delete:", key="run_delete"):
            _delete_dialog(run)
    started = st.session_state.pop(AGAIN, None)
    if started:
        st.query_params.from_dict({"run": started})
        st.rerun()


def _downloads(panel: ControlPanel, run: BacktestRun) -> None:
    st.download_button(
        "Report", lambda: panel.backtest_html(run.id), file_name=f"backtest-{run.id[:8]}.html",
        mime="text/html", icon=":material/download:", on_click="ignore", key="run_html",
        help="One HTML page to keep",
    )  # fmt: skip


@st.fragment(run_every=REFRESH_S)
def live_progress(panel: ControlPanel, drawn: BacktestRun) -> None:
    """Stage and progress; draws the page anew once the run has ended."""
    try:
        snapshot = latest(f"backtest:{drawn.id}", lambda: panel.backtest(drawn.id).run)
    except PanelError as error:
        if isinstance(error, EngineRefused) and error.status == NOT_FOUND:
            st.rerun()
        show_error(error)
        return
    run = snapshot.value
    if not snapshot.error and not run.is_active:
        st.rerun()
    show_staleness(snapshot)
    st.progress(bar_share(run), stage_words(run))
    st.caption("You may leave this page: it goes on, and is found under Runs.")


def draw_end(run: BacktestRun) -> None:
    """How a run ended that did not find anything."""
    if run.state in (RunState.FAILED, RunState.INTERRUPTED):
        st.error(escape(run.error), icon=":material/error:")
        st.caption("Its settings are kept: change them and run it again.")
    elif run.state is RunState.CANCELLED:
        st.info("It was cancelled. Its settings are kept.", icon=":material/stop:")


def draw_report(panel: ControlPanel, report: BacktestReport) -> None:
    """Everything that was found."""
    run, analysis = report.run, report.analysis
    if analysis is None:
        return
    if not run.trade_count:
        st.info("No trade was closed. The strategy gave no signal that could be traded here: try"
                " other parameters, a longer period or another timeframe.")  # fmt: skip
    draw_held(report)
    if report.refused:
        st.caption(f"Entries that were not made: {escape(refused_words(report.refused))}.")
    tabs = st.tabs(list(TABS), key="run_tab", on_change="rerun")
    draws: tuple[Callable[[], None], ...] = (
        lambda: draw_analysis(analysis, key=f"run-{run.id[:8]}"),
        lambda: draw_trades_tab(panel, run),
        lambda: draw_chart_tab(panel, run),
        lambda: draw_settings(run),
    )
    for tab, draw in zip(tabs, draws, strict=True):
        if tab.open:
            with tab:
                draw()


def draw_held(report: BacktestReport) -> None:
    """What is still held when the candles end; it is in the equity, not among the trades."""
    for one in report.open_positions:
        quote = report.run.quote
        gain = gain_html(decimal(one.unrealised_pnl), quote)
        draw_figures(
            (
                Figure("Still held at the end", f"{one.side.value} {one.quantity:.8g}"),
                Figure("Symbol", one.symbol),
                Figure("Since (UTC)", moment(one.opened)[:16]),
                Figure("Entered at", f"{one.entry_price:,.8g}"),
                Figure("Worth at entry", money(decimal(one.entry_value), quote)),
                Figure("Open P&L", html=gain),
            )
        )


def draw_settings(run: BacktestRun) -> None:
    """What was asked, and what the run used."""
    request = run.request.model_dump(mode="json", exclude={"name", "notes"})
    rows = [(setting_name(name), setting_value(value)) for name, value in flat(request)]
    rows += [
        ("Asked for (UTC)", moment(run.created_at)),
        ("Took", took(run)),
        ("Engine", run.engine_version),
        ("Candles, SHA-256", run.candles_sha256[:16] or setting_value(None)),
        ("Strategy's file, SHA-256", run.strategy_sha256[:16] or setting_value(None)),
    ]
    st.dataframe(
        [{"Setting": name, "Value": value} for name, value in rows], hide_index=True,
        key="run_settings", height=table_px(len(rows), 900), row_height=ROW_PX,
    )  # fmt: skip


# --- commands; callbacks
def cancel(run: BacktestRun) -> None:
    """End it."""
    attempt(lambda: control_panel().cancel_backtest(run.id), f"{run.name} is cancelled.")


def run_again(run: BacktestRun) -> None:
    """The same once more; the page goes to the new run."""

    def again() -> None:
        st.session_state[AGAIN] = control_panel().run_backtest_again(run.id).id

    attempt(again, f"{run.name} runs again.")


def change(run: BacktestRun) -> None:
    """The form with the run's settings."""
    DRAFT.forget()
    DRAFT.load(run.id, draft_of(run.request))
    st.query_params.from_dict({"view": "New"})


@st.dialog("Delete backtest")
def _delete_dialog(run: BacktestRun) -> None:
    st.markdown(f"Delete **{escape(run.name)}** with its result? This cannot be undone.")
    if st.button("Delete for good", type="primary", key="run_delete_confirm", on_click=delete,
                 args=(run,)):  # fmt: skip
        st.rerun()


def delete(run: BacktestRun) -> None:
    """Remove it and go to all of them."""
    if attempt(lambda: control_panel().delete_backtest(run.id), f"{run.name} is deleted."):
        st.query_params.from_dict({"view": "Runs"})
