"""Studies in the engine's queue: every end once, whatever happens; resumed, refused, kept."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.domain.search_space import Range
from engine.domain.studies import Study, StudyRequest, StudyState
from engine.errors import ConfigError, Conflict, NotFound, StoreError
from engine.services.studies import as_run
from tests.fakes.studies import FILE, StudyRoom
from tests.support.client import eventually


@pytest.fixture
def room(tmp_path: Path) -> Iterator[StudyRoom]:
    """The real services, in memory."""
    room = StudyRoom(tmp_path)
    yield room
    room.close()


def request(**changes: Any) -> StudyRequest:
    """A few trials on the file."""
    return StudyRequest.model_validate(
        {
            "trials": 20, "min_trades": 2, "paths": 100,
            "backtest": {"strategy": "ma_cross", "timeframe": "1h",
                         "source": {"kind": "files", "files": [FILE]}},
            "ranges": {"fast": {"low": 3, "high": 12}, "slow": {"low": 14, "high": 40}},
        } | changes
    )  # fmt: skip


def ended(room: StudyRoom, study: Study) -> Study:
    """The study once it has ended."""
    return eventually(
        lambda: room.service.get(study.id), lambda one: not one.is_active, every_s=0.02
    )


def stored(room: StudyRoom, study: Study) -> Study:
    """What the database says."""
    with room.books.store.reading() as tx:
        return tx.studies.get(study.id)


def standing(room: StudyRoom) -> Study:
    """A study that runs and stands still."""
    room.compute.gate.clear()
    study = room.service.create(request(), "test")
    eventually(lambda: room.compute.runs, bool, every_s=0.01)
    return study


def test_a_study_runs_and_is_written_with_its_event_and_audit(room: StudyRoom) -> None:
    study = ended(room, room.service.create(request(), "ann"))
    assert study.state is StudyState.DONE
    assert study.name == "ma_cross BTC/USDT 1h by sharpe"
    assert stored(room, study) == study
    assert study.source_sha256
    assert room.service.trials(study.id)[0].fold == 1
    with room.books.store.reading() as tx:
        assert [one.kind for one in tx.events.select()] == ["study.done"]
        assert [(one.actor, one.action) for one in tx.audit.select()] == [("ann", "study.create")]
    assert room.ended == [study]


def test_studies_wait_for_one_another_and_can_be_cancelled_while_they_do(room: StudyRoom) -> None:
    first, second = standing(room), room.service.create(request(seed=2), "test")
    assert room.service.get(second.id).state is StudyState.QUEUED
    assert room.service.trials(second.id) == []
    assert room.service.cancel(second.id, "test").state is StudyState.CANCELLED
    with pytest.raises(Conflict, match="ended already"):
        room.service.cancel(second.id, "test")
    room.compute.gate.set()
    assert ended(room, first).state is StudyState.DONE
    assert stored(room, second).state is StudyState.CANCELLED


def test_a_killed_engine_leaves_it_interrupted_and_what_waited_goes_on(room: StudyRoom) -> None:
    running, waiting = standing(room), room.service.create(request(seed=2), "test")
    room.start()
    room.runner.load()
    interrupted = room.service.get(running.id)
    assert interrupted.state is StudyState.INTERRUPTED
    assert "goes on where it was" in interrupted.error
    assert ended(room, waiting).state is StudyState.DONE
    again = room.service.resume(running.id, "test")
    assert again.error == ""
    assert ended(room, running).state is StudyState.DONE
    with pytest.raises(Conflict, match="cannot be resumed"):
        room.service.resume(running.id, "test")


def test_a_graceful_stop_interrupts_what_runs(room: StudyRoom) -> None:
    study = standing(room)
    room.runner.close()
    assert stored(room, study).state is StudyState.INTERRUPTED


def test_a_study_is_not_resumed_over_other_candles(room: StudyRoom) -> None:
    study = standing(room)
    room.service.cancel(study.id, "test")
    files = room.backtests.files
    content = files.contents[FILE]
    files.contents[FILE] = type(content)(
        content.instrument, content.candles[slice(1, None)], content.market_id
    )
    room.compute.gate.set()
    room.service.resume(study.id, "test")
    failed = ended(room, study)
    assert failed.state is StudyState.FAILED
    assert "Start a new study" in failed.error


def test_an_end_that_the_database_refuses_is_kept_and_written_later(
    room: StudyRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = standing(room)
    with monkeypatch.context() as patched:
        patched.setattr(room.books, "writing", _refusing)
        room.compute.gate.set()
        assert ended(room, study).state is StudyState.DONE
        assert stored(room, study).state is StudyState.RUNNING
    assert room.service.list(limit=5)[0][0].state is StudyState.DONE
    assert stored(room, study).state is StudyState.DONE


def _refusing() -> Any:
    raise StoreError("The disk is full.")


def test_a_study_goes_with_its_trials(room: StudyRoom, tmp_path: Path) -> None:
    study = standing(room)
    with pytest.raises(Conflict, match="Cancel the study"):
        room.service.delete(study.id, "test")
    room.compute.gate.set()
    ended(room, study)
    assert (tmp_path / f"{study.id}.journal").exists()
    room.service.delete(study.id, "test")
    assert not (tmp_path / f"{study.id}.journal").exists()
    with pytest.raises(NotFound):
        room.service.get(study.id)


def test_what_cannot_be_is_refused_before_it_is_written(room: StudyRoom) -> None:
    for wrong, field in (
        ({"ranges": {"nothing": {}}}, "ranges.nothing"),
        ({"holdout": 0.8, "ranges": {"slow": {"low": 14}},
          "backtest": request().backtest.model_copy(update={"timeframe": "1d"})}, "holdout"),
    ):  # fmt: skip
        with pytest.raises(ConfigError) as caught:
            room.service.create(request(**wrong), "test")
        assert caught.value.field == field
    assert room.service.list(limit=5) == ([], 0)


def test_a_winner_becomes_a_bots_settings(room: StudyRoom) -> None:
    ranges = {"slow": Range(low=14, high=40), "exits.stop_loss": Range(low=0.01, high=0.02)}
    study = ended(room, room.service.create(request(ranges=ranges), "test"))
    run = as_run(study)
    assert run.request.params["slow"] == study.summary.best["slow"]
    assert run.request.terms.exits.stop_loss is not None
    assert float(run.request.terms.exits.stop_loss) == study.summary.exits["stop_loss"]


def test_progress_is_seen_while_it_runs(room: StudyRoom) -> None:
    study = standing(room)
    seen = room.service.get(study.id)
    assert seen.progress.stage == "inspecting"
    assert seen.started_at is not None
    room.compute.gate.set()
    time.sleep(0)
    done = ended(room, study)
    assert done.progress.stage == "done"
    assert done.progress.share == 1.0
