"""The backtests there are: filtered, in pages, to be opened, compared and deleted."""

from collections.abc import Sequence

import streamlit as st

from engine.contracts.backtests import BacktestFilter, BacktestRun, RunState
from panel import filters
from panel.backtest_words import STATE_COLOURS, bar_share, source_words, stage_words, took
from panel.commands import attempt
from panel.facade import ControlPanel, PanelError
from panel.format import NONE, escape
from panel.live import latest, show_staleness
from panel.record_tables import ROW_PX, Column, records_table, table_key, table_px
from panel.session import control_panel

PAGE_SIZE = 50
REFRESH_S = 1.0
FILTER_KEYS = ("strategy", "state", "name")
MOST_COMPARED = 5
ACTIVE_SHOWN = 5


def _fraction(key: str) -> Column[BacktestRun]:
    titles = {"total_return": "Return", "max_drawdown": "Drawdown", "win_rate": "Win rate",
              "cagr": "A year"}  # fmt: skip
    return Column(
        titles[key], lambda run: run.metrics.get(key), lambda value: f"{100 * value:,.2f} %",
        is_gain=key == "total_return",
    )  # fmt: skip


COLUMNS: tuple[Column[BacktestRun], ...] = (
    Column("Name", lambda run: run.name),
    Column("State", lambda run: run.state.value),
    Column("Started (UTC)", lambda run: f"{run.created_at:%Y-%m-%d %H:%M:%S}"),
    _fraction("total_return"),
    _fraction("max_drawdown"),
    Column("Sharpe", lambda run: run.metrics.get("sharpe"), lambda value: f"{value:.2f}"),
    Column("Trades", lambda run: run.trade_count if run.state is RunState.DONE else None,
           lambda value: f"{value:,.0f}"),
    _fraction("win_rate"),
    Column("Strategy", lambda run: run.request.strategy),
    Column("Candles", source_words),
    Column("Timeframe", lambda run: run.request.timeframe),
    Column("Took", took),
    Column("Notes", lambda run: run.request.notes or run.error),
)  # fmt: skip


def choose_runs(strategies: Sequence[str]) -> BacktestFilter:
    """Draw the filters; they are kept in the address."""
    with st.container(horizontal=True, key="backtest_filters"):
        strategy = filters.pick("Strategy", "strategy", strategies, most=filters.MOST_STRATEGY)
        states = [state.value for state in RunState]
        state = filters.pick("State", "state", states, is_open=False)
        search = filters.text("Name", "name", "a part of it")
    return BacktestFilter(
        strategy=strategy, state=RunState(state) if state else None, search=search
    )


def draw_history(panel: ControlPanel, chosen: BacktestFilter) -> None:
    """What waits and runs, live; then the page of the table with what can be done with it."""
    count = panel.backtests(chosen.model_copy(update={"limit": 1})).count
    with st.container(horizontal=True, vertical_alignment="center"):
        asked = filters.choose_filter_page(chosen, count, PAGE_SIZE, FILTER_KEYS, "runs_clear")
    if not count:
        st.info("No backtest matches these filters." if filters.is_narrowed(chosen) else
                "No backtest yet. Fill in the form under New and start one.")  # fmt: skip
        return
    page = panel.backtests(asked)
    live_runs(panel, tuple(run.id for run in page.items if run.is_active))
    actions = st.container(horizontal=True, key="backtest_actions")
    found = st.dataframe(
        records_table(page.items, COLUMNS), hide_index=True, row_height=ROW_PX,
        placeholder=NONE,
        height=table_px(len(page.items)), on_select="rerun",
        selection_mode="multi-row", key=table_key("runs", [run.id for run in page.items]),
        column_config={"Name": st.column_config.TextColumn(pinned=True, width=200)},
    )  # fmt: skip
    first = asked.offset + 1
    st.caption(f"{first:,} to {first + len(page.items) - 1:,} of {page.count:,}, newest first")
    rows = [row for row in found["selection"]["rows"] if row < len(page.items)]
    with actions:
        draw_actions([page.items[row] for row in rows])


def draw_actions(chosen: Sequence[BacktestRun]) -> None:
    """What can be done with the rows that are marked."""
    done = [run for run in chosen if run.state is RunState.DONE]
    can_compare = len(done) == len(chosen) and 2 <= len(done) <= MOST_COMPARED
    if st.button("Open", icon=":material/open_in_full:", key="runs_open", disabled=len(chosen) != 1,
                 help="Mark one row of the table"):  # fmt: skip
        open_run(chosen[0].id)
    st.button(
        "Compare", icon=":material/compare_arrows:", key="runs_compare", disabled=not can_compare,
        help=f"Mark 2 to {MOST_COMPARED} that are done", on_click=compare,
        args=([run.id for run in done],),
    )  # fmt: skip
    ended = [run for run in chosen if not run.is_active]
    if st.button("Delete", icon=":material/delete:", key="runs_delete",
                 disabled=not ended or len(ended) < len(chosen),
                 help="Mark those that have ended"):  # fmt: skip
        _delete_dialog(ended)


def compare(run_ids: list[str]) -> None:
    """Show them side by side; a callback."""
    st.session_state["view"], st.session_state["compare_runs"] = "Compare", run_ids


def open_run(run_id: str) -> None:
    """Show one backtest."""
    st.query_params.from_dict({"run": run_id})
    st.rerun()


@st.fragment(run_every=REFRESH_S)
def live_runs(panel: ControlPanel, drawn: tuple[str, ...]) -> None:
    """Progress of those that wait or run; draws the page anew when one of them has ended."""
    if not drawn:
        return
    try:
        snapshot = latest("backtests:active", lambda: _active(panel))
    except PanelError as error:
        st.error(escape(error.message), icon=":material/error:")
        return
    show_staleness(snapshot)
    active = {run.id: run for run in snapshot.value}
    if not snapshot.error and any(run_id not in active for run_id in drawn):
        st.rerun()
    for run in list(active.values())[:ACTIVE_SHOWN]:
        colour = STATE_COLOURS[run.state]
        st.progress(bar_share(run), f"{escape(run.name)}: :{colour}[{stage_words(run)}]")
    if len(active) > ACTIVE_SHOWN:
        st.caption(f"and {len(active) - ACTIVE_SHOWN} more that wait")


def _active(panel: ControlPanel) -> list[BacktestRun]:
    """Those that run, then those that wait, the oldest first."""
    running = panel.backtests(BacktestFilter(state=RunState.RUNNING, limit=500)).items
    waiting = panel.backtests(BacktestFilter(state=RunState.QUEUED, limit=500)).items
    return [*running[::-1], *waiting[::-1]]


@st.dialog("Delete backtests")
def _delete_dialog(runs: Sequence[BacktestRun]) -> None:
    names = ", ".join(escape(run.name) for run in runs[:5])
    more = f" and {len(runs) - 5} more" if len(runs) > 5 else ""
    st.markdown(f"Delete {names}{more} with their results? This cannot be undone.")
    if st.button("Delete for good", type="primary", key="runs_delete_confirm",
                 on_click=delete_runs, args=(tuple(run.id for run in runs),)):  # fmt: skip
        st.rerun()


def delete_runs(run_ids: Sequence[str]) -> None:
    """Delete them one by one; a callback."""
    panel = control_panel()
    for run_id in run_ids:
        if not attempt(lambda run_id=run_id: panel.delete_backtest(run_id)):  # type: ignore[misc]
            return
