"""The desk of models: lists, figures, exports, dry runs on real candles, replays."""

import asyncio
import csv
import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from engine.api import errors, routes_ai
from engine.api.ai_desk import AiDesk, ModelLimits
from engine.api.dry_runs import DryRuns
from engine.contracts.ai import (
    AdviceFilter,
    AiSummary,
    AiSummaryFilter,
    DryRunRequest,
    DryRunView,
)
from engine.domain.advice import (
    Advice,
    AdviceOutcome,
    AdvicePurpose,
    AdviceState,
    AiConfig,
    AiRole,
    Counsel,
    CounselVerdict,
    EntryProposal,
    ModelAction,
    Situation,
)
from engine.domain.decisions import Intent
from engine.domain.news import NewsItem
from engine.domain.positions import PositionSide
from engine.errors import ConfigError, Conflict, NotFound
from engine.services.books import new_id
from engine.services.situations import Situations
from tests.contract.store_samples import advice as sample
from tests.fakes.advisor import GO, advice, answer
from tests.fakes.market import FakeMarket
from tests.support.model_desk import Desk, model_desk

ACTOR = "a person"
LONG = Intent(enter_long=True, reason="RSI below 30", values={"rsi": 25.0}, size=0.5)
NOTHING = Intent(reason="RSI 51", values={"rsi": 51.0})


@dataclass
class Provider:
    """A ``ProviderStatus``."""

    provider: str = "fake"
    model: str = "fake-1"
    is_configured: bool = True
    objection: str = ""
    paused_until: datetime | None = None
    last_error: str = ""
    last_error_at: datetime | None = None
    last_answer_at: datetime | None = None
    used_usd: D = D("0.25")
    calls_today: int = 7


@dataclass
class Rehearsing:
    """Implements ``Rehearser``: keeps what it is asked; waits while ``gate`` is closed."""

    desk: Desk
    state: Provider = field(default_factory=Provider)
    asked: list[tuple[Situation, EntryProposal | None]] = field(default_factory=list)
    began: threading.Event = field(default_factory=threading.Event)
    gate: threading.Event = field(default_factory=threading.Event)

    async def dry_run(self, situation: Situation, proposal: EntryProposal | None = None) -> Advice:
        self.asked.append((situation, proposal))
        self.began.set()
        await asyncio.to_thread(self.gate.wait, 30)
        row = advice(situation, AdvicePurpose.DRY_RUN, len(self.asked), counsel=GO,
                     proposal=proposal, decision=answer())  # fmt: skip
        return self._kept(row.model_copy(update={"id": new_id()}))

    async def replay(self, advice_id: str) -> Advice:
        with self.desk.room.store.reading() as tx:
            old = tx.advice.get(advice_id)
        changes = {"id": new_id(), "purpose": AdvicePurpose.REPLAY, "replay_of": old.id}
        return self._kept(old.model_copy(update=changes))

    def status(self) -> Provider:
        return self.state

    def _kept(self, row: Advice) -> Advice:
        with self.desk.room.store.transaction() as tx:
            tx.advice.add(row)
        return row


@dataclass
class Api:
    """A desk over a room, with a loop of its own, and the routes over it."""

    desk: Desk
    rehearsing: Rehearsing
    ai: AiDesk
    app: FastAPI
    news: list[NewsItem]

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """What the routes answer."""

        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://engine") as client:
                return await client.request(method, f"/api/v1/ai{path}", **options)

        return asyncio.run(call())

    def keep(self, *rows: Advice) -> None:
        """Add rows."""
        with self.desk.room.store.transaction() as tx:
            tx.advice.add(*rows)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """An advisor's bot, and everything the API asks."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    news: list[NewsItem] = []
    with model_desk(tmp_path) as desk:
        room = desk.room
        rehearsing = Rehearsing(desk)
        rehearsing.gate.set()
        situations = Situations(
            room.books, room.venues, desk.lanes, lambda _instrument, _until: news
        )
        market = room.market

        def ask(_market: object, symbol: str, timeframe: str, limit: int) -> Any:
            return market.candles(symbol, timeframe, limit=limit)

        dry_runs = DryRuns(room.books, room.venues, desk.host, situations, ask)
        limits = ModelLimits(D(1), 500, 10)
        ai = AiDesk(room.books, rehearsing, dry_runs, limits, loop)
        app = FastAPI()
        app.state.services = type("Services", (), {"ai": ai})()
        app.include_router(routes_ai.router)
        errors.install(app)
        yield Api(desk, rehearsing, ai, app, news)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def row(number: int, **changes: Any) -> Advice:
    """An answered review of the sample; one a minute."""
    asked_at = sample().asked_at + timedelta(minutes=number)
    return sample(**({"id": f"a{number}", "asked_at": asked_at, "outcome_due_at": None} | changes))


def judged(number: int, confidence: float, is_right: bool, value: str | None = None,
           verdict: CounselVerdict = CounselVerdict.VETO, **changes: Any) -> Advice:  # fmt: skip
    """A review whose outcome is known."""
    outcome = AdviceOutcome(move=0.01, is_right=is_right, value=D(value) if value else None,
                            is_hypothetical=verdict is not CounselVerdict.PASS)  # fmt: skip
    return row(
        number, decision=answer(confidence=confidence), outcome=outcome,
        counsel=Counsel(verdict=verdict, reason="so", size=0.5), **changes,
    )  # fmt: skip


# --- lists --------------------------------------------------------------------------------------


def test_a_page_is_narrowed_by_everything(api: Api) -> None:
    api.keep(
        row(1), row(2, bot_id="gone", bot_name="Old one"), row(3, state=AdviceState.LATE,
        decision=None, counsel=None), row(4, purpose=AdvicePurpose.DRY_RUN),
        row(5, decision=answer(ModelAction.SELL), counsel=GO), row(6, error="quota used up"),
    )  # fmt: skip
    since = row(0).asked_at
    for query, ids in (
        ({}, "654321"),
        ({"limit": 2, "offset": 1}, "54"),
        ({"bot": "demo"}, "65431"),
        ({"bot": "gone"}, "2"),
        ({"bot": "Old one"}, "2"),
        ({"state": "late"}, "3"),
        ({"purpose": "dry_run"}, "4"),
        ({"action": "sell"}, "5"),
        ({"verdict": "pass"}, "5"),
        ({"text": "QUOTA"}, "6"),
        ({"since": since + timedelta(minutes=2), "until": since + timedelta(minutes=4)}, "32"),
    ):  # fmt: skip
        page = api.ai.page(AdviceFilter.model_validate(query))
        assert [one.id for one in page.items] == [f"a{n}" for n in ids], query
    assert api.ai.page(AdviceFilter(limit=2)).count == 6


def test_one_whole_has_its_replays_and_its_quote(api: Api) -> None:
    api.keep(row(1))
    first = api.ai.replay("a1", ACTOR)
    assert first.advice.replay_of == "a1"
    found = api.ai.get("a1")
    assert (found.quote, [one.id for one in found.replays]) == ("USDT", [first.advice.id])
    with api.desk.room.store.reading() as tx:
        [entry] = tx.audit.select(action="ai.replay")
    assert (entry.actor, entry.detail["advice"]) == (ACTOR, first.advice.id)
    with pytest.raises(NotFound):
        api.ai.get("zz")
    with pytest.raises(NotFound):
        api.ai.replay("zz", ACTOR)


def test_the_export_is_complete_and_runs_no_formula(api: Api) -> None:
    nasty = answer(reasoning='=HYPERLINK("http://evil","x")')
    api.keep(*(row(n, decision=nasty, bot_name="+cmd") for n in range(3)), row(3, decision=None))
    response = api.ask("GET", "/advice.csv", params={"limit": 1})
    assert response.status_code == 200
    lines = list(csv.DictReader(io.StringIO(response.text)))
    assert len(lines) == 4, "limit does not apply"
    assert lines[0]["confidence"] == ""
    assert lines[1]["reasoning"] == '\'=HYPERLINK("http://evil","x")'
    assert lines[1]["bot_name"] == "'+cmd"
    assert "prompt" not in lines[0]


# --- figures ------------------------------------------------------------------------------------


def test_the_figures_by_hand(api: Api) -> None:
    now = api.desk.room.clock.now()
    passes = CounselVerdict.PASS
    api.keep(
        judged(1, 0.9, True, "-3"), judged(2, 0.9, False, "5"),
        judged(3, 0.7, True, "2", CounselVerdict.REDUCE), judged(4, 0.7, True, "11", passes),
        row(5, outcome=AdviceOutcome(detail="missing"), counsel=GO.model_copy(
            update={"verdict": CounselVerdict.VETO})),
        row(6, outcome_due_at=now, counsel=Counsel(verdict=CounselVerdict.VETO, reason="late"),
            state=AdviceState.LATE, decision=None, latency_s=20.0),
        judged(7, 0.1, False, "999", purpose=AdvicePurpose.DRY_RUN, cost=D("0.1")),
    )  # fmt: skip
    found = api.ai.summary(AiSummaryFilter())
    assert (found.count, found.waiting) == (6, 1)
    assert found.states == {AdviceState.ANSWERED: 5, AdviceState.LATE: 1}
    assert found.verdicts == {
        CounselVerdict.VETO: 4, CounselVerdict.REDUCE: 1, CounselVerdict.PASS: 1,
    }  # fmt: skip
    assert found.calibration.accuracy.share == 0.75
    assert found.calibration.brier == pytest.approx((0.01 + 0.81 + 0.09 + 0.09) / 4)
    [held] = found.held_back
    assert (held.quote, held.vetoed, held.reduced, held.waiting, held.unknown) == (
        "USDT", 4, 1, 1, 1,
    )  # fmt: skip
    assert (held.value, held.mean) == (D(4), D(4) / 3)
    assert (held.passed, held.passed_value) == (1, D(11))
    assert [one.bot_name for one in found.held_back_by_bot] == ["First"]
    assert (found.latency_p50_s, found.latency_p99_s) == (0.75, 0.75), "of answers alone"
    [by_model] = found.costs.by_model
    assert (by_model.calls, by_model.cost) == (7, D("0.00047") * 6 + D("0.1"))


def test_costs_of_a_day_a_week_and_a_month(api: Api) -> None:
    now = api.desk.room.clock.now()
    for number, age in enumerate((timedelta(0), timedelta(days=2), timedelta(days=20),
                                  timedelta(days=40))):  # fmt: skip
        api.keep(row(number, asked_at=now - age, cost=D(10) ** number))
    costs = api.ai.summary(AiSummaryFilter(since=now - timedelta(days=3))).costs
    assert (costs.today, costs.week, costs.month) == (D(1), D(11), D(111))
    assert [line.cost for line in costs.by_bot] == [D(11)]


def test_nothing_asked_is_no_figure(api: Api) -> None:
    found = api.ai.summary(AiSummaryFilter(bot="nobody"))
    assert (found.count, found.calibration.brier, found.latency_p50_s) == (0, None, None)
    assert not found.held_back


def test_the_status_names_who_uses_a_model(api: Api) -> None:
    api.rehearsing.state.objection = "No model is set up: get a key."
    found = api.ai.status()
    assert (found.objection, found.bots) == ("No model is set up: get a key.", ("demo",))
    assert (found.budget.used_usd, found.budget.calls_per_day) == (D("0.25"), 500)


# --- dry runs -----------------------------------------------------------------------------------


def dry_run(api: Api, intent: Intent, **request: Any) -> DryRunView:
    """Ask about the one bot."""
    api.desk.host.script.append(intent)
    return api.ai.dry_run(DryRunRequest(bot="demo", **request), ACTOR)


def test_a_dry_run_asks_what_the_bot_would_ask_and_does_nothing(api: Api) -> None:
    found = dry_run(api, LONG)
    [(situation, proposal)] = api.rehearsing.asked
    assert proposal is not None
    assert (proposal.side, proposal.amount, proposal.reason) == (
        PositionSide.LONG, D(50), "RSI below 30",
    )  # fmt: skip
    assert situation.values == {"rsi": 25.0}
    assert (found.wanted, found.is_supposed) == ("to go long (RSI below 30)", False)
    assert found.advice.purpose is AdvicePurpose.DRY_RUN
    assert not api.desk.room.orders()
    assert not api.desk.decisions()


def test_where_the_strategy_wants_none_an_entry_is_supposed(api: Api) -> None:
    found = dry_run(api, NOTHING, side=PositionSide.SHORT)
    assert (found.wanted, found.is_supposed) == ("nothing (RSI 51)", True)
    assert found.advice.proposal is not None
    assert found.advice.proposal.side is PositionSide.SHORT


def test_a_draft_stands_in_for_the_bots_settings(api: Api) -> None:
    draft = AiConfig(role=AiRole.DECIDER, instructions="Be bold.", candle_count=7)
    found = dry_run(api, NOTHING, ai=draft)
    [(situation, proposal)] = api.rehearsing.asked
    assert (situation.ai, proposal) == (draft, None)
    assert found.advice.role is AiRole.DECIDER
    assert api.desk.room.bot.config.ai == AiConfig()


def test_a_past_candle_is_shown_as_it_was(api: Api) -> None:
    market = api.desk.room.market
    assert isinstance(market, FakeMarket)
    then = market.now()
    api.desk.run(LONG)  # it holds something now
    market.add_bar("BTC/USDT", 100, 120, 100, 120)
    published: dict[str, Any] = {"source": "s", "symbol": "BTC", "title": "t", "fetched_at": then}
    for number, moment in enumerate((then, market.now())):
        api.news.append(NewsItem(id=str(number), published_at=moment, **published))
    found = dry_run(api, NOTHING, at=then + timedelta(seconds=30))
    [(situation, _)] = api.rehearsing.asked
    assert (found.closed_at, situation.now) == (then, then)
    assert (situation.last_price, situation.position) == (D(100), None)
    assert [one.id for one in situation.news] == ["0"]


def test_what_a_dry_run_cannot_be_asked_about(api: Api) -> None:
    now = api.desk.room.clock.now()
    with pytest.raises(NotFound):
        api.ai.dry_run(DryRunRequest(bot="nobody"), ACTOR)
    with pytest.raises(ConfigError, match="has not come yet"):
        dry_run(api, NOTHING, at=now + timedelta(seconds=1))
    with pytest.raises(ConfigError, match="too long ago"):
        dry_run(api, NOTHING, at=now.replace(year=1))
    with pytest.raises(ConfigError, match="no candles from before"):
        dry_run(api, NOTHING, at=now - timedelta(days=9))
    api.desk.save(config=api.desk.room.bot.config.model_copy(update={"ai": None}))
    with pytest.raises(ConfigError, match="has no model"):
        api.ai.dry_run(DryRunRequest(bot="demo"), ACTOR)
    assert not api.rehearsing.asked


def test_only_two_wait_at_a_time(api: Api) -> None:
    api.rehearsing.gate.clear()
    api.desk.host.script.extend([LONG, LONG, LONG])
    request = DryRunRequest(bot="demo")
    threads = [threading.Thread(target=api.ai.dry_run, args=(request, ACTOR)) for _ in range(2)]
    for thread in threads:
        api.rehearsing.began.clear()
        thread.start()
        assert api.rehearsing.began.wait(60)
    with pytest.raises(Conflict, match="are under way"):
        api.ai.dry_run(request, ACTOR)
    api.rehearsing.gate.set()
    for thread in threads:
        thread.join()
    api.ai.dry_run(request, ACTOR)


# --- routes -------------------------------------------------------------------------------------


def test_the_routes_answer(api: Api) -> None:
    api.keep(judged(1, 0.9, True, "-3"))
    assert api.ask("GET", "/status").json()["provider"] == "fake"
    summary = AiSummary.model_validate(api.ask("GET", "/summary").json())
    assert summary.held_back[0].value == D(-3)
    assert api.ask("GET", "/advice", params={"action": "buy"}).json()["count"] == 1
    whole = api.ask("GET", "/advice/a1").json()
    assert whole["advice"]["prompt"] == "…"
    assert api.ask("POST", "/advice/a1/replay").json()["advice"]["replay_of"] == "a1"
    api.desk.host.script.append(LONG)
    answered = api.ask("POST", "/dry-run", json={"bot": "demo"})
    assert answered.json()["advice"]["decision"]["action"] == "buy"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/advice?verdict=maybe", 422),
        ("/advice?limit=0", 422),
        ("/advice?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", 422),
        ("/summary?bot=" + "x" * 65, 422),
        ("/advice/zz", 404),
    ],
)
def test_wrong_input_has_its_answer(api: Api, path: str, status: int) -> None:
    response = api.ask("GET", path)
    assert response.status_code == status
    assert response.json()["error"]["message"]
