"""The studies there are: filtered, in pages, to be opened."""

import streamlit as st

from engine.contracts.studies import StudyBrief, StudyFilter, StudyState
from panel import filters
from panel.facade import ControlPanel, PanelError
from panel.format import NONE, escape
from panel.live import latest, show_staleness
from panel.record_tables import ROW_PX, Column, records_table, table_key, table_px
from panel.tuning_words import progress_words, title_of

PAGE_SIZE = 50
FILTER_KEYS = ("state", "name")
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
        state = filters.pick("State", "state", [one.value for one in StudyState], is_open=False)
        search = filters.text("Name", "name", "a part of it")
    chosen = StudyFilter(state=StudyState(state) if state else None, search=search)
    count = panel.studies(chosen.model_copy(update={"limit": 1})).count
    with st.container(horizontal=True, vertical_alignment="center"):
        asked = filters.choose_filter_page(chosen, count, PAGE_SIZE, FILTER_KEYS, "studies_clear")
    if not count:
        st.info("No study matches these filters." if filters.is_narrowed(chosen) else
                "No study yet. Fill in the form under New and start one.")  # fmt: skip
        return
    page = panel.studies(asked)
    live_studies(panel, tuple(one.id for one in page.items if is_active(one)))
    slot = st.container(horizontal=True)
    found = st.dataframe(
        records_table(page.items, COLUMNS), hide_index=True, row_height=ROW_PX, placeholder=NONE,
        height=table_px(len(page.items)), on_select="rerun", selection_mode="single-row",
        key=table_key("studies", [one.id for one in page.items]),
        column_config={"Name": st.column_config.TextColumn(pinned=True, width=220)},
    )  # fmt: skip
    first = asked.offset + 1
    st.caption(f"{first:,} to {first + len(page.items) - 1:,} of {count:,}, newest first")
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
