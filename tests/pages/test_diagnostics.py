"""The Diagnostics page: well, warned, failed, a thorough look, an engine that refuses."""

from engine.domain.diagnostics import Area, check_of
from engine.domain.venue_accounts import Grade
from tests.pages.conftest import EngineStarter, FakeEngine, open_page, words


def test_checks_are_shown_with_what_to_do_and_strange_text_is_escaped(
    fake_engine: FakeEngine,
) -> None:
    app = open_page("diagnostics")
    assert not app.exception
    shown = words(app)
    assert "Nothing has failed: 1 warnings, 2 well." in shown
    assert "none: nobody is told &lt;b&gt;" in shown
    assert "Add one." in shown
    assert [one.value for one in app.subheader] == ["Engine", "Database", "Alert channels"]
    assert "quarterdeck" in shown


def test_a_thorough_look_finds_more_and_stays_until_the_next(fake_engine: FakeEngine) -> None:
    app = open_page("diagnostics")
    app.button[_index(app, "Thorough look")].click().run()
    assert "Something has failed: 1 failed" in words(app)
    assert "7.00 s ahead of it" in words(app)
    app.run()
    assert "7.00 s ahead of it" in words(app)
    app.button[_index(app, "Look again")].click().run()
    assert "7.00 s ahead of it" not in words(app)


def test_all_well(start_engine: EngineStarter) -> None:
    engine = start_engine()
    engine.services.fake_diagnostics.checks = [check_of(Area.ENGINE, "Heartbeat", Grade.OK, "now")]
    assert "All is well: 1 well." in words(open_page("diagnostics"))


def test_a_look_that_fails_is_an_error_and_never_an_empty_list(start_engine: EngineStarter) -> None:
    engine = start_engine()
    engine.services.fake_diagnostics.is_down = True
    app = open_page("diagnostics")
    assert not app.exception
    assert "The database is locked" in app.error[0].value
    assert not app.subheader
    engine.services.fake_diagnostics.is_down = False
    app.button[_index(app, "Look again")].click().run()
    assert [one.value for one in app.subheader] == ["Engine", "Database", "Alert channels"]


def _index(app: object, label: str) -> int:
    buttons = app.button  # type: ignore[attr-defined]
    return next(place for place, one in enumerate(buttons) if one.label == label)
