"""Events as a log: filters, live lines, and downloads of exactly what is filtered."""

import csv
import functools
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from html import escape

import streamlit as st

from engine.contracts import BotView, Event, EventFilter, Level
from panel.facade import ControlPanel, PanelError
from panel.format import moment, now
from panel.layout import show_error
from panel.live import REFRESH_S, latest, show_staleness

SHOWN = 300
MOST = 5000
"""The most events that the engine gives at once."""

LEVEL_COLOURS = {
    Level.DEBUG: "gray", Level.INFO: "gray", Level.WARNING: "orange", Level.ERROR: "red",
}  # fmt: skip
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A spreadsheet would run a cell that begins so."""

Names = Mapping[str, str]
"""Bots' names by id."""

Writer = Callable[[Sequence[Event], Names], str]


def choose_events(bots: Sequence[BotView]) -> EventFilter:
    """Draw the filters, kept in the address, and answer what they ask for."""
    ids = {bot.config.name: bot.id for bot in bots}
    level = st.selectbox(
        "Level", [level.value for level in Level], index=1, key="level", width=130,
        help="This level and those above it", bind="query-params",
    )  # fmt: skip
    bot = st.selectbox(
        "Bot", sorted(ids), index=None, key="bot", placeholder="All", width=180,
        bind="query-params",
    )  # fmt: skip
    search = st.text_input(
        "Text", key="search", placeholder="part of the message", max_chars=200, type="search",
        width=220, bind="query-params",
    )  # fmt: skip
    return EventFilter(
        level=Level(level), bot_id=ids[bot] if bot else None, search=search or "", limit=SHOWN
    )


def draw_downloads(panel: ControlPanel, chosen: EventFilter, names: Names) -> None:
    """One button a format; each asks for everything that matches when it is clicked."""
    everything = chosen.model_copy(update={"limit": MOST})
    stamp = f"{now():%Y%m%dT%H%M%SZ}"
    for title, ending, mime, write in FORMATS:
        st.download_button(
            title,
            functools.partial(_download, write, panel, everything, names),
            file_name=f"quarterdeck-events-{stamp}.{ending}",
            mime=mime,
            icon=":material/download:",
            on_click="ignore",
            key=f"download_{ending}",
            help=f"What is filtered, at most the newest {MOST:,} events",
        )


def _download(write: Writer, panel: ControlPanel, chosen: EventFilter, names: Names) -> str:
    return write(panel.events(chosen), names)


def draw_events(
    panel: ControlPanel, chosen: EventFilter, names: Names, *, is_live: bool = True
) -> None:
    """The newest events that match, followed as they come."""
    draw = st.fragment(_events, run_every=REFRESH_S if is_live else None)
    draw(panel, chosen, names)


def _events(panel: ControlPanel, chosen: EventFilter, names: Names) -> None:
    try:
        snapshot = latest(f"events:{chosen.model_dump_json()}", lambda: panel.events(chosen))
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    events = snapshot.value
    if not events:
        st.info("No event matches.")
        return
    st.html(events_html(events, names))
    if len(events) == chosen.limit:
        st.caption(f"The newest {chosen.limit}; the downloads hold more.")


def events_html(events: Sequence[Event], names: Names) -> str:
    """Events as lines, newest first. All text is escaped."""
    return f'<div class="qd-log">{"".join(_line(event, names) for event in events)}</div>'


def _line(event: Event, names: Names) -> str:
    return (
        f"<div><time>{moment(event.time)}</time>"
        f'<span class="qd-level qd-{LEVEL_COLOURS[event.level]}">{event.level.value}</span>'
        f'<span class="qd-quiet">{escape(_name(event, names))}</span>'
        f'<span class="qd-quiet">{escape(event.kind)}</span>'
        f"<span>{escape(event.message)}</span></div>"
    )


def _name(event: Event, names: Names) -> str:
    return names.get(event.bot_id, event.bot_id) if event.bot_id else "engine"


def clock_hint(offset_min: int | None) -> str:
    """What the person's own clock shows beside UTC. ``offset_min`` is JavaScript's: UTC - local."""
    if not offset_min:
        return "Times are UTC."
    local = now() - timedelta(minutes=offset_min)
    return f"Times are UTC: {now():%H:%M} is {local:%H:%M} on your clock."


def as_text(events: Sequence[Event], names: Names) -> str:
    """One line an event: time, level, bot, kind, message."""
    lines = (
        f"{iso(event.time)} {event.level.value.upper():7} {_name(event, names)} {event.kind} "
        f"{' '.join(event.message.split())}"
        for event in events
    )
    return "".join(f"{line}\n" for line in lines)


def as_csv(events: Sequence[Event], names: Names) -> str:
    """What ``csv_text`` makes of events."""
    columns = ("time", "level", "bot", "bot_id", "kind", "message", "data")
    return csv_text(columns, (_cells(event, names) for event in events))


def _cells(event: Event, names: Names) -> Sequence[str]:
    return (
        iso(event.time), event.level.value, _name(event, names), event.bot_id or "", event.kind,
        event.message, json.dumps(event.data, default=str) if event.data else "",
    )  # fmt: skip


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """RFC 4180 with a header row; text that looks like a formula gets a quote mark in front."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell for cell in row)
    return buffer.getvalue()


def as_json(events: Sequence[Event], names: Names) -> str:
    """A list of objects, as the engine gives them, with the bot's name."""
    rows = [event.model_dump(mode="json") | {"bot": _name(event, names)} for event in events]
    return json.dumps(rows, indent=1, ensure_ascii=False)


def iso(at: datetime) -> str:
    """A time in UTC to the millisecond, for a file."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


FORMATS: tuple[tuple[str, str, str, Writer], ...] = (
    ("Text", "log", "text/plain", as_text),
    ("CSV", "csv", "text/csv", as_csv),
    ("JSON", "json", "application/json", as_json),
)
"""Title, file ending, MIME type, writer."""
