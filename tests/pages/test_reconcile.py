"""The Reconcile page: both sides, every state of an account, and what a person decides."""

from datetime import timedelta

import pytest
from streamlit.testing.v1 import AppTest

from engine.contracts import AccountHealth, AccountReport, FindingKind, FindingState, Resolution
from engine.errors import StoreError
from panel.finding_words import EFFECTS
from tests.fakes.accounts import ACCOUNT, KRAKEN, asset_row, finding
from tests.fakes.services import FakeServices
from tests.pages.conftest import EngineStarter, FakeEngine, open_page, words

BOT = "b0001"
GREEN = "qd-state qd-green"


def open_reconcile() -> AppTest:
    app = open_page("reconcile")
    assert not app.exception
    return app


def add_finding(services: FakeServices, kind: FindingKind, *, is_blocking: bool = True) -> str:
    found = finding(services.now(), kind=kind, is_blocking=is_blocking)
    services.findings_seen[found.id] = found
    services.check_account(ACCOUNT, "test")
    return found.id


def choose(app: AppTest, finding_id: str, way: Resolution) -> AppTest:
    app.button(key=f"decide-{finding_id}").click().run()
    app.radio(key="finding_way").set_value(way).run()
    return app


def test_a_clean_account_shows_both_sides_to_the_last_digit(fake_engine: FakeEngine) -> None:
    app = open_reconcile()
    shown = words(app)
    assert "books and venue agree" in shown
    assert "2 assets, all equal to the last digit" in shown
    table = app.dataframe[-1].value
    assert list(table["Asset"]) == ["BTC", "USDT"]
    assert list(table["Difference"]) == [0.0, 0.0]
    assert list(table["In entries"]) == [0.0, 4000.0]


def test_a_venue_that_does_not_answer_is_never_drawn_as_clean(start_engine: EngineStarter) -> None:
    engine = start_engine()
    del engine.services.reports[ACCOUNT]
    shown = words(open_reconcile())
    assert "venue does not answer" in shown
    assert "1 of 1 asset not compared" in shown
    assert "agree" not in shown.replace("books and venue", "")
    assert GREEN not in shown


@pytest.mark.parametrize(
    ("health", "minutes", "badge"),
    [
        (AccountHealth.CLEAN, None, "never checked"),
        (AccountHealth.CLEAN, 60, "not checked for long"),
        (AccountHealth.UNCHECKED, None, "never checked"),
        (AccountHealth.DENIED, 1, "key refused"),
        (AccountHealth.MISMATCH, 1, "does not agree"),
    ],
)
def test_only_a_fresh_clean_check_is_green(
    start_engine: EngineStarter, health: AccountHealth, minutes: int | None, badge: str
) -> None:
    services = start_engine().services
    checked = None if minutes is None else services.now() - timedelta(minutes=minutes)
    report = AccountReport(account_id=ACCOUNT, mode="test", health=health, checked_at=checked)
    services.reports = {ACCOUNT: report}
    shown = words(open_reconcile())
    assert badge in shown
    assert "TEST" in shown
    assert GREEN not in shown


def test_an_account_is_called_as_a_person_calls_it(start_engine: EngineStarter) -> None:
    services = start_engine().services
    report = AccountReport(
        account_id="test:4b313e95", account_name="Spot & more", mode="test",
        health=AccountHealth.CLEAN, checked_at=services.now(),
    )  # fmt: skip
    services.reports = {report.account_id: report}
    shown = words(open_reconcile())
    assert "<b>Spot &amp; more</b>" in shown
    assert "no bot · test:4b313e95" in shown


def test_without_accounts_the_way_to_the_first_is_shown(start_engine: EngineStarter) -> None:
    start_engine(bot_count=0).services.reports.clear()
    assert "No account is in use yet" in words(open_reconcile())


def test_a_failure_is_drawn_as_a_failure(
    fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreError("the database is locked")

    monkeypatch.setattr(fake_engine.services, "account_reports", fail)
    app = open_reconcile()
    assert any("database is locked" in error.value for error in app.error)
    assert "agree" not in words(app).partition("must explain")[2]


def test_a_difference_halts_is_shown_first_and_is_adopted(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    services.reports[ACCOUNT] = services.reports[ACCOUNT].model_copy(
        update={"assets": (asset_row("AAA", "1", "1"), asset_row("BTC", "0.1", "0.15"))}
    )
    finding_id = add_finding(services, FindingKind.BALANCE)
    app = open_reconcile()
    shown = words(app)
    assert "1 of 2 assets differs" in shown
    assert any("No entries on this account" in error.value for error in app.error)
    assert list(app.dataframe[0].value["Asset"]) == ["BTC", "AAA"]

    app = choose(app, finding_id, Resolution.ADOPT)
    assert app.button(key="finding_confirm").label == "Adopt it"
    app.button(key="finding_confirm").click().run()
    found = services.findings_seen[finding_id]
    assert (found.state, found.resolved_by) == (FindingState.ADOPTED, "panel")
    assert not app.exception
    assert "books and venue agree" in words(app)
    assert "adopted" in app.dataframe[-1].value["Outcome"].tolist()


def test_nothing_is_decided_before_a_choice(fake_engine: FakeEngine) -> None:
    finding_id = add_finding(fake_engine.services, FindingKind.FOREIGN_ORDER)
    app = open_reconcile()
    app.button(key=f"decide-{finding_id}").click().run()
    assert app.button(key="finding_confirm").disabled
    assert fake_engine.services.findings_seen[finding_id].state is FindingState.OPEN


def test_a_trade_of_nobodys_is_adopted_by_a_bot_of_its_symbol(fake_engine: FakeEngine) -> None:
    finding_id = add_finding(fake_engine.services, FindingKind.FOREIGN_TRADE)
    app = choose(open_reconcile(), finding_id, Resolution.ADOPT)
    bot = app.selectbox(key="finding_bot")
    assert bot.options == ["btc-rsi (BTC/USDT)"]
    app.button(key="finding_confirm").click().run()
    found = fake_engine.services.findings_seen[finding_id]
    assert (found.state, found.bot_id) == (FindingState.ADOPTED, BOT)


def test_without_a_bot_of_the_symbol_nobody_can_adopt(start_engine: EngineStarter) -> None:
    services = start_engine(bot_count=0).services
    finding_id = add_finding(services, FindingKind.FOREIGN_TRADE)
    app = choose(open_reconcile(), finding_id, Resolution.ADOPT)
    assert app.button(key="finding_confirm").disabled


def test_a_finding_decided_meanwhile_is_said_to_be_gone(fake_engine: FakeEngine) -> None:
    finding_id = add_finding(fake_engine.services, FindingKind.BALANCE)
    app = open_reconcile()
    kept = fake_engine.services.findings_seen.pop(finding_id)
    assert kept.is_blocking
    app.button(key=f"decide-{finding_id}").click().run()
    assert any("not open any more" in toast.value for toast in app.toast)


def test_check_now_asks_and_says_so(fake_engine: FakeEngine) -> None:
    before = fake_engine.services.reports[ACCOUNT].checked_at
    app = open_reconcile()
    app.button(key=f"check-{ACCOUNT}").click().run()
    after = fake_engine.services.reports[ACCOUNT].checked_at
    assert before is not None
    assert after is not None
    assert after > before
    assert any("compared with its venue" in toast.value for toast in app.toast)
    assert f"check-{KRAKEN}" in {button.key for button in app.button}


def test_fifty_assets_and_a_hundred_findings_are_all_within_reach(
    start_engine: EngineStarter,
) -> None:
    services = start_engine().services
    rows = tuple(asset_row(f"COIN{number}", "1", "1.5") for number in range(50))
    services.reports = {ACCOUNT: services.reports[ACCOUNT].model_copy(update={"assets": rows})}
    for number in range(100):
        found = finding(services.now(), number, list(FindingKind)[number % len(FindingKind)])
        services.findings_seen[found.id] = found
    app = open_reconcile()
    assert len([one for one in app.button if str(one.key).startswith("decide-")]) == 6
    app.toggle(key=f"all-findings-{ACCOUNT}").set_value(True).run()
    assert len([one for one in app.button if str(one.key).startswith("decide-")]) == 100
    assert len(app.dataframe[0].value) == 50


def test_every_kind_offers_a_decision() -> None:
    assert {kind for kind, _ in EFFECTS} == set(FindingKind)
