"""The base currency on screen: a total, what it is without, and when there is none."""

from datetime import UTC, datetime
from decimal import Decimal as D
from typing import Any

import pytest

from engine.contracts.conversion import BaseTotals, BaseWorth, LeftOut
from panel.format import figure
from tests.fakes.accounts import ACCOUNT
from tests.fakes.services import FakeServices
from tests.pages.conftest import EngineStarter, FakeEngine, open_page, words

AT = datetime(2026, 3, 2, 11, 59, 30, tzinfo=UTC)


def totals(**changes: Any) -> BaseTotals:
    fields: dict[str, Any] = {
        "currency": "USD", "value": D("12345.678"), "as_of": AT, "today_pnl": D("-12.5"),
        "unrealised_pnl": D(0), "realised_pnl": D("99.9"),
    }  # fmt: skip
    return BaseTotals(**(fields | changes))


def test_all_bots_are_added_up_beside_the_totals_of_each_asset(fake_engine: FakeEngine) -> None:
    fake_engine.services.base = totals()
    app = open_page("overview")
    assert not app.exception
    strips = [html.proto.body for html in app.get("html") if "<dt>All bots, USD</dt>" in
              html.proto.body]  # fmt: skip
    assert len(strips) == 1
    assert figure(D("12345.678"), "USD") in strips[0]
    assert figure(D("-12.5"), "USD", is_signed=True) in strips[0]
    assert "Rates as of 11:59:30 UTC." in words(app).replace("\\", "")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"left_out": (LeftOut(asset="XYZ", amount=D("0.3")),)}, "Without 0.30000 XYZ: no rate."),
        ({"stale": ("USDT", "EUR")}, "Old rates: USDT, EUR."),
        ({"declared": ("USDT counted as USD",)}, "USDT counted as USD (a setting"),
        ({"simulated": ("JPY",)}, "By simulated prices: JPY."),
    ],
)
def test_what_a_total_is_without_or_made_with_is_said(
    fake_engine: FakeEngine, changes: dict[str, Any], said: str
) -> None:
    fake_engine.services.base = totals(**changes)
    assert said in words(open_page("overview")).replace("\\", "")


def test_kinds_of_money_that_are_added_up_are_named(
    fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = fake_engine.services
    services.base = totals()
    assert "money together" not in words(open_page("overview"))
    first, *others = services.list_bots()
    mixed = [first.model_copy(update={"mode": "live"}), *others]
    monkeypatch.setattr(FakeServices, "list_bots", lambda _self: mixed)
    assert "Live and paper money together." in words(open_page("overview"))


def test_an_unknown_total_is_not_drawn_as_nothing(fake_engine: FakeEngine) -> None:
    left_out = (LeftOut(asset="USDT", amount=D(1000)),)
    fake_engine.services.base = totals(value=None, left_out=left_out, as_of=None)
    shown = words(open_page("overview")).replace("\\", "")
    assert "Worth in USD not known: 1,000.00 USDT: no rate." in shown
    assert "In Settings" in shown
    assert "All bots, USD" not in shown


def test_a_total_in_the_only_asset_there_is_is_not_repeated(start_engine: EngineStarter) -> None:
    engine = start_engine(bot_count=1)
    [quote] = {bot.quote for bot in engine.services.list_bots()}
    engine.services.base = totals(currency=quote)
    assert f"All bots, {quote}" not in words(open_page("overview"))


def test_an_account_shows_what_it_is_worth(fake_engine: FakeEngine) -> None:
    report = fake_engine.services.reports[ACCOUNT]
    worth = BaseWorth(currency="EUR", value=D("5.5"), as_of=AT, stale=("USDT",))
    fake_engine.services.reports[ACCOUNT] = report.model_copy(update={"worth": worth})
    shown = words(open_page("reconcile")).replace("\\", "")
    assert "Worth 5.50 EUR. Rates as of 11:59:30 UTC." in shown
    assert "Old rates: USDT." in shown
