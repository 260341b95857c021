"""Requests as descriptions write and sign them, against what platforms publish as examples."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import TypeAdapter

from engine.adapters.brokers.rest.endpoints import Endpoint, PlaceEndpoint
from engine.adapters.brokers.rest.requests import Prepared, key_bytes, prepare, sign
from engine.adapters.brokers.rest.signatures import Authentication, Signing, TimeFormat
from engine.adapters.brokers.rest.timekeeping import read_time, written
from engine.domain.money import from_epoch_ms

SECRETS = {"key": "the-key", "secret": "the-secret", "passphrase": "the-phrase"}
NOW = datetime(2026, 3, 2, 12, 0, 0, 250_000, tzinfo=UTC)
PLAIN = Prepared("POST", "https://x.example", "/v1/orders", "a=1", '{"b":"2"}')


def signed(request: Prepared = PLAIN, now: datetime = NOW, **told: Any) -> Prepared:
    """The request signed as a description says."""
    how: Signing = TypeAdapter(Authentication).validate_python(told)
    return sign(request, how, SECRETS, now)


def test_simple_ways_put_the_secret_where_they_say() -> None:
    assert signed(method="none") == PLAIN
    headers = signed(method="header", headers={"X-Key": "id {secret.key}"}).headers
    assert headers == {"X-Key": "id the-key"}
    assert signed(method="bearer").headers == {"Authorization": "Bearer the-key"}
    basic = signed(method="basic").headers["Authorization"]
    assert base64.b64decode(basic.removeprefix("Basic ")) == b"the-key:the-secret"
    asked = signed(method="query", parameters={"apikey": "{secret.key}"})
    assert asked.url == "https://x.example/v1/orders?a=1&apikey=the-key"


def test_binances_own_example_of_a_signature() -> None:
    """developers.binance.com, "Request security", SIGNED endpoint example for POST /api/v3/order:
    as a query string."""
    query = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
    secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
    how: Signing = TypeAdapter(Authentication).validate_python({
        "method": "hmac", "text": "{query}{body}", "parameters": {"timestamp": "{timestamp}"},
        "signature_parameter": "signature", "headers": {"X-MBX-APIKEY": "{secret.key}"},
    })  # fmt: skip
    request = Prepared("POST", "https://api.binance.com", "/api/v3/order", query)
    moment = from_epoch_ms(1499827319559)
    done = sign(request, how, {"key": "k", "secret": secret}, moment)
    assert done.query == (
        f"{query}&timestamp=1499827319559"
        "&signature=c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
    )
    assert done.headers == {"X-MBX-APIKEY": "k"}


@pytest.mark.parametrize(
    ("form", "told"),
    [("s", "1772452800"), ("ms", "1772452800250"), ("iso", "2026-03-02T12:00:00.250000Z")],
)
def test_a_signature_over_all_parts_in_base64(form: str, told: str) -> None:
    done = signed(
        method="hmac", text="{timestamp}{method}{path}?{query}{body}{secret.passphrase}",
        algorithm="sha512", encoding="base64", secret_encoding="base64", timestamp=form,
        secret="dGhlLXNlY3JldA==",
        headers={"Sign": "{signature}", "Time": "{timestamp}", "Phrase": "{secret.passphrase}"},
    )  # fmt: skip
    text = f'{told}POST/v1/orders?a=1{{"b":"2"}}the-phrase'.encode()
    digest = hmac.new(b"the-secret", text, hashlib.sha512).digest()
    assert done.headers == {
        "Sign": base64.b64encode(digest).decode(), "Time": told, "Phrase": "the-phrase",
    }  # fmt: skip


def test_secrets_are_in_no_repr() -> None:
    done = signed(method="query", parameters={"apikey": "{secret.key}"})
    assert "the-key" not in repr(done)


@pytest.mark.parametrize("encoding", ["base64", "hex"])
def test_a_secret_that_is_not_written_so_is_noticed(encoding: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        key_bytes("not !! written so", encoding)


def endpoint(**told: Any) -> Endpoint:
    """An order's endpoint."""
    return PlaceEndpoint.model_validate({"method": "POST", **told})


def prepared(one: Endpoint, numbers: str = "text", **values: Any) -> Prepared:
    """Its request."""
    told: dict[str, Any] = {
        "symbol": "A/B",
        "client_id": "c-1",
        "side": "buy",
        "quantity": Decimal("1E-7"),
    }
    address = "https://x.example/api"
    return prepare(one, address, {**told, **values}, times=TimeFormat.S, numbers=numbers)


ORDER = {"id": "{client_id}", "side": "{side}", "size": "{quantity}", "price": "{price}"}


def test_what_has_no_value_is_left_out_and_amounts_are_plain() -> None:
    one = endpoint(path="/v1/{symbol}/orders", body={**ORDER, "post": True, "depth": 5})
    done = prepared(one)
    assert (done.method, done.path) == ("POST", "/api/v1/A%2FB/orders")
    assert done.body == ('{"id":"c-1","side":"buy","size":"0.0000001","post":true,"depth":5}')
    assert done.headers["Content-Type"] == "application/json"
    assert prepared(one, price=Decimal("12.50")).body.count('"price":"12.5"') == 1


def test_a_form_and_a_query() -> None:
    one = endpoint(path="/o", query={"symbol": "{symbol}", "dry": False}, body=ORDER,
                   body_form="form")  # fmt: skip
    done = prepared(one)
    assert done.url == "https://x.example/api/o?symbol=A%2FB&dry=false"
    assert done.body == "id=c-1&side=buy&size=0.0000001"
    assert done.headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_a_number_in_json_has_the_same_digits() -> None:
    one = endpoint(path="/o", query={"symbol": "{symbol}"}, body=ORDER)
    assert '"size":1e-07,"price":3' in prepared(one, "number", price=Decimal(3)).body


@pytest.mark.parametrize("form", list(TimeFormat))
def test_times_are_read_as_they_are_written(form: TimeFormat) -> None:
    moment = NOW.replace(microsecond=0)
    assert read_time(written(moment, form), form) == moment


@pytest.mark.parametrize(
    ("told", "form"),
    [
        ("soon", "ms"), (None, "ms"), (True, "s"), (-1, "ms"), ("NaN", "s"), ([], "s"),
        (1772452800250, "s"), ("12 o'clock", "iso"), (None, "iso"),
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused(told: Any, form: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_time(told, TimeFormat(form))


def test_fractions_of_seconds_and_times_without_a_zone_are_read() -> None:
    assert read_time("1772452800.25", TimeFormat.S) == NOW
    assert read_time(Decimal("1772452800.25"), TimeFormat.S) == NOW
    assert read_time("2026-03-02T12:00:00.25", TimeFormat.ISO) == NOW
    assert read_time("2026-03-02T13:00:00.25+01:00", TimeFormat.ISO) == NOW
