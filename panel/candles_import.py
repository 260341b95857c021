"""Importing a file on screen: first what is in it, then, when that is right, into the library."""

from typing import Any

import streamlit as st

from engine.contracts import SECONDS
from engine.contracts.candles import ImportRequest, InstrumentKind, PreviewView
from panel.candles_library import draw_report
from panel.candles_words import share, verdict
from panel.commands import attempt, say_done
from panel.facade import ControlPanel, PanelError
from panel.figures import Figure, draw_figures
from panel.format import NONE, escape, moment
from panel.layout import show_error

PREVIEW, SENT, ROUND = "import:preview", "import:sent", "import:round"
SYMBOL, LENGTH, KIND, REPAIR = "import_symbol", "import_length", "import_kind", "import_repair"
ENDINGS = ["csv", "txt", "tsv"]


def draw_import(panel: ControlPanel) -> None:
    """Choose a file, see what it is, correct what was guessed, confirm."""
    st.caption(
        "CSV of MetaTrader 4 and 5, TradingView, Binance, Yahoo, or any with a time, open, high,"
        " low and close. Nothing is kept before you confirm."
    )
    file = st.file_uploader(
        "Candle file", type=ENDINGS, key=f"import_file_{st.session_state.get(ROUND, 0)}",
        label_visibility="collapsed",
    )  # fmt: skip
    if file is None:
        _forget()
        return
    if st.session_state.get(SENT) != file.file_id:
        try:
            with st.spinner("Looking at the file"):
                found = panel.upload_candles(file.getvalue(), {"name": file.name})
        except PanelError as error:
            show_error(error)
            return
        st.session_state[SENT] = file.file_id
        _show(found)
    preview: PreviewView | None = st.session_state.get(PREVIEW)
    if preview is not None:
        _draw_preview(panel, preview)


def _draw_preview(panel: ControlPanel, preview: PreviewView) -> None:
    report = preview.report
    words, colour = verdict(report)
    st.markdown(f":{colour}-badge[{words}] It looks like: {escape(preview.format)}.")
    for note in preview.notes:
        st.caption(escape(f"{note}."))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Symbol", key=SYMBOL, max_chars=40, width=150, placeholder="BTC-USDT",
            on_change=_rename, args=(panel, preview),
        )  # fmt: skip
        st.selectbox(
            "Candles of", list(SECONDS), key=LENGTH, width=110, index=None, placeholder="length",
            on_change=_look_again, args=(panel, preview),
        )  # fmt: skip
        st.selectbox(
            "Market", list(InstrumentKind), key=KIND, width=130,
            format_func=lambda kind: kind.value, on_change=_look_again, args=(panel, preview),
            help="Stocks and forex have nights and weekends, which are no gaps",
        )  # fmt: skip
    span = report.span
    draw_figures(
        (
            Figure("Rows", f"{report.rows:,}"),
            Figure("From (UTC)", moment(span.first) if span else NONE),
            Figure("To (UTC)", moment(span.last) if span else NONE),
            Figure("Coverage", share(span.coverage) if span else NONE),
        )
    )
    draw_report(report, key="import-report")
    if report.needs_repair and not report.is_refused:
        st.checkbox(
            "Repair it: sort the rows, leave out what is there twice or not finished", key=REPAIR
        )
    is_ready = not report.is_refused and bool(st.session_state.get(SYMBOL, "").strip())
    is_ready &= not report.needs_repair or bool(st.session_state.get(REPAIR))
    st.button(
        f"Import {span.rows:,} candles" if span else "Import", type="primary", key="import_confirm",
        icon=":material/library_add:", on_click=_import, args=(panel, preview),
        disabled=not is_ready,
    )  # fmt: skip


def _asked(preview: PreviewView) -> dict[str, Any]:
    """What the person says the file is."""
    state = st.session_state
    kind = state.get(KIND)
    return {
        "upload_id": preview.upload_id, "name": preview.name,
        "symbol": state.get(SYMBOL, "").strip(), "timeframe": state.get(LENGTH),
        "kind": kind.value if kind else None,
    }  # fmt: skip


def _look_again(panel: ControlPanel, preview: PreviewView) -> None:
    """With what was corrected; a callback."""
    attempt(lambda: _keep(panel.inspect_upload(_asked(preview))))


def _rename(panel: ControlPanel, preview: PreviewView) -> None:
    """Another symbol may be of another market; a callback."""

    def look() -> None:
        found = panel.inspect_upload(_asked(preview) | {"kind": None})
        _keep(found)
        st.session_state[KIND] = found.kind

    attempt(look)


def _import(panel: ControlPanel, preview: PreviewView) -> None:
    """Keep it; a callback."""
    request = ImportRequest(**_asked(preview), repair=bool(st.session_state.get(REPAIR)))

    def keep() -> None:
        done = panel.import_candles(request)
        merged = done.merged
        words = f"{done.rows:,} candles are in {done.entry.id}, {merged.added:,} of them new."
        if merged.conflicts:
            words += f" {merged.conflicts:,} replace others of the same time."
        say_done(words)

    if attempt(keep):
        _forget()
        st.session_state[ROUND] = st.session_state.get(ROUND, 0) + 1  # an empty uploader


def _show(found: PreviewView) -> None:
    """A new file: the widgets show what it was taken for."""
    _keep(found)
    st.session_state[SYMBOL] = found.symbol.replace("/", "-")
    st.session_state[LENGTH] = found.report.timeframe
    st.session_state[KIND] = found.kind
    st.session_state[REPAIR] = False


def _keep(found: PreviewView) -> None:
    st.session_state[PREVIEW] = found


def _forget() -> None:
    for key in (PREVIEW, SENT):
        st.session_state.pop(key, None)
