"""The gate with tokens of other programs: scopes, rates, wrong tokens, the audit trail, the access
log; and that no route is without a deliberate scope."""

import json
import logging
from collections.abc import Callable, Iterator, Sequence

import httpx
import pytest

from engine.api.app import all_routes, create_app
from engine.api.doorkeeper import WRONG_TOKENS_PER_MINUTE
from engine.api.scopes import AREAS, EXCEPTIONS, UNLIMITED, RouteBook, scope_of
from engine.contracts import BotView
from engine.domain.tokens import Scope
from engine.logs import ACCESS_LOGGER
from tests.fakes.clock import START
from tests.fakes.serve import TEST_TOKEN
from tests.fakes.services import FakeServices
from tests.support.client import RSI_DEMO, eventually
from tests.support.fake_api import API, api_over, error_of

PUBLIC = {"GET /health", "GET /heartbeat", "POST /webhook/{key}"}
"""Open on purpose. A route that is added here gives itself away to everybody on the machine."""


@pytest.fixture(scope="module")
def services() -> FakeServices:
    return FakeServices()


@pytest.fixture(scope="module")
def api(services: FakeServices) -> Iterator[httpx.Client]:
    with api_over(services) as client:
        yield client


class Program:
    """Another program with a token of its own."""

    def __init__(
        self, api: httpx.Client, services: FakeServices, name: str, *scopes: Scope, rate: int = 600
    ) -> None:
        desk = services.tokens.tokens
        self.token, self.text = desk.create(name, scopes, "test", rate_per_minute=rate)
        self._api = api

    def ask(self, method: str, path: str, **more: object) -> httpx.Response:
        """Ask with this token in place of the token file's."""
        headers = {"Authorization": f"Bearer {self.text}"}
        return self._api.request(method, path, headers=headers, **more)  # type: ignore[arg-type]


# --- the table


def test_every_route_has_a_deliberate_scope() -> None:
    names = {f"{method} {one.path_format}" for one in all_routes() for method in one.methods or ()}
    assert {str(one.tags[0]) for one in all_routes()} <= AREAS.keys(), "a router without a row"
    assert EXCEPTIONS.keys() - {"GET /openapi.json"} <= names, "a row without a route"
    assert names >= UNLIMITED
    open_ones = {name for name, scope in EXCEPTIONS.items() if scope is None}
    assert open_ones == PUBLIC


def test_commands_need_more_than_reading_and_the_machines_own_need_an_admin() -> None:
    reads_by_command = {
        f"POST {API}/{what}/preview" for what in ("bots", "rules", "backtests", "studies", "alerts")
    } | {f"POST {API}/signals/read"}
    for route in all_routes():
        for method in route.methods or ():
            needed = scope_of(method, route.path_format, str(route.tags[0]))
            name = f"{method} {route.path_format}"
            if name in reads_by_command:
                assert needed is Scope.READ
            elif method != "GET" and name not in PUBLIC:
                assert needed in (Scope.TRADE, Scope.ADMIN, Scope.SIGNALS), name
            if any(word in name for word in ("tokens", "shutdown", "login")):
                assert needed is Scope.ADMIN, name
            if method != "GET" and any(word in name for word in ("settings", "venue-accounts")):
                assert needed is Scope.ADMIN, name


def test_a_route_of_no_row_is_for_an_admin() -> None:
    assert scope_of("GET", "/new", "nobody thought of it") is Scope.ADMIN


def test_the_book_of_routes_finds_what_the_router_finds() -> None:
    book = RouteBook(all_routes())
    found = book.find("POST", f"{API}/bots/my bot/start")
    assert found is not None
    assert (found.template, found.scope) == (f"{API}/bots/{{key}}/start", Scope.TRADE)
    preview = book.find("POST", f"{API}/bots/preview")
    assert preview is not None
    assert preview.scope is Scope.READ
    for method, path in (("POST", "/nowhere"), ("BREW", "/health"), ("GET", f"{API}/bots/a/b/c")):
        assert book.find(method, path) is None


def test_an_application_serves_the_routes_as_they_were_built_at_import() -> None:
    served = create_app(FakeServices(0), TEST_TOKEN).routes
    assert all(any(route is one for one in served) for route in all_routes())


def test_the_document_names_the_scope_of_each_operation() -> None:
    document = create_app(FakeServices(0), TEST_TOKEN).openapi()
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert document["paths"][f"{API}/kill"]["post"]["security"] == [{"token": ["trade"]}]
    assert document["paths"]["/health"]["get"]["security"] == []
    for path, operations in document["paths"].items():
        for operation in operations.values():
            told = {"401", "403", "404", "409", "422", "429", "503"}
            assert operation["responses"].keys() >= told, path
            good = [one for status, one in operation["responses"].items() if status[0] == "2"]
            assert good, path


# --- at the gate


def test_each_scope_opens_its_own_and_admin_opens_all(
    api: httpx.Client, services: FakeServices
) -> None:
    asked = {
        Scope.READ: ("GET", "/bots", None),
        Scope.TRADE: ("POST", "/api/bot/btc-rsi/start", None),
        Scope.ADMIN: ("GET", f"{API}/tokens", None),
    }
    for scope in Scope:
        program = Program(api, services, f"only-{scope}", scope)
        for needed, (method, path, body) in asked.items():
            answer = program.ask(method, path, json=body)
            if scope in (needed, Scope.ADMIN):
                assert answer.status_code == 200, (scope, path)
            else:
                assert answer.status_code == 403
                assert f"'{needed}'" in error_of(answer)["message"]


def test_the_scope_is_checked_before_the_body_is_read(
    api: httpx.Client, services: FakeServices
) -> None:
    reader = Program(api, services, "reader", Scope.READ)
    for content in (b"{", b"x" * 3_000_000):
        answer = reader.ask("POST", f"{API}/bots", content=content)
        assert answer.status_code == 403


def test_what_no_table_knows_is_not_there_but_for_an_admin(
    api: httpx.Client, services: FakeServices
) -> None:
    trader = Program(api, services, "all-but-admin", Scope.READ, Scope.SIGNALS, Scope.TRADE)
    admin = Program(api, services, "admin", Scope.ADMIN)
    for method, path in (("GET", "/nothing"), ("PATCH", f"{API}/bots"), ("HEAD", "/openapi.json")):
        assert trader.ask(method, path).status_code == 404
    assert admin.ask("GET", "/nothing").status_code == 404
    assert admin.ask("PATCH", f"{API}/bots").status_code == 405


def test_revoking_a_token_ends_it_at_once(api: httpx.Client, services: FakeServices) -> None:
    made = api.post(f"{API}/tokens", json={"name": "lost", "scopes": ["read"]}).json()
    headers = {"Authorization": f"Bearer {made['text']}"}
    assert api.get("/bots", headers=headers).status_code == 200
    assert api.delete(f"{API}/tokens/{made['token']['id']}").status_code == 204
    answer = api.get("/bots", headers=headers)
    assert answer.status_code == 401
    assert "revoked" in error_of(answer)["message"]
    [row] = [one for one in api.get(f"{API}/tokens").json() if one["name"] == "lost"]
    assert row["revoked_at"]
    assert not row["is_valid"]
    assert row["last_used_at"]
    assert made["text"] not in api.get(f"{API}/tokens").text


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "a b"}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["root"]}, "scopes.0"),
        ({"rate_per_minute": 0}, "rate_per_minute"),
        ({"expires_in_days": -1}, "expires_in_days"),
        ({"digest": "00"}, "digest"),
    ],
)
def test_a_wrong_request_for_a_token_names_the_field(
    api: httpx.Client, changes: dict[str, object], field: str
) -> None:
    answer = api.post(f"{API}/tokens", json={"name": "new", "scopes": ["read"], **changes})
    assert answer.status_code == 422
    assert error_of(answer)["details"][0]["field"] == field


# --- who it was


def test_the_audit_trail_has_the_tokens_name_whatever_it_calls_itself(
    api: httpx.Client, services: FakeServices
) -> None:
    trader = Program(api, services, "trader", Scope.TRADE)
    headers = {"Authorization": f"Bearer {trader.text}", "X-Quarterdeck-Actor": "panel"}
    assert api.post("/api/bot/btc-rsi/start", headers=headers).status_code == 200
    assert services.audit_log[-1].actor == "token:trader"
    api.post("/api/bot/btc-rsi/start", headers={"X-Quarterdeck-Actor": "panel"})
    assert services.audit_log[-1].actor == "panel"
    for name in ("two words", "token:trader", "x" * 65):
        api.post("/api/bot/btc-rsi/start", headers={"X-Quarterdeck-Actor": name})
        assert services.audit_log[-1].actor == "api", name


# --- how often


def refused_after(rate: int, ask: Callable[[], httpx.Response], good: int = 200) -> httpx.Response:
    """The first 429. At least ``rate`` are answered before; a few more where a minute begins in
    between, as the rate is one over a sliding minute."""
    answers = [ask() for _ in range(rate)]
    assert [one.status_code for one in answers] == [good] * rate
    while answers[-1].status_code == good:
        assert len(answers) <= 2 * rate
        answers.append(ask())
    assert answers[-1].status_code == 429
    return answers[-1]


def test_a_tokens_own_rate_is_kept_and_no_other_suffers(
    api: httpx.Client, services: FakeServices
) -> None:
    eager = Program(api, services, "eager", Scope.TRADE, Scope.READ, rate=3)
    refused = refused_after(3, lambda: eager.ask("GET", "/bots"))
    assert error_of(refused)["code"] == "rate_limited"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["x-content-type-options"] == "nosniff"
    other = Program(api, services, "other", Scope.READ)
    assert other.ask("GET", "/bots").status_code == 200
    kill = eager.ask("POST", f"{API}/kill", json={"level": "none"})
    assert kill.status_code == 200, "the kill switch works however often one has asked"


def test_a_script_with_the_token_file_that_runs_wild_does_not_blind_the_panel() -> None:
    services = FakeServices(0)
    app = create_app(services, TEST_TOKEN, rate_per_minute=2)
    with api_over(services, app) as api:
        refused_after(2, lambda: api.get("/bots"))
        for actor in ("panel", "cli:somebody"):
            headers = {"X-Quarterdeck-Actor": actor}
            assert api.get("/bots", headers=headers).status_code == 200
        assert api.get("/health").status_code == 200


def test_who_tries_tokens_is_slowed_and_told_and_a_right_one_goes_in() -> None:
    services = FakeServices(0)
    with api_over(services) as api:
        wrong = {"Authorization": "Bearer qd_" + "a" * 43}
        refused = refused_after(
            WRONG_TOKENS_PER_MINUTE, lambda: api.get("/bots", headers=wrong), good=401
        )
        assert int(refused.headers["retry-after"]) >= 1
        assert api.get("/bots").status_code == 200
        services.tokens.keep()
        [event] = api.get(f"{API}/events?kind=api.login_failures").json()
        assert "requests came with a wrong API token, from 127.0.0.1." in event["message"]
        assert event["data"]["counts"]["127.0.0.1"] > WRONG_TOKENS_PER_MINUTE


# --- the access log


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    seen: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())

    logger, keep = logging.getLogger(ACCESS_LOGGER), Keep()
    before = (logger.level, logger.propagate)
    logger.addHandler(keep)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    yield seen
    logger.removeHandler(keep)
    logger.level, logger.propagate = before


def test_each_request_is_a_line_and_no_line_has_a_secret(
    api: httpx.Client, services: FakeServices, lines: list[str]
) -> None:
    reader = Program(api, services, "logged", Scope.READ)
    secret = "hunter2-hunter2-hunter2"
    reader.ask("GET", f"{API}/bots/{secret}?key={secret}", json={"key": secret})
    reader.ask("POST", f"{API}/kill", content=secret)
    api.get(f"/webhook-mistyped/{secret}")
    api.get("/bots", headers={"Authorization": f"Bearer {secret}"})
    api.get("/bots", headers={"X-Quarterdeck-Actor": "panel"})
    eventually(lambda: len(lines), lambda count: count == 5)  # written once it is answered
    assert not [line for line in lines if secret in line or reader.text in line]
    assert not [line for line in lines if TEST_TOKEN in line]
    rows = [json.loads(line) for line in lines]
    assert {row["address"] for row in rows} == {"127.0.0.1"}
    assert all(row["ms"] >= 0 and row["time"].endswith("Z") for row in rows)
    told = [(one["principal"], one["method"], one["route"], one["status"]) for one in rows]
    assert told == [
        ("token:logged", "GET", f"{API}/bots/{{key}}", 404),
        ("token:logged", "POST", f"{API}/kill", 403),
        ("api", "GET", "-", 404),
        ("", "GET", "/bots", 401),
        ("panel", "GET", "/bots", 200),
    ]


def test_a_request_that_the_engine_fails_on_is_a_line_too(lines: list[str]) -> None:
    class Broken(FakeServices):
        def list_bots(self) -> Sequence[BotView]:
            raise ZeroDivisionError

    with api_over(Broken(0)) as api:
        assert api.get("/bots").status_code == 500
    [row] = [json.loads(line) for line in lines]
    assert (row["route"], row["status"]) == ("/bots", 500)


# --- short addresses


def test_short_addresses_give_what_the_long_ones_give() -> None:
    with api_over(FakeServices(now=lambda: START)) as api:  # prices move with the clock
        for short, long in (
            ("/bots", "/bots"), ("/positions", "/positions"),
            ("/trades?limit=3", "/trades?limit=3"),
            ("/api/overview", "/overview"), ("/api/accounts", "/accounts"),
            ("/api/logs?limit=5", "/events?limit=5"),
            ("/api/search-coins?q=eth", "/symbols?market=simulated&search=eth"),
        ):  # fmt: skip
            answer = api.get(short)
            assert answer.status_code == 200, short
            assert answer.json()
            assert answer.json() == api.get(f"{API}{long}").json()


def test_a_bots_life_by_short_addresses(api: httpx.Client) -> None:
    made = api.post("/api/create-bot", json=RSI_DEMO | {"name": "short"})
    assert made.status_code == 201
    assert api.post("/api/bot/short/start").json()["state"] == "running"
    refused = api.post("/api/bot/short/update", json={"amount": "70"})
    assert refused.status_code == 409, "it runs"
    assert api.post("/api/bot/short/stop", json={"close_position": True}).status_code == 200
    changed = api.post("/api/bot/short/update", json={"amount": "70"}).json()["config"]
    assert changed == made.json()["config"] | {"amount": "70"}
    wrong = api.post("/api/bot/short/update", json={"amount": "-70", "nonsense": 1})
    assert wrong.status_code == 422
    assert {row["field"] for row in error_of(wrong)["details"]} == {"amount", "nonsense"}
    details = api.get("/api/bot/btc-rsi/details").json()
    assert details["bot"]["config"]["name"] == "btc-rsi"
    assert details["trades"]
    assert details["decisions"]
    assert details["orders"]
    assert api.get("/api/bot/nobody/details").status_code == 404


def test_a_bot_is_moved_to_another_platform_with_all_checks(api: httpx.Client) -> None:
    api.post("/api/create-bot", json=RSI_DEMO | {"name": "mover"})
    platforms = {one["id"]: one for one in api.get("/api/platforms").json()}
    here = platforms[RSI_DEMO["market"]]
    assert (here["status"], here["mode"]) == ("ready", "paper")
    assert "mover" in here["bots"]
    request = {"bot": "mover", "market": here["id"], "symbol": "ETH/USDT"}
    moved = api.post("/api/platforms/switch", json=request)
    assert moved.json()["config"]["symbol"] == "ETH/USDT"
    api.post("/api/bot/mover/start")
    assert api.post("/api/platforms/switch", json=request).status_code == 409
    assert api.post("/api/platforms/switch", json=request | {"bot": "no"}).status_code == 404


def test_candles_of_a_market(api: httpx.Client) -> None:
    told = api.get("/api/data?symbol=BTC/USDT&timeframe=1h&limit=5").json()
    assert {len(told[name]) for name in ("time", "open", "high", "low", "close", "volume")} == {5}
    assert told["time"] == sorted(told["time"])
    wrong = api.get("/api/data?symbol=BTC/USDT&timeframe=7m")
    assert [row["field"] for row in error_of(wrong)["details"]] == ["timeframe"]
    assert api.get("/api/data?symbol=NO/SUCH").status_code == 404
    assert api.get("/api/data?symbol=BTC/USDT&market=nowhere").status_code == 404


def test_an_alert_is_written_down_with_who_has_sent_it(
    api: httpx.Client, services: FakeServices
) -> None:
    sent = api.post("/api/send_alert", json={"text": "look here", "level": "warning"})
    assert sent.status_code == 201
    [shown] = api.get("/api/logs?kind=alert.manual").json()
    assert shown == sent.json()
    assert (shown["message"], shown["level"]) == ("look here", "warning")
    with services.programs.books.store.reading() as tx:
        [entry] = tx.audit.select(action="alert.manual")
    assert entry.detail["text"] == "look here"
    for text in ("", "   ", "x" * 1_001):
        assert api.post("/api/send_alert", json={"text": text}).status_code == 422
    nobody = api.post("/api/send_alert", json={"text": "x", "bot": "nobody"})
    assert nobody.status_code == 404
