"""``doctor``: of a running engine, of a thorough look, of one that does not run; the bundle."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.adapters.store.store import SqlStore
from engine.api.auth import ensure_token
from engine.cli import main
from tests.fakes.serve import serving
from tests.fakes.services import FakeServices

OK, FAILED, BAD_INPUT, NOT_RUNNING = 0, 1, 2, 3


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder whose engine does not run."""
    monkeypatch.setenv("QUARTERDECK_DATA", str(tmp_path))
    monkeypatch.setenv("QUARTERDECK_API_PORT", "9")
    monkeypatch.setenv("QUARTERDECK_TIME_SERVER", "")
    return tmp_path


@pytest.fixture
def services(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServices]:
    services = FakeServices(1, 0, 0)
    with serving(services, ensure_token(folder / "api.token")) as api:
        monkeypatch.setenv("QUARTERDECK_API_PORT", str(api.port))
        yield services


def test_checks_come_with_what_to_do(
    services: FakeServices, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor"]) == OK
    out = capsys.readouterr().out
    assert "ok    engine: Heartbeat  0.4 s ago" in out
    assert "WARN  channels: Channels  none: nobody is told <b>\n      -> Add one." in out
    assert out.endswith("3 checks, 0 failed, 1 warnings\n")


def test_a_thorough_look_that_finds_a_failure_is_exit_code_1(
    services: FakeServices, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--deep", "--json"]) == FAILED
    found = json.loads(capsys.readouterr().out)
    assert found["is_deep"] is True
    assert [one["name"] for one in found["checks"] if one["grade"] == "failed"] == ["Main: Clock"]


def test_the_bundle_is_written(
    services: FakeServices, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "report.zip"
    assert main(["doctor", "--bundle", str(file)]) == OK
    with zipfile.ZipFile(io.BytesIO(file.read_bytes())) as archive:
        assert "diagnosis.json" in archive.namelist()
    assert "Read it before" in capsys.readouterr().out
    assert main(["doctor", "--bundle", str(folder / "none" / "report.zip")]) == BAD_INPUT
    assert "cannot be written" in capsys.readouterr().err


def test_without_an_engine_the_folder_is_looked_at(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor"]) == OK
    out = capsys.readouterr().out
    assert "WARN  engine: Engine  it does not run" in out
    assert "none yet: the first start makes it" in out
    assert not (folder / "state.db").exists()
    SqlStore.open(f"sqlite:///{folder / 'state.db'}").close()
    assert main(["doctor", "--deep"]) == OK
    assert "ok    database: Database  SQLite" in capsys.readouterr().out
    (folder / "state.db").write_bytes(b"no database at all, but long enough to be read as one")
    assert main(["doctor"]) == FAILED
    assert "FAIL  database: Database" in capsys.readouterr().out


def test_the_bundle_needs_a_running_engine(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--bundle", str(folder / "report.zip")]) == NOT_RUNNING
    assert not (folder / "report.zip").exists()
    assert "start it with" in capsys.readouterr().err
