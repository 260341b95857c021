"""The studies there are: filtered, in pages, to be opened."""

import math

import streamlit as st

from engine.contracts.studies import StudyBrief, StudyFilter, StudyState
from panel.facade import ControlPanel, PanelError
from panel.format import NONE, escape
from panel.live import latest, show_staleness
from panel.record_tables import Column, records_table
from panel.tuning_words import progress_words, title_of

PAGE_SIZE, ROW_PX, MOST_PX = 50, 30, 720
REFRESH_S = 1.0

COLUMNS: tuple[Column[StudyBrief], ...] = (
    Column("Name", lambda one: one.name),
    Column("State", lambda one: one.state.value),
    Column("Started (UTC)", lambda one: f"{one.created_at:%Y-%m-%d %H:%M:%S}"),
    Column("Objective", lambda one: title_of(one.objective)),
    Column("In sample", lambda one: one.inside, lambda value: f"{value:,.3f}"),
    Column("Out of sample", lambda one: one.outside, lambda value: f"{value:,.3f}"),
    Column("PBO", lambda one: one.pbo, lambda value: f"{value:.2f}"),
    Column("Trials", lambda one: one.progress.trials, lambda value: f"{value:,.0f}"),
    Column("Strategy", lambda one: one.strategy),
    Column("Symbol", lambda one: one.symbol),
    Column("Method", lambda one: one.method.value),
    Column("Error", lambda one: one.error),
)


def draw_list(panel: ControlPanel) -> None:
    """Filters, what runs now, and the table."""
    with st.container(horizontal=True, key="study_filters"):
        state = st.selectbox("State", [one.value for one in StudyState], index=None,
                             placeholder="All", key="study_state", width=150)  # fmt: skip
        search = st.text_input("Name contains", key="study_search", width=200)
    chosen = StudyFilter(state=StudyState(state) if state else None, search=search or "",
                         limit=PAGE_SIZE)  # fmt: skip
    page = panel.studies(chosen)
    if not page.count:
        st.info("No study matches these filters." if state or search else
                "No study yet. Fill in the form under New and start one.")  # fmt: skip
        return
    pages = math.ceil(page.count / PAGE_SIZE)
    number = 1
    if pages > 1:
        number = st.pagination(pages, width=340, key="studies_page")
        page = panel.studies(chosen.model_copy(update={"offset": (number - 1) * PAGE_SIZE}))
    live_studies(panel, tuple(one.id for one in page.items if is_active(one)))
    slot = st.container(horizontal=True)
    found = st.dataframe(
        records_table(page.items, COLUMNS), hide_index=True, row_height=ROW_PX, placeholder=NONE,
        height=min(ROW_PX * (len(page.items) + 1) + 3, MOST_PX), on_select="rerun",
        selection_mode="single-row", key=f"study_table_{number}",
        column_config={"Name": st.column_config.TextColumn(pinned=True, width=220)},
    )  # fmt: skip
    rows = [row for row in found["selection"]["rows"] if row < len(page.items)]
    with slot:
        if st.button("Open", icon=":material/open_in_full:", key="study_open",
                     disabled=len(rows) != 1, help="Mark one row of the table"):  # fmt: skip
            st.query_params.from_dict({"study": page.items[rows[0]].id})
            st.rerun()


def is_active(study: StudyBrief) -> bool:
    """Whether it waits or runs."""
    return study.state in (StudyState.QUEUED, StudyState.RUNNING)


@st.fragment(run_every=REFRESH_S)
def live_studies(panel: ControlPanel, drawn: tuple[str, ...]) -> None:
    """Progress of those that wait or run; draws the page anew when one of them has ended."""
    if not drawn:
        return
    try:
        snapshot = latest("studies:active", lambda: _active(panel))
    except PanelError as error:
        st.error(escape(error.message), icon=":material/error:")
        return
    show_staleness(snapshot)
    if not snapshot.error and set(drawn) - {one.id for one in snapshot.value}:
        st.rerun()
    for one in snapshot.value[:5]:
        st.progress(one.progress.share, f"{escape(one.name)}: {progress_words(one.progress)}")


def _active(panel: ControlPanel) -> list[StudyBrief]:
    running = panel.studies(StudyFilter(state=StudyState.RUNNING, limit=500)).items
    waiting = panel.studies(StudyFilter(state=StudyState.QUEUED, limit=500)).items
    return [*running[::-1], *waiting[::-1]]
