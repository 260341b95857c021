"""The candle library on screen: what each file covers, and everything about one of them."""

from collections.abc import Sequence
from pathlib import PurePath

import plotly.graph_objects as go
import streamlit as st

from engine.contracts.candles import CandleReport, Gap, StoredSet
from panel.asked import ask, asked, forget, forgetter
from panel.bot_draft import DEFAULTS, REPLAY
from panel.bot_form import forget_draft, load_draft
from panel.candles_words import (
    GAP_COLUMNS,
    SET_COLUMNS,
    SEVERITIES,
    problem_words,
    share,
    size,
    source_words,
)
from panel.charts import style_figure
from panel.commands import attempt, show_outcomes
from panel.facade import ControlPanel, PanelError
from panel.figures import Figure, draw_figures
from panel.format import escape, moment
from panel.layout import show_error
from panel.live import latest, show_staleness
from panel.palette import BLUE, DOWN
from panel.record_tables import draw_records
from panel.session import is_dark

REFRESH_S = 5.0
MOST_DRAWN = 30
ROW_PX, FRAME_PX, LEAST_PX = 26, 46, 132
LEAST_SHARE = 0.004
"""A gap is drawn at least so wide, as a part of the whole axis: a missing hour in ten years must be
seen."""

MOST_WIDENED = 0.05
"""But no wider than this part of its file's bar, which would else seem to be all gaps."""

IMPORT = "import"
DELETING = "candles"
LEAVING = "candles:leaving"


@st.fragment(run_every=REFRESH_S)
def draw_library(panel: ControlPanel) -> None:
    """All files: their coverage over time, and a table."""
    show_outcomes()
    try:
        snapshot = latest("candles", panel.candle_sets)
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    sets = snapshot.value
    if not sets:
        st.info("There are no candles yet. Download some, or import a file of yours.")
        return
    sound = [one for one in sets if one.span is not None]
    if sound:
        drawn = sound[:MOST_DRAWN]
        st.plotly_chart(
            coverage_figure(drawn, is_dark=is_dark()), key="candles_coverage",
            config={"displayModeBar": False},
        )  # fmt: skip
        if len(sound) > len(drawn):
            st.caption(f"The first {len(drawn)} of {len(sound)} are drawn; the table has all.")
    broken = len(sets) - len(sound)
    if broken:
        files = "file cannot be used" if broken == 1 else "files cannot be used"
        st.warning(f"{broken} {files}; the table says why.", icon=":material/error:")
    draw_records(sets, SET_COLUMNS, key="candle_sets")


def coverage_figure(sets: Sequence[StoredSet], *, is_dark: bool) -> go.Figure:
    """A bar a file from its first to its last candle, with its longest gaps in red."""
    figure = go.Figure()
    spans = [(one, one.span) for one in sets if one.span is not None]
    begin = min(span.first for _, span in spans)
    end = max(span.last for _, span in spans)
    least_ms = max((end - begin).total_seconds() * 1000 * LEAST_SHARE, 1.0)
    lengths = [max((span.last - span.first).total_seconds() * 1000, least_ms) for _, span in spans]
    names = [one.id for one, _ in spans]
    figure.add_bar(
        y=names, base=[span.first for _, span in spans], x=lengths,
        orientation="h", marker={"color": BLUE, "line": {"width": 0}}, name="candles", width=0.5,
        customdata=[[moment(span.first), moment(span.last), share(span.coverage)]
                    for _, span in spans],
        hovertemplate="%{y}<br>%{customdata[0]} to %{customdata[1]}<br>%{customdata[2]} there"
        "<extra></extra>",
    )  # fmt: skip
    rows = [
        (one.id, gap, min(least_ms, length * MOST_WIDENED))
        for (one, span), length in zip(spans, lengths, strict=True)
        for gap in span.gaps
    ]
    if rows:
        _add_gaps(figure, rows)
    style_figure(figure, is_dark=is_dark, has_legend=bool(rows))
    figure.update_layout(
        barmode="overlay",
        height=max(ROW_PX * len(names) + FRAME_PX + 24 * bool(rows), LEAST_PX),
        hovermode="closest", dragmode=False,
    )  # fmt: skip
    figure.update_xaxes(type="date")
    figure.update_yaxes(side="left", autorange="reversed", tickformat=None, type="category")
    return figure


def _add_gaps(figure: go.Figure, rows: Sequence[tuple[str, Gap, float]]) -> None:
    """Gaps with the least width (ms) of each."""
    figure.add_bar(
        y=[set_id for set_id, _, _ in rows], base=[gap.since for _, gap, _ in rows],
        x=[max((gap.until - gap.since).total_seconds() * 1000, least) for _, gap, least in rows],
        orientation="h", marker={"color": DOWN, "line": {"width": 0}}, name="gap", width=0.5,
        customdata=[[moment(gap.since), moment(gap.until), gap.missing] for _, gap, _ in rows],
        hovertemplate="%{customdata[2]:,} missing<br>%{customdata[0]} to %{customdata[1]}"
        "<extra></extra>",
    )  # fmt: skip


def draw_chosen(panel: ControlPanel) -> None:
    """One file, chosen from all: its report, and what can be done with it."""
    sets = {one.id: one for one in panel.candle_sets()}
    if not sets:
        return
    chosen = st.selectbox(
        "Look at", list(sets), index=None, key="set", bind="query-params", width=340,
        placeholder="Choose candles",
    )  # fmt: skip
    if chosen is None:
        return
    with st.spinner("Reading the candles"):
        detail = panel.candle_set(chosen)
    entry, report = detail.entry, detail.report
    if entry.about is None or report is None:
        st.error(escape(entry.error), icon=":material/error:")
        _commands(panel, entry)
        return
    span = report.span
    if span is not None:
        draw_figures(
            (
                Figure("Candles", f"{span.rows:,}"),
                Figure("From (UTC)", moment(span.first)),
                Figure("To (UTC)", moment(span.last)),
                Figure("Coverage", share(span.coverage)),
                Figure("Missing", f"{span.missing:,} in {span.gap_count:,} gaps"),
                Figure("Size", size(entry.size_bytes)),
            )
        )
        st.plotly_chart(
            coverage_figure([entry], is_dark=is_dark()), key="candles_chosen",
            config={"displayModeBar": False},
        )  # fmt: skip
    st.caption(escape(f"From {source_words(entry.about)}; {entry.about.kind.value}."))
    _commands(panel, entry)
    draw_report(report, key=f"report-{entry.id}")


def draw_report(report: CandleReport, *, key: str) -> None:
    """Problems with their first places, then the gaps."""
    if not report.problems:
        st.success("Nothing is wrong with these candles.", icon=":material/check:")
    for problem in report.problems:
        words, colour = SEVERITIES[problem.severity]
        st.markdown(f":{colour}-badge[{words}] {escape(problem_words(problem))}")
        for example in problem.examples:
            where = f"line {example.line}: " if example.line else ""
            st.caption(f"&emsp;{escape(where + example.text)}")
    closed = report.span.closed_days if report.span else 0
    gaps = [gap for gap in report.gaps if not gap.is_closed_day]
    if closed and st.toggle(
        f"Closed days ({closed:,})", key=f"{key}-closed",
        help="Whole days without a candle in a market that has nights and weekends: holidays, most"
        " likely. They do not count as missing.",
    ):  # fmt: skip
        gaps = list(report.gaps)
    if gaps:
        count = report.span.gap_count if report.span else 0
        listed = sum(not gap.is_closed_day for gap in gaps)
        if count > listed:
            st.caption(f"The longest {listed:,} of {count:,} gaps are listed.")
        draw_records(gaps, GAP_COLUMNS, key=f"{key}-gaps")


def _commands(panel: ControlPanel, entry: StoredSet) -> None:
    with st.container(horizontal=True):
        if entry.about is not None:
            st.page_link(
                "pages/backtest.py", label="Backtest these", icon=":material/science:",
                query_params={
                    "candles": PurePath(entry.path).name, "timeframe": entry.about.timeframe,
                },
            )  # fmt: skip
            if entry.is_ours and entry.about.source != IMPORT:
                st.button(
                    "Update", icon=":material/update:", key="candles_update",
                    on_click=_update, args=(panel, entry),
                    help="Download what came since, from the same source",
                )  # fmt: skip
            st.button(
                "Replay with a bot", icon=":material/replay:", key="candles_replay",
                on_click=_replay, args=(entry,),
            )  # fmt: skip
            st.download_button(
                "Download CSV", lambda: panel.candles_csv(entry.id),
                file_name=f"{entry.id}.csv", mime="text/csv", icon=":material/download:",
                on_click="ignore", help="Every digit, times in UTC",
            )  # fmt: skip
        st.button(
            "Delete", icon=":material/delete:", key="candles_delete", on_click=ask,
            args=(DELETING, entry.id),
        )  # fmt: skip


def leave_if_asked() -> None:
    """Go where a button has pointed: callbacks cannot."""
    if st.session_state.pop(LEAVING, None):
        st.switch_page("pages/create.py")


def _update(panel: ControlPanel, entry: StoredSet) -> None:
    """Ask for what came since; a callback. The newest candle is asked for once more: a vendor may
    have corrected it."""
    if entry.about is None or entry.span is None:
        return
    about = entry.about
    request = {"source": about.source, "symbol": about.symbol, "timeframe": about.timeframe,
               "since": entry.span.last.isoformat()}  # fmt: skip
    attempt(lambda: panel.download_candles(request),
            f"{entry.id} is being downloaded; Download shows how far it is.")  # fmt: skip


def _replay(entry: StoredSet) -> None:
    """Begin a bot over these candles; a callback."""
    if entry.about is None:
        return
    forget_draft()
    about = {"symbol": entry.about.symbol, "timeframe": entry.about.timeframe}
    load_draft("new", {**DEFAULTS, **about, "market": REPLAY, "replay_path": entry.path})
    st.session_state[LEAVING] = True


def open_asked_dialog(panel: ControlPanel) -> None:
    """The dialog of the file whose deletion was asked for, until it is decided."""
    set_id = asked(DELETING)
    if set_id is not None:
        _delete_dialog(panel, set_id)


@st.dialog("Delete candles", on_dismiss=forgetter(DELETING))
def _delete_dialog(panel: ControlPanel, set_id: str) -> None:
    st.markdown(
        f"**{escape(set_id)}** is deleted from the data folder for good. What came from a source"
        " can be downloaded again; a file of yours cannot."
    )
    with st.container(horizontal=True):
        if st.button("Delete it", type="primary", key="candles_delete_confirm",
                     on_click=_delete, args=(panel, set_id)):  # fmt: skip
            st.rerun()
        if st.button("Keep it", key="candles_delete_keep", on_click=forget, args=(DELETING,)):
            st.rerun()


def _delete(panel: ControlPanel, set_id: str) -> None:
    if attempt(lambda: panel.delete_candles(set_id), f"{set_id} is deleted."):
        st.session_state["set"] = None
    forget(DELETING)
