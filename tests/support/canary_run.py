"""A real engine with a canary in every credential field there is, used until everything was said.

The fields are those of the code: a new one is planted by itself, or fails where nothing fits.
"""

import contextlib
import io
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, get_args

import httpx
import typer
from pydantic import SecretStr, ValidationError

from engine.adapters.brokers.venues import find_adapters
from engine.api.app import all_routes
from engine.cli import main
from engine.cli.entry import build
from engine.domain.alerts import ChannelKind
from engine.domain.channel_forms import FORMS, FieldError, checked_fields
from engine.ports import VenueAdapter
from engine.settings import Settings
from tests.support.canaries import Flock, unpacked
from tests.support.channel_forms import RIGHT
from tests.support.client import Client
from tests.support.loopback import NO_TLS
from tests.support.processes import Copy
from tooling.place import ROOT

CONTROL = "ControlCanaryThatIsToldEverywhere"
STREAM = "/api/stream"
NOT_CALLED = {"POST /api/v1/shutdown"}
"""It would end the engine before everything was asked."""

NOT_RUN = {"run", "watcher", "kill"}
"""They start what does not end, or stop the trading; what they print has tests of their own."""

QUERIES: Mapping[str, Mapping[str, str]] = {
    "/api/data": {"symbol": "BTC/USDT", "timeframe": "1m"},
    "/api/mt5/orders": {"account": "1", "magic": "1"},
    "/api/v1/symbols": {"market": "simulated"},
}
"""What routes ask for."""


def secret_settings() -> list[str]:
    """The names of all settings that are secret."""
    return [name for name, one in Settings.model_fields.items()
            if SecretStr in (one.annotation, *get_args(one.annotation))]  # fmt: skip


def planted_settings(flock: Flock) -> dict[str, str]:
    """The environment of an engine: a canary in every secret setting, every address closed, and
    what is off by default on."""
    closed = f"http://127.0.0.1:{flock.port}"
    variables = {
        f"QUARTERDECK_{name.upper()}": closed
        for name in Settings.model_fields
        if name.endswith("_url") and name not in ("database_url", "inbox_public_url")
    }
    variables |= {
        f"QUARTERDECK_{name.upper()}": "true"
        for name in Settings.model_fields
        if name.endswith("_enabled")
    }
    for name in secret_settings():
        if name == "secret_key":  # 32 bytes in base64; what seals the others has to be one
            value = flock.plant_key(f"setting {name}")
        else:
            value = flock.plant(f"setting {name}", partial(_is_taken, name))
        variables[f"QUARTERDECK_{name.upper()}"] = value
    return variables


def _is_taken(name: str, value: str) -> bool:
    try:
        Settings(**{name: value})  # type: ignore[arg-type]
    except ValidationError:
        return False
    return True


def venue_options(port: int) -> Mapping[str, Mapping[str, Any]]:
    """What each venue's form needs besides its secrets, so that it asks a closed port."""
    closed = f"http://127.0.0.1:{port}"
    terminal = {"login": 7, "server": "Nowhere-Demo"}
    return {
        "alpaca": {"trading_url": closed, "data_url": closed},
        "binance": {"address": closed},
        "ccxt": {"exchange": "okx", "address": closed},
        "mt5": terminal,
        "mt5_gateway": {**terminal, "gateway": closed},
        "rest": {"description": "nowhere"},
        "zerodha": {"address": closed},
    }


@dataclass
class Heard:
    """What came out: by where it was heard."""

    said: dict[str, bytes] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)

    def add(self, where: str, data: bytes) -> None:
        """Keep it, and what is packed in it."""
        self.said |= dict(unpacked(f"{len(self.said)} {where}", data))


@dataclass
class CanaryRun:
    """Speaks to one engine and keeps all that it says."""

    copy: Copy
    flock: Flock
    http: httpx.Client
    heard: Heard = field(default_factory=Heard)
    ids: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Any call; its answer is kept."""
        response = self.http.request(method, path, **options)
        head = "\n".join(f"{name}: {value}" for name, value in response.headers.items())
        self.heard.add(f"{method} {path}", response.content)
        self.heard.add(f"head of {method} {path}", head.encode())
        return response

    def make(self, what: str, path: str, body: Mapping[str, Any]) -> None:
        """Create something, and remember its id."""
        answer = self.call("POST", f"/api/v1{path}", json=body)
        assert answer.is_success, f"{what}: {answer.text}"
        self.ids[what] = answer.json()["id"]

    # --- planting -------------------------------------------------------------------------------

    def plant_everything(self) -> None:
        """Accounts, channels, a bot that listens, a token."""
        self._plant_bot()
        for adapter in find_adapters().values():
            self._plant_account(adapter)
        for kind in ChannelKind:
            self._plant_channel(kind)
        client = Client(self.copy)  # what it hears is for its owner: it is not searched
        made = client.post("/tokens", {"name": "canary", "scopes": ["read"]})
        self.flock.watch("text of an API token", made["text"])
        webhook = client.post("/bots/demo/webhook")
        self.flock.watch("key of a webhook", webhook["key"])
        self.flock.watch("signing secret of a webhook", webhook["signing_secret"])
        self.flock.watch("token file", self.copy.token)

    def _plant_bot(self) -> None:
        bot = Client(self.copy).create_bot(name="demo", signals={})
        self.ids["bot"] = bot["id"]
        self.make("price alert", "/price-alerts", {
            "market": "simulated", "symbol": "BTC/USDT", "direction": "above", "price": "1",
            "note": CONTROL,
        })  # fmt: skip
        self.make("alert", "/alerts", {"text": CONTROL, "level": "error"})
        self.make("signal", "/signals/test", {"bot": "demo", "body": '{"action": "buy"}'})

    def _plant_account(self, adapter: VenueAdapter) -> None:
        given = [one.name for one in adapter.secrets if not one.is_kept_by_login]
        if not given:
            return
        body = {
            "name": adapter.id, "venue": adapter.id, "mode": "test",
            "options": venue_options(self.flock.port)[adapter.id],
            "secrets": {one: self.flock.plant(f"{adapter.id}: {one}") for one in given},
        }  # fmt: skip
        answer = self.call("POST", "/api/v1/venue-accounts", json=body)
        if answer.is_success:
            self.ids[f"account {adapter.id}"] = account = answer.json()["id"]
            self.call("POST", f"/api/v1/venue-accounts/{account}/test")
            token = self.flock.plant(f"{adapter.id}: answer of a login")
            self.call("POST", f"/api/v1/venue-accounts/{account}/login", json={"answer": token})
        wrong = self.flock.plant(f"{adapter.id}: typed into the wrong row")
        for secrets in ({wrong: "x"}, {given[0]: wrong * 400}, {given[0]: [wrong]}):
            self.call("POST", "/api/v1/venue-accounts", json={**body, "secrets": secrets})

    def _plant_channel(self, kind: ChannelKind) -> None:
        fields = dict(RIGHT[kind])
        if kind is ChannelKind.EMAIL:
            fields["port"] = str(self.flock.port)
        secret = [one.name for one in FORMS[kind].fields if one.is_secret]
        for name in secret:
            others = dict(fields)
            fields[name] = self.flock.plant(
                f"{kind}: {name}",
                partial(_is_field, kind, others, name),
            )
        body = {"name": f"channel {kind}", "kind": kind, "fields": fields}
        self.make(f"channel {kind}", "/channels", body)
        path = f"/api/v1/channels/{self.ids[f'channel {kind}']}"
        for verb in ("verify", "test"):
            told = self.call("POST", f"{path}/{verb}").json()
            assert not told["is_ok"], f"{kind}: {told}"  # nobody is there
        wrong = self.flock.plant(f"{kind}: typed into the wrong row")
        for name in secret:
            for value in (f"{wrong} {wrong}\n", wrong * 100, [wrong]):
                self.call("PUT", path, json={"fields": {name: value}})
        self.call("PUT", path, json={"fields": {wrong: "x"}})
        self.call("PUT", path, content=f'{{"fields": {{"{wrong}"'.encode())

    # --- asking ---------------------------------------------------------------------------------

    def ask_everything(self) -> set[str]:
        """Every route there is: those that read with every id that is known, the others with
        nothing to do. The reading ones that never went well."""
        routes = [(method, one.path_format) for one in all_routes() for method in one.methods or ()]
        reading = {path for method, path in routes if method == "GET"}
        for path in sorted(reading - {STREAM}):
            for filled in self._filled(path):
                if self.call("GET", filled, params=QUERIES.get(path)).is_success:
                    self.heard.answered.add(path)
        self._listen()
        self.call("GET", "/openapi.json")
        for method, path in sorted(routes):
            if method != "GET" and f"{method} {path}" not in NOT_CALLED:
                nothing = path.replace("{", "").replace("}", "")
                for body in ({}, {"fields": 1}):
                    answer = self.call(method, nothing, json=body)
                    assert answer.status_code != 500, f"{method} {path}: {answer.text}"
        return reading - self.heard.answered

    def _filled(self, path: str) -> Iterator[str]:
        """A route's address with each id in the place of its parameters."""
        name = path.partition("{")[2].partition("}")[0]
        if not name:
            yield path
            return
        for one in self.ids.values():
            filled = path.replace(f"{{{name}}}", one)
            yield filled.partition("{")[0].rstrip("/") if "{" in filled else filled

    def _listen(self) -> None:
        with self.http.stream("GET", STREAM) as response:
            lines = response.iter_lines()
            self.heard.add(STREAM, "\n".join(next(lines) for _ in range(3)).encode())
        self.heard.answered.add(STREAM)

    def run_commands(self) -> set[str]:
        """Every command that needs nothing to be named, as text and as JSON; those that ran."""
        ran = set()
        for words in sorted(commands()):
            for more in ([], ["--json"]):
                out, err = io.StringIO(), io.StringIO()
                with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                    main([*words, *more])
                self.heard.add(" ".join(words), (out.getvalue() + err.getvalue()).encode())
            ran.add(" ".join(words))
        return ran


@contextlib.contextmanager
def speaking_to(copy: Copy, flock: Flock) -> Iterator[CanaryRun]:
    """A run with a running engine, over one connection."""
    headers = {"Authorization": f"Bearer {copy.token}"}
    with httpx.Client(
        base_url=copy.engine_url, headers=headers, timeout=90, verify=NO_TLS, trust_env=False
    ) as http:
        yield CanaryRun(copy, flock, http)


def commands() -> Iterator[tuple[str, ...]]:
    """The commands that need no argument."""
    yield from _leaves(typer.main.get_command(build()), ())


def _leaves(group: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, one in group.commands.items():
        if " ".join((*path, name)) in NOT_RUN:
            continue
        if hasattr(one, "commands"):
            yield from _leaves(one, (*path, name))
        elif not any(param.required for param in one.params):
            yield (*path, name)


def _is_field(kind: ChannelKind, others: Mapping[str, str], name: str, value: str) -> bool:
    try:
        checked_fields(kind, {**others, name: value})
    except FieldError:
        return False
    return True


def dump_of(database: Path) -> bytes:
    """A SQLite database as SQL."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return "\n".join(connection.iterdump()).encode()


def prepare(data: Path, port: int) -> None:
    """What lies in the data folder before the start: a platform described in YAML, at a closed
    port."""
    example = (ROOT / "engine/adapters/brokers/rest/example.yaml").read_text(encoding="utf-8")
    text = example.replace("https://api.sandbox.exchange.example", f"http://127.0.0.1:{port}")
    (data / "brokers").mkdir()
    (data / "brokers" / "nowhere.yaml").write_text(text, encoding="utf-8")
