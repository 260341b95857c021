"""Secrets planted in every credential field there is are in nothing that comes out of the engine:
no answer, no log, no row of the database, no export, no archive, whatever their form."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.adapters.brokers.venues import find_adapters
from engine.domain.channel_forms import FORMS
from tests.support.canaries import Flock, files_below
from tests.support.canary_pages import shown_pages
from tests.support.canary_run import (
    CONTROL,
    CanaryRun,
    dump_of,
    planted_settings,
    prepare,
    secret_settings,
    speaking_to,
    venue_options,
)
from tests.support.processes import copy_of_quarterdeck

LOGIN_PAGE = "/api/v1/venue-accounts/"
TOLD = {LOGIN_PAGE: "zerodha: api_key"}
"""Kite's address of a login names the app's key, as Kite wants it; it is for an admin alone."""

HELD = {"api.token": "token file"}
"""The one file that holds a secret on purpose; its mode is 0600."""

NOTHING_TO_SHOW = (
    "/api/v1/ai/advice/{advice_id}", "/api/v1/backtests/compare", "/api/v1/backtests/{key}",
    "/api/v1/backtests/{key}/chart", "/api/v1/backtests/{key}/report.html",
    "/api/v1/backtests/{key}/trades", "/api/v1/backtests/{key}/trades.csv",
    "/api/v1/candles/{id}", "/api/v1/candles/{id}.csv", "/api/v1/rules/{rules_id}",
    "/api/v1/studies/{key}", "/api/v1/studies/{key}/trials",
)  # fmt: skip
"""Routes that read one of what this engine has none of: no credential is near them. They are asked
as all others, and say so."""


@pytest.fixture(scope="module")
def closed_port() -> Iterator[int]:
    """A port where every connection is refused, for nobody listens and nobody can."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture(scope="module")
def run(closed_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CanaryRun]:
    folder, flock = tmp_path_factory.mktemp("canaries"), Flock(closed_port)
    prepare(folder, closed_port)
    variables = {**planted_settings(flock), "QUARTERDECK_LOG_LEVEL": "DEBUG"}
    with copy_of_quarterdeck(folder, **variables) as copy:
        copy.start_engine()
        with speaking_to(copy, flock) as made:
            made.plant_everything()
            yield made


def test_every_credential_field_has_a_canary(run: CanaryRun) -> None:
    places = {one.place for one in run.flock.canaries}
    assert {f"setting {name}" for name in secret_settings()} <= places
    assert len(secret_settings()) >= 10
    venues = find_adapters()
    assert set(venue_options(0)) == {one.id for one in venues.values() if one.secrets}
    for adapter in venues.values():
        for field in adapter.secrets:
            assert field.is_kept_by_login or f"{adapter.id}: {field.name}" in places
    for kind, form in FORMS.items():
        for channel_field in form.fields:
            assert not channel_field.is_secret or f"{kind}: {channel_field.name}" in places


def test_no_canary_comes_out(run: CanaryRun, monkeypatch: pytest.MonkeyPatch) -> None:
    data = run.copy.place.data
    monkeypatch.setenv("QUARTERDECK_DATA", str(data))
    monkeypatch.setenv("QUARTERDECK_API_PORT", str(run.copy.place.api_port))
    assert sorted(run.ask_everything()) == sorted(NOTHING_TO_SHOW)
    run.run_commands()
    pages = shown_pages(run.ids["bot"])
    while_it_runs = dict(files_below(data))
    assert run.copy.stop_engine() == 0
    sources = {
        "answers and commands": run.heard.said,
        "pages": pages,
        "files of the running engine": while_it_runs,
        "files it left": dict(files_below(data)),
        "dump of its database": {"state.sql": dump_of(data / "state.db")},
    }
    control = Flock(0)
    control.watch("control", CONTROL)
    leaks, told = [], set()
    for source, texts in sources.items():
        assert any(control.found_in(text) for text in texts.values()), f"no control in {source}"
        for name, text in texts.items():
            allowed = [place for part, place in (TOLD | HELD).items() if part in name]
            told |= {one.partition(" (")[0] for one in run.flock.found_in(text)} & set(allowed)
            leaks += [f"{source}, {name}: {one}" for one in run.flock.found_in(text, allowed)]
    assert leaks == []
    assert told == {*TOLD.values(), *HELD.values()}  # an exception that is none is to go
    for log in ("engine.log", "access.jsonl", "engine.out"):
        assert any(name.endswith(log) for name in sources["files it left"]), log
    assert (data / "api.token").stat().st_mode & 0o077 == 0


def test_a_database_that_is_not_there_is_named_without_its_password(
    closed_port: int, tmp_path: Path
) -> None:
    flock = Flock(closed_port)
    password = flock.plant("password of the database")
    url = f"postgresql+psycopg://quarterdeck:{password}@127.0.0.1:{closed_port}/books"
    with (
        copy_of_quarterdeck(tmp_path, QUARTERDECK_DATABASE_URL=url) as copy,
        pytest.raises(RuntimeError) as caught,
    ):
        copy.start_engine()
    assert "127.0.0.1" in str(caught.value)
    texts = {**dict(files_below(tmp_path)), "what it said": str(caught.value).encode()}
    assert [name for name, text in texts.items() if flock.found_in(text)] == []
