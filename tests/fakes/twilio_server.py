"""Twilio's REST API on the loopback, as its documentation has it: messages, account, numbers.

``texts`` is what phones have got, ``messages`` the provider's own records, newest last. Faults of
its own: ``rate_limited`` (429; the value is Retry-After), ``queue_full`` (21611), ``suspended``,
``error`` (400; the value is Twilio's code). Numbers that are refused as documented: those of
``wrong`` (21211), ``unsubscribed`` (21610), and on a trial account those not in ``verified``
(21608).
"""

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

from tests.fakes.provider_server import Asked, ProviderServer, Reply, serving_provider

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "test-token-of-the-loopback-twilio"
SERVICE = "MG" + "fedcba9876543210" * 2
SENDER = "+15005550006"
PHONE = "+4915112345678"
TRIAL_PREFIX = "Sent from your Twilio trial account - "
LONGEST = 1_600
FORM = "application/x-www-form-urlencoded"
FIELDS = {"To", "From", "MessagingServiceSid", "Body", "SmartEncoded", "ValidityPeriod"}
FILTERS = {"To", "PageSize", "Page", "PageToken"}
"""Of a list, as far as they are kept here."""
BASIC = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ÄÖÑÜ§¿äöñüà"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)
TWICE = set("^{}\\[~]|€")


def utc_now() -> datetime:
    """The machine's time."""
    return datetime.now(UTC)


def segments_of(text: str) -> int:
    """As Twilio bills them: 160 letters of GSM 03.38, 153 each of more, 70 and 67 of others."""
    if set(text) <= BASIC | TWICE:
        size = len(text) + sum(one in TWICE for one in text)
        return 1 if size <= 160 else -(-size // 153)
    size = len(text.encode("utf-16-le")) // 2
    return 1 if size <= 70 else -(-size // 67)


@dataclass
class TwilioServer(ProviderServer):
    """The account as a test sees it. ``price``: of a segment, told at once when it is set."""

    token: str = TOKEN
    is_trial: bool = False
    status: str = "active"
    balance: str = "14.50"
    numbers: list[str] = field(default_factory=lambda: [SENDER])
    verified: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    unsubscribed: list[str] = field(default_factory=list)
    price: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)
    now: Callable[[], datetime] = utc_now

    @property
    def texts(self) -> list[tuple[str, str]]:
        """Number and text of each message that was taken, in order."""
        return [(one["to"], one["body"]) for one in self.messages]

    def sends(self, asked: Asked) -> bool:
        """See ProviderServer."""
        return asked.method == "POST"

    def fault(self, name: str, value: str, asked: Asked) -> Reply:
        """See ProviderServer."""
        if name == "down":
            return error(503, 20503, "Service Unavailable")
        if name == "broken":
            return error(500, 20500, "Internal Server Error")
        if name == "rate_limited":
            told = {"Retry-After": value} if value else {}
            return error(429, 20429, "Too Many Requests", told)
        if name == "queue_full":
            words = (
                f"This 'From' number has exceeded the maximum number of queued messages: {value}"
            )
            return error(400, 21611, words)
        if name == "suspended":
            return error(401, 20005, "Account is not active")
        assert name == "error", name
        return error(400, int(value), "An error of a test.")

    def answer(self, asked: Asked) -> Reply:
        """See ProviderServer."""
        if not self._is_let_in(asked):
            return error(401, 20003, "Authenticate")
        path = asked.path
        if path == f"/v1/Services/{SERVICE}":
            return Reply(200, {"sid": SERVICE, "account_sid": ACCOUNT, "friendly_name": "Alerts"})
        root = f"/2010-04-01/Accounts/{ACCOUNT}"
        if not path.startswith(root) or not path.endswith(".json"):
            return error(404, 20404, f"The requested resource {path} was not found")
        rest = path.removeprefix(root).removesuffix(".json")
        with self.lock:
            if (asked.method, rest) == ("POST", "/Messages"):
                return self._create(asked)
            if asked.method != "GET":
                return error(405, 20004, "Method not allowed")
            return self._read(rest, asked)

    def _is_let_in(self, asked: Asked) -> bool:
        pair = base64.b64encode(f"{ACCOUNT}:{self.token}".encode()).decode()
        return asked.headers.get("authorization") == f"Basic {pair}"

    def _create(self, asked: Asked) -> Reply:
        if asked.headers.get("content-type") != FORM:
            return error(415, 20001, "Unsupported content type")
        form = asked.form
        if set(form) - FIELDS:
            return error(400, 20001, f"Unknown parameters: {sorted(set(form) - FIELDS)}")
        refusal = self._objection(form)
        if refusal is not None:
            return refusal
        body = (TRIAL_PREFIX if self.is_trial else "") + form["Body"]
        made = self._record(form, body)
        self.messages.append(made)
        return Reply(201, made)

    def _objection(self, form: Mapping[str, str]) -> Reply | None:
        to, sender = form.get("To", ""), form.get("From", "")
        service = form.get("MessagingServiceSid", "")
        for name, code in (("To", 21604), ("Body", 21602)):
            if not form.get(name):
                return error(400, code, f"A '{name}' is required.")
        if len(form["Body"].encode("utf-16-le")) // 2 > LONGEST:
            words = "The concatenated message body exceeds the 1600 character limit"
            return error(400, 21617, words)
        if bool(sender) == bool(service):
            return error(400, 21603, "A 'From' phone number is required.")
        if service and service != SERVICE:
            return error(404, 21705, "The Messaging Service Sid is invalid.")
        if sender and sender not in self.numbers:
            words = f"'From' {sender} is not a Twilio phone number or Short Code country mismatch"
            return error(400, 21659, words)
        return self._number_objection(to)

    def _number_objection(self, to: str) -> Reply | None:
        if to in self.wrong:
            return error(400, 21211, f"Invalid 'To' Phone Number: {to[:-4]}XXXX")
        if to in self.unsubscribed:
            return error(400, 21610, "Attempt to send to unsubscribed recipient")
        if self.is_trial and to not in self.verified:
            words = f"The number {to[:-4]}XXXX is unverified. Trial accounts cannot send messages"
            return error(400, 21608, words)
        return None

    def _record(self, form: Mapping[str, str], body: str) -> dict[str, Any]:
        sid = f"SM{len(self.messages) + 1:032x}"
        segments, service = segments_of(body), form.get("MessagingServiceSid")
        moment = format_datetime(self.now().astimezone(UTC).replace(microsecond=0))
        return {
            "sid": sid, "account_sid": ACCOUNT, "api_version": "2010-04-01", "body": body,
            "date_created": moment, "date_updated": moment, "date_sent": None,
            "direction": "outbound-api", "error_code": None, "error_message": None,
            "from": form.get("From"), "to": form["To"], "messaging_service_sid": service,
            "num_media": "0", "num_segments": "0" if service else str(segments),
            "price": f"-{float(self.price) * segments:.5f}" if self.price else None,
            "price_unit": "USD", "status": "accepted" if service else "queued",
            "subresource_uris": {}, "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{sid}.json",
        }  # fmt: skip

    def _read(self, rest: str, asked: Asked) -> Reply:
        if rest == "":
            kind = "Trial" if self.is_trial else "Full"
            body = {"sid": ACCOUNT, "friendly_name": "My account", "status": self.status,
                    "type": kind}  # fmt: skip
            return Reply(200, body)
        if rest == "/Balance":
            body = {"account_sid": ACCOUNT, "balance": self.balance, "currency": "USD"}
            return Reply(200, body)
        if rest in ("/IncomingPhoneNumbers", "/OutgoingCallerIds"):
            held = self.numbers if rest == "/IncomingPhoneNumbers" else self.verified
            wanted = asked.query.get("PhoneNumber")
            found = [{"sid": f"PN{index:032x}", "phone_number": one}
                     for index, one in enumerate(held) if wanted in (None, one)]  # fmt: skip
            name = "incoming_phone_numbers" if "Incoming" in rest else "outgoing_caller_ids"
            return Reply(200, {name: found, "next_page_uri": None})
        if rest == "/Messages":
            return self._list(asked)
        for one in self.messages:
            if rest == f"/Messages/{one['sid']}":
                return Reply(200, one)
        return error(404, 20404, f"The requested resource {rest} was not found")

    def _list(self, asked: Asked) -> Reply:
        query = dict(asked.query)
        if set(query) - FILTERS:
            return error(400, 20001, f"Unknown parameters: {sorted(set(query) - FILTERS)}")
        to = query.get("To")
        found = [one for one in reversed(self.messages) if to in (None, one["to"])]
        size, page = int(query.get("PageSize", "50")), int(query.get("Page", "0"))
        more = None
        if len(found) > (page + 1) * size:
            after = urlencode({**query, "Page": page + 1, "PageToken": f"PA{page}"})
            more = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json?{after}"
        shown = found[page * size : (page + 1) * size]
        return Reply(200, {"messages": shown, "page": page, "page_size": size,
                           "next_page_uri": more})  # fmt: skip


def error(status: int, code: int, words: str, headers: Mapping[str, str] | None = None) -> Reply:
    """An error as Twilio writes one."""
    body = {"code": code, "message": words, "status": status,
            "more_info": f"https://www.twilio.com/docs/errors/{code}"}  # fmt: skip
    return Reply(status, body, headers or {})


def settings(**changes: str) -> dict[str, str]:
    """What a form gives that fits the account."""
    given = {"account_sid": ACCOUNT, "auth_token": TOKEN, "sender": SENDER, "to": PHONE}
    return given | changes


@contextmanager
def twilio_server(port: int = 0, **changes: Any) -> Iterator[TwilioServer]:
    """The server on a port of the loopback until the end of the block."""
    with serving_provider(TwilioServer(**changes), port) as server:
        yield server
