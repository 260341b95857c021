"""The Tuning page: the form, a study in every state, the re-tuning of a bot."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from engine.contracts.studies import StudyRequest
from engine.domain.studies import StudyState
from tests.fakes.studies import FILE
from tests.pages.conftest import FakeEngine, open_page, words
from tests.support.client import eventually

SEEN = {"Heatmap": "best value of each pair", "Trials": " trials: ", "Luck": "drawn anew"}
"""What each tab shows."""


def request(**changes: Any) -> StudyRequest:
    """A few trials on the fake engine's file."""
    return StudyRequest.model_validate(
        {
            "name": "averages", "trials": 12, "min_trades": 2, "paths": 100,
            "backtest": {"strategy": "ma_cross", "timeframe": "1h",
                         "source": {"kind": "files", "files": [FILE]}},
            "ranges": {"fast": {"low": 3, "high": 12}, "slow": {"low": 14, "high": 40}},
        } | changes
    )  # fmt: skip


def finished(engine: FakeEngine, **changes: Any) -> str:
    """A study that has ended; its id."""
    service = engine.services.fake_studies.room.service
    study = service.create(request(**changes), "test")
    eventually(lambda: service.get(study.id), lambda one: not one.is_active)
    return study.id


def open_study(study_id: str) -> AppTest:
    app = open_page("tuning", {"study": study_id})
    assert not app.exception
    return app


def test_the_form_previews_marks_what_is_wrong_and_starts(fake_engine: FakeEngine) -> None:
    app = open_page("tuning")
    assert not app.exception
    assert "Judged by" in words(app)
    app.number_input(key="tuning_low_ma_cross_fast").set_value(0).run()
    assert "fast goes from 1 to" in words(app).replace("\\", "")
    app.number_input(key="tuning_low_ma_cross_fast").set_value(3).run()
    app.number_input(key="tuning_trials").set_value(8).run()
    fake_engine.services.fake_studies.room.compute.gate.clear()
    app.button(key="study_start").click().run()
    assert not app.exception
    assert app.button(key="study_cancel").label == "Cancel"
    service = fake_engine.services.fake_studies.room.service
    [study] = service.list(limit=9)[0]
    assert study.request.trials == 8
    assert set(study.request.ranges) == {"fast", "slow"}
    app.button(key="study_cancel").click().run()
    assert service.get(study.id).state is StudyState.CANCELLED
    assert "can be resumed" in words(app)
    fake_engine.services.fake_studies.room.compute.gate.set()


def test_a_finished_study_shows_both_sides_and_makes_a_bot(fake_engine: FakeEngine) -> None:
    app = open_study(finished(fake_engine))
    compared = app.dataframe[0].value
    assert list(compared.columns) == ["Figure", "In sample", "Out of sample"]
    assert "PBO" in words(app)
    app.button(key="study_bot").click().run()
    name = app.text_input(key="study_bot_name").value
    app.button(key="study_bot_create").click().run()
    [made] = [bot for bot in fake_engine.services.bots.values() if bot.config.name == name]
    assert made.config.strategy == "ma_cross"
    assert {"fast", "slow"} <= set(made.config.params)


@pytest.mark.parametrize("tab", SEEN)
def test_every_tab_of_a_walk_forward_is_drawn(fake_engine: FakeEngine, tab: str) -> None:
    walk = {"folds": 3, "mode": "anchored"}
    study_id = finished(fake_engine, walk_forward=walk, method="grid", ranges={
        "fast": {"low": 3, "high": 9, "step": 3}, "slow": {"low": 12, "high": 30, "step": 9},
    })  # fmt: skip
    app = open_study(study_id)
    assert app.dataframe[1].value["Fold"].tolist() == [1, 2, 3]
    app.session_state["study_tab"] = tab
    app.run()
    assert not app.exception
    assert SEEN[tab] in words(app)


def test_a_refused_and_an_interrupted_study_say_why(fake_engine: FakeEngine) -> None:
    study_id = finished(fake_engine, ranges={"fast": {"low": 50, "high": 60},
                                             "slow": {"low": 14, "high": 40}})  # fmt: skip
    app = open_study(study_id)
    assert "refuses" in "".join(error.value for error in app.error)
    assert app.button(key="study_resume").label == "Resume"
    room = fake_engine.services.fake_studies.room
    with room.books.writing() as writing:
        study = writing.tx.studies.get(study_id)
        changes = {"state": StudyState.INTERRUPTED, "error": "The engine ended while it ran."}
        writing.tx.studies.save(study.model_copy(update=changes))
    app = open_study(study_id)
    assert "The engine ended" in "".join(error.value for error in app.error)


@pytest.mark.parametrize(("outside", "is_told"), [(-0.25, True), (0.25, False)])
def test_a_winner_that_loses_out_of_sample_is_called_no_good_one(
    fake_engine: FakeEngine, outside: float, is_told: bool
) -> None:
    study_id = finished(fake_engine)
    with fake_engine.services.fake_studies.room.books.writing() as writing:
        study = writing.tx.studies.get(study_id)
        figures = {**study.summary.outside, "total_return": outside}
        summary = study.summary.model_copy(update={"outside": figures})
        writing.tx.studies.save(study.model_copy(update={"summary": summary}))
    told = "".join(error.value for error in open_study(study_id).error)
    assert ("it lost 25.00 %" in told) is is_told


def test_the_list_opens_a_study_and_a_missing_one_is_said_to_be_gone(
    fake_engine: FakeEngine,
) -> None:
    app = open_page("tuning", {"view": "Studies"})
    assert "No study yet" in words(app)
    finished(fake_engine)
    app = open_page("tuning", {"view": "Studies"})
    assert not app.exception
    assert app.dataframe[-1].value["Name"].tolist() == ["averages"]
    app = open_page("tuning", {"study": "nowhere"})
    assert any("no such study" in error.value for error in app.error)


def test_a_bot_is_tuned_again_only_when_a_person_wants_it(fake_engine: FakeEngine) -> None:
    app = open_page("tuning", {"view": "Re-tune a bot"})
    assert not app.exception
    assert "keeps its parameters" in words(app)
    app.toggle(key="retune_b0001_is_on").set_value(True)
    app.number_input(key="retune_b0001_hour").set_value(5)
    app.button[-1].click().run()
    found = fake_engine.services.studies.retune("b0001")
    assert found.settings.is_on
    assert found.next_at is not None
    assert found.next_at.hour == 5
