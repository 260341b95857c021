"""Backups on the Settings page: the list, the schedule, the last failure, one now."""

from datetime import timedelta

from streamlit.testing.v1 import AppTest

from panel.backups_view import size_words
from tests.pages.conftest import FakeEngine, open_page, words


def open_settings() -> AppTest:
    app = open_page("settings")
    assert not app.exception
    return app


def test_without_one_it_is_said_when_the_first_comes(fake_engine: FakeEngine) -> None:
    text = words(open_settings())
    assert "No backup yet. The first is made soon" in text
    assert "Next by itself" in text


def test_one_is_made_now_and_listed(fake_engine: FakeEngine) -> None:
    app = open_settings()
    app.checkbox(key="backup_candles").check()
    app.button(key="backup_now").click().run()
    assert not app.exception
    [made] = fake_engine.services.fake_backups.shelf.backups
    assert made.manifest is not None
    assert made.manifest.has_candles
    text = words(app)
    assert "4.0 MiB · verified when it was made · 42 rows" in text
    assert "with candles" in text
    assert "it is in the list once it is verified" in " ".join(one.value for one in app.toast)


def test_while_one_is_made_it_is_said_and_a_second_is_refused(fake_engine: FakeEngine) -> None:
    fake_engine.services.fake_backups.is_slow = True
    app = open_settings()
    app.button(key="backup_now").click().run()
    assert any("being made and verified" in one.value for one in app.info)
    app.button(key="backup_now").click().run()
    assert "being made already" in " ".join(one.value for one in app.toast)
    [wait] = fake_engine.services.fake_backups.waiting
    wait()


def test_the_last_failure_and_a_damaged_one_are_errors(fake_engine: FakeEngine) -> None:
    fake = fake_engine.services.fake_backups
    fake.runner.begin("test", with_candles=False)
    fake.shelf.backups[0] = fake.shelf.backups[0].model_copy(
        update={"manifest": None, "problem": "It is damaged: cut short."}
    )
    fake.shelf.trouble = "The disk of /backups is full: make room."
    fake.runner.begin("test", with_candles=False)
    errors = [one.value.replace("\\", "") for one in open_settings().error]
    assert any("The last try failed" in one and "is full: make room" in one for one in errors)
    assert any("It is damaged: cut short." in one for one in errors)


def test_older_ones_are_folded_away(fake_engine: FakeEngine) -> None:
    shelf = fake_engine.services.fake_backups.shelf
    made = shelf.make(with_candles=False)
    shelf.backups = [
        made.model_copy(
            update={"name": f"{number}", "created_at": made.created_at - timedelta(days=number)}
        )
        for number in range(8)
    ]
    app = open_settings()
    assert [one.label for one in app.expander if one.label.startswith("Older")] == ["Older: 3"]


def test_sizes_in_words() -> None:
    assert [size_words(one) for one in (0, 1023, 1024, 4_200_000, 3 * 1024**4)] == [
        "0 bytes", "1,023 bytes", "1.0 KiB", "4.0 MiB", "3.0 TiB",
    ]  # fmt: skip
