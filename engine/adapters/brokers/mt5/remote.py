"""A terminal on another machine, lent by ``mt5_gateway``, over HTTPS."""

import hashlib
import json
import logging
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from engine.adapters.brokers.mt5.addresses import fingerprint_of, gateway_url
from engine.adapters.brokers.mt5.terminal import Answer, AnswerLost, refused
from engine.adapters.brokers.mt5_gateway import MOST_BYTES as MOST_ASKED
from engine.adapters.brokers.mt5_gateway import PATH
from engine.errors import AccessDenied, BrokerUnavailable, ConfigError

MOST_BYTES = 64 * 1024 * 1024  # the symbols of a large broker are some 20 MB
CONNECT_S = 5.0
TIMEOUT_S = 20.0
NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
)
REFUSALS = frozenset({400, 401, 403, 404, 409, 411, 413, 503})
"""What the gateway answers without having asked the terminal."""


class RemoteTerminal:
    """Implements ``Terminal`` over a gateway; nothing is ever sent twice.

    ``fingerprint`` (SHA-256 of the certificate) or ``ca_file`` say whom to trust where that is not
    a public authority; plain HTTP is for this machine only. Raises ValueError for an address or
    fingerprint that is none.
    """

    def __init__(
        self, url: str, token: str, *,
        fingerprint: str = "", ca_file: str = "", timeout_s: float = TIMEOUT_S,
    ) -> None:  # fmt: skip
        for name in ("httpx", "httpcore"):  # their debug lines tell of each request
            logging.getLogger(name).setLevel(logging.WARNING)
        self._url = gateway_url(url)
        self._token = token
        self._fingerprint = fingerprint_of(fingerprint)
        self._ca_file = ca_file
        self._timeout_s = timeout_s
        self._client: httpx.Client | None = None

    def call(
        self,
        function: str,
        arguments: Sequence[Any] = (),
        named: Mapping[str, Any] | None = None,
        *,
        account: int | None = None,
        request_id: str = "",
    ) -> Answer:
        """As the protocol says."""
        body = json.dumps(
            {
                "function": function, "arguments": list(arguments), "named": dict(named or {}),
                "account": account, "request_id": request_id,
            }
        )  # fmt: skip
        if len(body) > MOST_ASKED:
            raise ConfigError("A request to the gateway is too long.")
        status, text = self._post(body)
        if status in REFUSALS:
            raise _refusal(status, text)
        answer = _object(text) if status == 200 else None
        match answer:
            case {"result": result, "error": [int(code), str(words)]}:
                return Answer(result, code, words)
        raise AnswerLost(f"the gateway answered {status} with what cannot be read")

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _post(self, body: str) -> tuple[int, bytes]:
        client = self._opened()
        try:
            with client.stream("POST", f"{self._url}{PATH}", content=body) as response:
                text = bytearray()
                for chunk in response.iter_bytes():
                    text += chunk
                    if len(text) > MOST_BYTES:
                        raise AnswerLost("the gateway's answer is too long")
                return response.status_code, bytes(text)
        except NEVER_SENT as error:
            raise BrokerUnavailable(_no_connection(error)) from error
        except httpx.HTTPError as error:
            raise AnswerLost(f"the gateway's answer was lost ({type(error).__name__})") from error

    def _opened(self) -> httpx.Client:
        if self._client is None:
            self._client = httpx.Client(
                verify=self._trust(),
                timeout=httpx.Timeout(self._timeout_s, connect=CONNECT_S),
                headers={
                    "Authorization": f"Bearer {self._token}", "Content-Type": "application/json",
                },
                trust_env=False,
            )  # fmt: skip
        return self._client

    def _trust(self) -> ssl.SSLContext | bool:
        """Whom to trust. Raises ConfigError, AccessDenied, BrokerUnavailable."""
        if not self._url.startswith("https:"):
            return True
        if self._fingerprint:
            return _pinned(self._url, self._fingerprint)
        if not self._ca_file:
            return True
        if not Path(self._ca_file).is_file():
            raise ConfigError(f"There is no file '{self._ca_file}'.", field="ca_file")
        try:
            return ssl.create_default_context(cafile=self._ca_file)
        except ssl.SSLError as error:
            raise ConfigError(
                f"'{self._ca_file}' holds no certificates.", field="ca_file"
            ) from error


def _pinned(url: str, fingerprint: str) -> ssl.SSLContext:
    """Trust in the one certificate of that fingerprint, whatever name it is for.

    It is fetched first, without a request; only if it is the right one is anything sent, and over
    a connection that presents this very certificate.
    """
    parts = urlsplit(url)
    try:
        pem = ssl.get_server_certificate(
            (parts.hostname or "", parts.port or 443), timeout=CONNECT_S
        )
    except OSError as error:
        raise BrokerUnavailable(_no_connection(error)) from error
    shown = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    if shown != fingerprint:
        raise AccessDenied(
            f"The gateway's certificate has the fingerprint {shown[:16]}..., not the one that is "
            "set: if it was made anew, set the new one; otherwise somebody is in between."
        )
    context = ssl.create_default_context(cadata=pem)
    context.check_hostname = False  # it is known by its fingerprint
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # of its making nothing else is asked
    return context


def _no_connection(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY" in str(cause):
            return (
                "The gateway's certificate is not trusted: set its fingerprint, which the gateway "
                "shows when it starts, or its CA file. Nothing was sent."
            )
        cause = cause.__cause__ or cause.__context__
    return (
        "The MetaTrader gateway cannot be reached: is it running, and does the firewall of its "
        f"machine let it through? ({type(error).__name__})"
    )


def _object(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _refusal(status: int, text: bytes) -> Exception:
    match _object(text):
        case {"refused": "token"}:
            return AccessDenied("The gateway does not accept the token: set the one of its file.")
        case {"refused": str(code), "words": str(words)}:
            return refused(code, words)
    return AnswerLost(f"an answer {status} that is not the gateway's")
