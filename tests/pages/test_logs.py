"""The Logs page: filters, lines, and downloads of exactly what is filtered."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from streamlit.testing.v1 import AppTest

from engine.contracts import Event, Level
from engine.errors import StoreError
from panel.logs_view import as_csv, as_json, as_text, clock_hint
from tests.pages.conftest import FakeEngine, open_page, words

AT = datetime(2026, 5, 1, 12, 30, 15, 250_000, tzinfo=UTC)
NASTY = Event(
    id="e1", time=AT, level=Level.ERROR, kind="strategy.error", bot_id="b1",
    message='=HYPERLINK("http://x")\n<script>alert(1)</script>', data={"line": 12},
)  # fmt: skip
NAMES = {"b1": "demo"}


def open_logs(query: dict[str, str] | None = None) -> AppTest:
    app = open_page("logs", query)
    assert not app.exception
    return app


def lines(app: AppTest) -> list[str]:
    return [line for line in words(app).split("<div>") if line.startswith("<time>")]


def test_lines_are_those_of_the_engine(fake_engine: FakeEngine) -> None:
    events = [one for one in fake_engine.services.events_seen if one.level is not Level.DEBUG]
    shown = lines(open_logs())
    assert len(shown) == len(events)
    assert events[0].message in shown[0]


def test_filters_come_from_the_address(fake_engine: FakeEngine) -> None:
    shown = lines(open_logs({"level": "error", "bot": "btc-rsi"}))
    expected = [
        one
        for one in fake_engine.services.events_seen
        if one.level is Level.ERROR and one.bot_id == "b0001"
    ]
    assert expected
    assert len(shown) == len(expected)


def test_text_is_searched(fake_engine: FakeEngine) -> None:
    app = open_logs()
    app.text_input(key="search").input("candle came").run()
    shown = lines(app)
    assert shown
    assert all("candle came" in line for line in shown)


def test_nothing_found_is_said(fake_engine: FakeEngine) -> None:
    assert "No event matches." in words(open_logs({"search": "no such words"}))


def test_failure_is_drawn_as_failure(
    fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreError("the database is locked")

    monkeypatch.setattr(fake_engine.services, "events", fail)
    app = open_logs()
    assert any("database is locked" in error.value for error in app.error)
    assert "No event matches" not in words(app)


def test_messages_cannot_bring_markup(fake_engine: FakeEngine) -> None:
    fake_engine.services.events_seen.insert(0, NASTY.model_copy(update={"bot_id": None}))
    shown = lines(open_logs())[0]
    assert "&lt;script&gt;" in shown
    assert "<script>" not in shown


def test_text_download_has_one_line_an_event() -> None:
    assert as_text([NASTY], NAMES) == (
        "2026-05-01T12:30:15.250Z ERROR   demo strategy.error "
        '=HYPERLINK("http://x") <script>alert(1)</script>\n'
    )


def test_csv_download_is_safe_against_formulas_and_complete() -> None:
    (row,) = csv.DictReader(io.StringIO(as_csv([NASTY], NAMES), newline=""))
    assert row["message"] == f"'{NASTY.message}"
    assert (row["bot"], row["bot_id"], row["time"]) == ("demo", "b1", "2026-05-01T12:30:15.250Z")
    assert json.loads(row["data"]) == {"line": 12}


def test_json_download_keeps_everything() -> None:
    (row,) = json.loads(as_json([NASTY], NAMES))
    assert row["message"] == NASTY.message
    assert row["bot"] == "demo"
    assert Event.model_validate(row) == NASTY


def test_hint_names_the_persons_clock_only_when_it_differs() -> None:
    assert clock_hint(0) == "Times are UTC."
    assert "on your clock" in clock_hint(-120)
