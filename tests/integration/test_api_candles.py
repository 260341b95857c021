"""The routes of candles over HTTP: the library, imports in two steps, downloads, large uploads."""

import csv
import io
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from engine.api import routes_candles
from engine.contracts.candles import (
    CandleDetail,
    Download,
    ImportedView,
    PreviewView,
    SourceView,
    StoredSet,
)
from engine.domain.candle_sets import CandleSet
from engine.errors import StoreError
from tests.fakes.services import FakeServices
from tests.support.candle_rows import candles_of, without
from tests.support.fake_api import API, api_over, error_of

BTC = CandleSet(symbol="BTC/USDT", timeframe="1h")
HEAD = b"time,open,high,low,close,volume\n"
ROWS = b"2026-03-02T00:00Z,1,2,0.5,1.5,5\n2026-03-02T01:00Z,1,2,0.5,1.5,5\n"
BINARY = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def services() -> Iterator[FakeServices]:
    made = FakeServices(1, 0, 0)
    yield made
    made.candles.join()


@pytest.fixture
def api(services: FakeServices) -> Iterator[httpx.Client]:
    with api_over(services) as client:
        yield client


def upload(api: httpx.Client, content: bytes, **query: str) -> httpx.Response:
    return api.post(f"{API}/candles/inspect", content=content, params=query, headers=BINARY)


def test_the_library_one_set_and_its_csv(api: httpx.Client, services: FakeServices) -> None:
    assert api.get(f"{API}/candles").json() == []
    candles = without(candles_of([0.1 + 0.2, 2, 3, 4, 5]), 2)
    services.candles.library.merge(BTC, candles)
    services.candles.library.broken["ETH-USDT.1h~csv"] = "a price is not above zero in line 7"
    listed = TypeAdapter(list[StoredSet]).validate_json(api.get(f"{API}/candles").content)
    assert [(one.id, bool(one.error)) for one in listed] == [
        ("BTC-USDT.1h", False), ("ETH-USDT.1h~csv", True)
    ]  # fmt: skip
    detail = CandleDetail.model_validate_json(api.get(f"{API}/candles/BTC-USDT.1h").content)
    assert detail.report is not None
    assert [gap.missing for gap in detail.report.gaps] == [1]
    broken = CandleDetail.model_validate_json(api.get(f"{API}/candles/ETH-USDT.1h~csv").content)
    assert (broken.report, broken.entry.error) == (None, "a price is not above zero in line 7")

    answer = api.get(f"{API}/candles/BTC-USDT.1h.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.headers["content-type"].startswith("text/csv")
    assert [float(row["open"]) for row in rows] == candles.open.tolist()
    assert rows[0]["timestamp"] == "2026-03-02T00:00:00Z"
    assert error_of(api.get(f"{API}/candles/ETH-USDT.1h~csv.csv"))["code"] == "invalid"
    for path in ("NOPE.1h", "NOPE.1h.csv", "..%2Fstate"):
        assert api.get(f"{API}/candles/{path}").status_code == 404


def test_what_is_replayed_is_not_deleted(api: httpx.Client, services: FakeServices) -> None:
    services.candles.library.merge(BTC, candles_of([1, 2]))
    bot = next(iter(services.bots.values()))
    config = bot.config.model_copy(update={"market": "replay:/memory/BTC-USDT.1h.parquet?speed=2"})
    services.candles.books.bots[bot.id] = bot.model_copy(update={"config": config})
    refusal = error_of(api.delete(f"{API}/candles/BTC-USDT.1h"))
    assert refusal["code"] == "conflict"
    assert bot.config.name in refusal["message"]
    services.candles.books.bots.clear()
    assert api.delete(f"{API}/candles/BTC-USDT.1h").status_code == 204
    assert api.delete(f"{API}/candles/BTC-USDT.1h").status_code == 404


def test_an_import_is_shown_first_and_kept_when_it_is_confirmed(
    api: httpx.Client, services: FakeServices
) -> None:
    answer = upload(api, HEAD + ROWS, name="BTCUSDT-1h-2026.csv")
    found = PreviewView.model_validate_json(answer.content)
    assert (found.symbol, found.report.timeframe, found.kind) == ("BTC/USDT", "1h", "crypto")
    assert found.report.problems == ()
    assert services.candles.library.list() == []
    again = api.post(f"{API}/candles/inspect", params={
        "upload_id": found.upload_id, "name": found.name, "symbol": "IBM", "timeframe": "1d",
    })  # fmt: skip
    assert again.json()["report"]["problems"][0]["kind"] == "timeframe"
    asked = {"upload_id": found.upload_id, "name": found.name}
    done = api.post(f"{API}/candles/import", json=asked)
    view = ImportedView.model_validate_json(done.content)
    assert (view.entry.id, view.rows, view.merged.added) == ("BTC-USDT.1h", 2, 2)
    assert error_of(api.post(f"{API}/candles/import", json=asked))["code"] == "not_found"
    with services.candles.store.reading() as tx:
        assert [one.action for one in tx.audit.select()] == ["candles.import"]


def test_a_repair_is_never_made_unasked(api: httpx.Client, services: FakeServices) -> None:
    lines = ROWS.splitlines(keepends=True)
    found = upload(api, HEAD + lines[1] + lines[0] + lines[0], name="BTC-USDT.1h.csv").json()
    asked = {"upload_id": found["upload_id"], "name": "BTC-USDT.1h.csv"}
    refusal = error_of(api.post(f"{API}/candles/import", json=asked))
    assert refusal["details"][0]["field"] == "repair"
    assert "earlier than the row before" in refusal["message"]
    assert services.candles.library.list() == []
    assert api.post(f"{API}/candles/import", json=asked | {"repair": True}).json()["rows"] == 2


UNUSABLE = (
    (HEAD + ROWS + ROWS.replace(b"1.5", b"1.6"), "BTC-USDT.1h.csv", "same time", "file"),
    (HEAD + ROWS.replace(b"0.5", b"-1", 1), "BTC-USDT.1h.csv",
     "not above zero (line 2: open 1, high 2, low -1", "file"),
    (HEAD + ROWS[:32], "BTC-USDT.1h.csv", "at least 2", "file"),
    (HEAD + ROWS, "some candles of mine.csv", "Say which symbol", "symbol"),
)  # fmt: skip


def test_what_cannot_be_used_is_refused_in_words(api: httpx.Client, services: FakeServices) -> None:
    for body, name, words, field in UNUSABLE:
        found = upload(api, body, name=name).json()
        asked = {"upload_id": found["upload_id"], "name": name, "repair": True}
        refusal = error_of(api.post(f"{API}/candles/import", json=asked))
        assert words in refusal["message"]
        assert refusal["details"][0]["field"] == field
    assert services.candles.library.list() == []


def test_what_is_no_candle_file_and_what_is_too_large(
    api: httpx.Client, services: FakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No candles are recognised" in error_of(upload(api, b"a,b,c,d,e,f\n"))["message"]
    assert error_of(upload(api, b""))["message"] == "The file is empty."
    monkeypatch.setattr(routes_candles, "MAX_UPLOAD_BYTES", 1000)
    answer = upload(api, HEAD + ROWS * 40)
    assert (answer.status_code, error_of(answer)["code"]) == (413, "too_large")
    assert "candles import" in error_of(answer)["message"]
    assert error_of(upload(api, HEAD, upload_id="../../state.db"))["code"] == "not_found"


def test_a_full_disk_refuses_the_import_and_keeps_the_upload(
    api: httpx.Client, services: FakeServices
) -> None:
    found = upload(api, HEAD + ROWS, name="BTC-USDT.1h.csv").json()
    asked = {"upload_id": found["upload_id"], "name": "BTC-USDT.1h.csv"}
    services.candles.library.is_full = True
    answer = api.post(f"{API}/candles/import", json=asked)
    assert (answer.status_code, error_of(answer)["code"]) == (503, StoreError.code)
    services.candles.library.is_full = False
    assert api.post(f"{API}/candles/import", json=asked).status_code == 200


def test_a_download_is_asked_for_cancelled_and_resumed(
    api: httpx.Client, services: FakeServices
) -> None:
    sources = TypeAdapter(list[SourceView]).validate_json(api.get(f"{API}/candles/sources").content)
    assert [(one.id, one.needs) for one in sources] == [("ccxt:fake", ""), ("alpaca", "a key")]
    services.candles.source.gate.clear()
    since = services.now() - timedelta(hours=30)
    asked: dict[str, Any] = {"source": "ccxt:fake", "symbol": "btc-usdt", "timeframe": "1h",
                             "since": since.isoformat()}  # fmt: skip
    answer = api.post(f"{API}/candles/downloads", json=asked)
    begun = Download.model_validate_json(answer.content)
    assert (answer.status_code, begun.symbol, begun.set_id) == (
        202, "BTC/USDT", "BTC-USDT.1h@ccxt-fake",
    )  # fmt: skip
    assert services.candles.source.arrived.wait(60)
    path = f"{API}/candles/downloads/{begun.id}"
    assert api.post(f"{path}/cancel").status_code == 200
    services.candles.source.gate.set()
    services.candles.join()
    [cancelled] = api.get(f"{API}/candles/downloads").json()
    assert (cancelled["state"], cancelled["bars"]) == ("cancelled", 10)
    assert api.post(f"{path}/resume").json()["state"] == "waiting"
    services.candles.join()
    assert api.get(f"{API}/candles/downloads").json()[0]["state"] == "done"
    assert api.post(f"{path}/resume").status_code == 409
    assert api.post(f"{API}/candles/downloads/nothing/cancel").status_code == 404


WRONG = (
    ({"source": "mars"}, "source"),
    ({"symbol": "BTCUSDT"}, "symbol"),
    ({"symbol": "x" * 41}, "symbol"),
    ({"timeframe": "7m"}, "timeframe"),
    ({"since": "2999-01-01T00:00:00Z"}, "since"),
    ({"since": "2026-01-01T00:00:00"}, "since"),
    ({"colour": "red"}, "colour"),
)


def test_a_wrong_download_names_its_field(api: httpx.Client) -> None:
    asked = {"source": "ccxt:fake", "symbol": "BTC/USDT", "timeframe": "1h",
             "since": "2026-01-01T00:00:00Z"}  # fmt: skip
    for change, field in WRONG:
        answer = api.post(f"{API}/candles/downloads", json=asked | change)
        assert answer.status_code == 422, change
        assert error_of(answer)["details"][0]["field"] == field
