"""Requests as a description writes them, and signed as it says."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from engine.adapters.brokers.rest.endpoints import Endpoint
from engine.adapters.brokers.rest.signatures import (
    BasicSigning,
    BearerSigning,
    HeaderSigning,
    HmacSigning,
    NoSigning,
    QuerySigning,
    Signing,
    TimeFormat,
)
from engine.adapters.brokers.rest.timekeeping import written
from engine.adapters.brokers.rest.words import PLACE, Template
from engine.domain.money import text
from engine.errors import OrderRejected

Values = Mapping[str, str | int | Decimal | datetime | None]


@dataclass(frozen=True)
class Prepared:
    """One request, ready to be sent. Its query and headers may hold a key: never print them."""

    method: str
    address: str
    path: str
    query: str = field(default="", repr=False)
    body: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def url(self) -> str:
        """Where it goes."""
        return f"{self.address}{self.path}" + (f"?{self.query}" if self.query else "")

    def with_query(self, parameters: Mapping[str, str]) -> "Prepared":
        """The same with more parameters at the end of its query."""
        parts = [part for part in (self.query, urlencode(parameters)) if part]
        return replace(self, query="&".join(parts))

    def with_headers(self, headers: Mapping[str, str]) -> "Prepared":
        """The same with more headers."""
        return replace(self, headers={**self.headers, **headers})


def prepare(
    endpoint: Endpoint, address: str, values: Values, *, times: TimeFormat, numbers: str
) -> Prepared:
    """The request for ``values``, not signed yet. ``numbers`` is the description's.

    Raises OrderRejected for an amount that cannot be sent as it is.
    """
    said = {name: _said(value, endpoint.times or times) for name, value in values.items()}
    amounts = {name: value for name, value in values.items() if isinstance(value, Decimal)}
    parts = urlsplit(address)
    path = endpoint.path.fill({name: quote(str(one), safe="") for name, one in said.items()})
    query = {name: _plain(one.fill(said)) for name, one in endpoint.query.items()}
    body: dict[str, Any] = {name: one.fill(said) for name, one in endpoint.body.items()}
    if numbers == "number" and endpoint.body_form == "json":
        body |= {
            name: _json_number(amounts[alone[1]])
            for name, one in endpoint.body.items()
            if (alone := PLACE.fullmatch(str(one.source))) and alone[1] in amounts
        }
    body = {name: value for name, value in body.items() if value is not None}
    content, kind = "", ""
    if body and endpoint.body_form == "json":
        content, kind = json.dumps(body, separators=(",", ":")), "application/json"
    elif body:
        content = urlencode({name: _plain(value) for name, value in body.items()})
        kind = "application/x-www-form-urlencoded"
    return Prepared(
        endpoint.method, f"{parts.scheme}://{parts.netloc}", f"{parts.path}{path}",
        urlencode({name: value for name, value in query.items() if value is not None}), content,
        {"Accept": "application/json", **({"Content-Type": kind} if kind else {})},
    )  # fmt: skip


def sign(request: Prepared, how: Signing, secrets: Mapping[str, str], now: datetime) -> Prepared:
    """The same request with what says who asks. ``now`` is the platform's time."""
    known = {f"secret.{name}": value for name, value in secrets.items()}
    match how:
        case HeaderSigning():
            return request.with_headers(_filled(how.headers, known))
        case BearerSigning():
            return request.with_headers({"Authorization": f"Bearer {how.token.fill(known)}"})
        case BasicSigning():
            pair = f"{how.username.fill(known)}:{how.password.fill(known)}".encode()
            return request.with_headers({"Authorization": f"Basic {_base64(pair)}"})
        case QuerySigning():
            return request.with_query(_filled(how.parameters, known))
        case HmacSigning():
            return _hashed(request, how, known, now)
        case NoSigning():
            return request
    raise TypeError(f"no such signing: {type(how).__name__}")


def _hashed(
    request: Prepared, how: HmacSigning, known: Mapping[str, str], now: datetime
) -> Prepared:
    values = {**known, "timestamp": written(now, how.timestamp)}
    request = request.with_query(_filled(how.parameters, values))
    told = how.text.fill({
        **values, "method": request.method, "path": request.path, "query": request.query,
        "body": request.body,
    })  # fmt: skip
    key = key_bytes(str(how.secret.fill(values)), how.secret_encoding)
    digest = hmac.new(key, str(told).encode(), getattr(hashlib, how.algorithm)).digest()
    values["signature"] = digest.hex() if how.encoding == "hex" else _base64(digest)
    if how.signature_parameter:
        request = request.with_query({how.signature_parameter: values["signature"]})
    return request.with_headers(_filled(how.headers, values))


def key_bytes(secret: str, encoding: str) -> bytes:
    """The key of a hash from its text. Raises ValueError when it is not written so."""
    if encoding == "base64":
        return base64.b64decode(secret, validate=True)
    return bytes.fromhex(secret) if encoding == "hex" else secret.encode()


def _filled(templates: Mapping[str, Template], values: Mapping[str, str]) -> dict[str, str]:
    return {name: str(one.fill(values)) for name, one in templates.items()}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _said(value: str | int | Decimal | datetime | None, times: TimeFormat) -> str | int | None:
    """A value as text; whole numbers stay numbers for JSON."""
    if isinstance(value, datetime):
        return written(value, times)
    return text(value) if isinstance(value, Decimal) else value


def _plain(value: Any) -> str | None:
    """What JSON has as true is written so in an address too."""
    return str(value).lower() if isinstance(value, bool) else value if value is None else str(value)


def _json_number(value: Decimal) -> int | float:
    """A number whose digits in JSON are exactly those of ``value``. Raises OrderRejected."""
    if value == int(value):
        return int(value)
    number = float(value)
    if Decimal(repr(number)) != value:
        raise OrderRejected(f"{text(value)} has more digits than this platform's numbers carry.")
    return number
