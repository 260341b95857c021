"""A real SMTP server on the loopback (aiosmtpd), with TLS and a user: what it takes is ``mails``.

Faults, for the next mail: ``wrong_password`` (535), ``app_password`` (534), ``wrong_sender`` (553),
``wrong_number`` (550 for the first address), ``greylisted`` (450), ``down`` (421), ``spam`` (554
after the mail), ``full`` (452 after it), ``cut`` (before the mail), ``slow`` (no answer before it),
``cut_after_accept``, ``timeout_after_accept``.
"""

import asyncio
import logging
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "quarterdeck@example.org", "test-password-of-the-loopback-mail"
TO = "ada@example.org"
LONGEST_WAIT_S = 30.0
SAID = {
    "wrong_sender": "553 5.7.1 Sender address rejected: not owned by user",
    "wrong_number": "550 5.1.1 No such user here",
    "greylisted": "450 4.2.0 Greylisted, try again later",
    "down": "421 4.3.2 Service shutting down",
    "spam": "554 5.7.1 Message rejected as spam",
    "full": "452 4.2.2 Mailbox full",
}
REFUSED_AUTH = {
    "wrong_password": "535 5.7.8 Username and Password not accepted",
    "app_password": "534 5.7.9 Application-specific password required",
}


@dataclass
class MailServer:
    """The server as a test sees it. ``ca_file`` is the authority's certificate, PEM; ``begun``
    counts the mails that came to their sender's name or to a password that was refused."""

    security: str = "starttls"
    wants_user: bool = True
    ca_file: Path = Path()
    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    begun: int = 0
    faults: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    _refused: tuple[Session | None, str] = (None, "")

    def fail(self, name: str, _value: object = "") -> None:
        """Let the next mail go wrong."""
        self.faults.append(name)

    def release(self) -> None:
        """Let those go on that ``slow`` or ``timeout_after_accept`` hold."""
        self.released.set()

    def settings(self, **changes: str) -> dict[str, str]:
        """What a form gives that fits the server."""
        given = {"host": "127.0.0.1", "port": str(self.port), "security": self.security,
                 "user": USER, "password": PASSWORD, "sender": USER, "to": TO,
                 "ca_file": str(self.ca_file)}  # fmt: skip
        return given | changes

    # --- what aiosmtpd calls

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:  # fmt: skip
        """The mail's sender."""
        self.begun += 1
        if await self._breaks(server, "cut", "slow"):
            return "421 4.4.2 Gone"
        for name in ("wrong_sender", "down"):
            if self._takes(name):
                return SAID[name]
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Ok"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:  # fmt: skip
        """One of those it is for."""
        for name in ("wrong_number", "greylisted"):
            if self._takes(name):
                return SAID[name]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """The mail itself."""
        for name in ("spam", "full"):
            if self._takes(name):
                return SAID[name]
        self.envelopes.append(envelope)
        content = envelope.content
        assert isinstance(content, bytes)
        mail = message_from_bytes(content, policy=default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        await self._breaks(server, "cut_after_accept", "timeout_after_accept")
        return f"250 2.0.0 Ok: queued as {len(self.mails):08X}"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:  # fmt: skip
        """Whether a user is let in."""
        for name, words in REFUSED_AUTH.items():
            if self._takes(name):
                self.begun += 1
                self._refused = (session, words)
        if self._refused[0] is session:  # by whatever mechanism it tries next
            return AuthResult(success=False, handled=False, message=self._refused[1])
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login.decode())
        if (data.login, data.password) == (USER.encode(), PASSWORD.encode()):
            return AuthResult(success=True)
        words = REFUSED_AUTH["wrong_password"]
        return AuthResult(success=False, handled=False, message=words)

    def _takes(self, name: str) -> bool:
        """Whether this is what goes wrong now."""
        is_next = bool(self.faults) and self.faults[0] == name
        if is_next:
            self.faults.pop(0)
        return is_next

    async def _breaks(self, server: SMTP, cut: str, wait: str) -> bool:
        """Cut the connection, now or after a long while, when that is what goes wrong."""
        is_cut, waits = self._takes(cut), self._takes(wait)
        if waits:
            await asyncio.to_thread(self.released.wait, LONGEST_WAIT_S)
        if is_cut or waits:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return is_cut or waits


@contextmanager
def mail_server(
    folder: Path, *, certificate_of: str = "127.0.0.1", is_known: bool = True, **changes: Any
) -> Iterator[MailServer]:
    """The server until the end of the block; ``is_known``: its authority's certificate is that of
    ``ca_file``, which is written to ``folder``."""
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # of what tests break on purpose
    server = MailServer(**changes)
    authority = trustme.CA()
    server.ca_file = folder / "authority.pem"
    known = authority if is_known else trustme.CA()
    known.cert_pem.write_to_path(str(server.ca_file))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(certificate_of).configure_cert(tls)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="mail-server", daemon=True)
    thread.start()
    listening = asyncio.run_coroutine_threadsafe(_listen(server, tls), loop).result(60)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        server.release()
        asyncio.run_coroutine_threadsafe(_end(listening), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()


async def _listen(server: MailServer, tls: ssl.SSLContext) -> asyncio.Server:
    loop = asyncio.get_running_loop()

    def protocol() -> SMTP:
        return SMTP(
            server, hostname="mail.example.org", ident="loopback", loop=loop,
            tls_context=tls if server.security == "starttls" else None,
            require_starttls=server.security == "starttls", auth_required=server.wants_user,
            auth_require_tls=server.security == "starttls", authenticator=server.authenticate,
        )  # fmt: skip

    is_tls = server.security == "tls"
    return await loop.create_server(protocol, "127.0.0.1", 0, ssl=tls if is_tls else None)


async def _end(listening: asyncio.Server) -> None:
    """Close it, and end the connections that are left."""
    listening.close()
    mine = asyncio.current_task()
    left = [one for one in asyncio.all_tasks() if one is not mine]
    for one in left:
        one.cancel()
    await asyncio.gather(*left, return_exceptions=True)
