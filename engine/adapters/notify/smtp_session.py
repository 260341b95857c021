"""One connection to a mail server, and what each of its answers means."""

import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum

from engine.adapters.notify.wire import masked
from engine.errors import ChannelBusy, ChannelError, ChannelRefused, ChannelUnsure

NOT_SENT = "Nothing was sent."
Command = Callable[[smtplib.SMTP], tuple[int, bytes]]


class Security(StrEnum):
    """``NONE`` is for a server on this machine."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True)
class Mailbox:
    """Where a mail goes out. ``ca_file``: certificates, PEM, to trust instead of the system's."""

    host: str
    port: int
    security: Security
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""


@contextmanager
def opened(box: Mailbox, timeout_s: float) -> Iterator["SmtpSession"]:
    """Connected, encrypted and let in. Raises ChannelRefused or ChannelBusy."""
    try:
        smtp = _connected(box, timeout_s)
    except (OSError, smtplib.SMTPException) as error:
        raise _meaning(error, box) from None
    try:
        yield SmtpSession(smtp, box)
    finally:
        with suppress(OSError, smtplib.SMTPException):
            smtp.quit()  # the mail is taken or not, whatever becomes of the goodbye
        smtp.close()


def _connected(box: Mailbox, timeout_s: float) -> smtplib.SMTP:
    """Raises what smtplib raises, with the connection closed."""
    tls, name = _tls(box), _own_name()
    if box.security is Security.TLS:
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(
            box.host, box.port, name, timeout=timeout_s, context=tls
        )
    else:
        smtp = smtplib.SMTP(box.host, box.port, name, timeout=timeout_s)
    try:
        smtp.ehlo_or_helo_if_needed()
        if box.security is Security.STARTTLS:
            smtp.starttls(context=tls)
            smtp.ehlo()
        if box.user:
            smtp.login(box.user, box.password)
    except BaseException:
        smtp.close()
        raise
    return smtp


class SmtpSession:
    """One connection to a server. What fails in it is told as what it means for the mail."""

    def __init__(self, smtp: smtplib.SMTP, box: Mailbox) -> None:
        self._smtp = smtp
        self._box = box

    def ask(self, what: str, call: Command) -> str:
        """The server's words to a command. Raises ChannelRefused or ChannelBusy."""
        try:
            code, words = call(self._smtp)
        except (OSError, smtplib.SMTPException) as error:
            raise _meaning(error, self._box) from None
        if not 200 <= code < 300:
            raise _refusal(self._box, code, words, what)
        return _said(self._box, code, words)

    def name_recipient(self, address: str) -> str:
        """As ``ask``."""
        return self.ask("RCPT", lambda smtp: smtp.rcpt(address))

    def deliver(self, mail: bytes) -> str:
        """The mail itself. Raises ChannelUnsure too: from here on it may have arrived."""
        try:
            code, words = self._smtp.data(mail)
        except smtplib.SMTPDataError as error:  # before the mail itself
            raise _refusal(self._box, error.smtp_code, error.smtp_error, "DATA") from None
        except (OSError, smtplib.SMTPException) as error:
            how = "not in time" if _is_late(error) else "the connection was cut"
            raise ChannelUnsure(
                f"{self._box.host} gave no answer to the mail ({how}). It may have arrived."
            ) from None
        if not 200 <= code < 300:
            raise _refusal(self._box, code, words, "DATA")
        return _said(self._box, code, words)


def _tls(box: Mailbox) -> ssl.SSLContext:
    """Certificates and names are verified, always."""
    try:
        return ssl.create_default_context(cafile=box.ca_file or None)
    except (OSError, ssl.SSLError):
        raise ChannelRefused(
            f"The file with certificates, {box.ca_file}, cannot be read as PEM on the engine's"
            " machine. Correct its path, or leave it empty.",
            field="ca_file",
        ) from None


def _said(box: Mailbox, code: int, words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return masked(f"{code} {text}", (box.password,))


def _meaning(error: Exception, box: Mailbox) -> ChannelError:
    """What a failure before the mail itself means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(box.host, error)
    if isinstance(error, ssl.SSLError):
        return ChannelRefused(
            f"{box.host} does not speak TLS on port {box.port} so: 465 is usual for tls, 587"
            " for starttls.", answer=masked(error.reason, ()), field="security",
        )  # fmt: skip
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return ChannelRefused(
            f"{box.host} offers no such thing on port {box.port} ({masked(error, ())}): choose"
            " tls or starttls as your mail provider says, and a user only if it wants one.",
            answer=masked(error, ()), field="security",
        )  # fmt: skip
    if isinstance(error, smtplib.SMTPResponseException):
        what = "AUTH" if isinstance(error, smtplib.SMTPAuthenticationError) else "EHLO"
        return _refusal(box, error.smtp_code, error.smtp_error, what)
    how = "in time" if _is_late(error) else "or cuts the connection"
    if _is_late(error) and box.security is Security.STARTTLS:
        how += " (where TLS is expected at once, as on port 465, choose tls)"
    if isinstance(error, socket.gaierror | ConnectionRefusedError):
        how = "at all: check name and port"
    return ChannelBusy(f"{box.host}, port {box.port}, does not answer {how}. {NOT_SENT}")


def _refusal(box: Mailbox, code: int, words: bytes | str, what: str) -> ChannelError:
    """What an answer that is none of success means."""
    answer, host = _said(box, code, words), box.host
    if code == -1:
        return ChannelBusy(f"{host} cuts the connection. {NOT_SENT}")
    if 400 <= code < 500:
        return ChannelBusy(f"{host} asks to try later: {answer}. {NOT_SENT}", answer=answer)
    if code == 530:
        told = "wants TLS or a user first: choose starttls or tls, and give user and password."
    elif code == 534 or (what == "AUTH" and "5.7.9" in answer):
        told = "wants a password made for this program: make an app password at your provider."
    elif what == "AUTH":
        told = ("refuses user or password: many providers want a password made for this program"
                " (an app password).")  # fmt: skip
    elif what == "MAIL":
        told = "does not let us write from this address: it must be one of the user's own."
    elif what == "DATA":
        told = "refuses the mail itself, as unwanted or too large."
    else:
        told = "refuses."
    field_of = {"AUTH": "password", "MAIL": "sender", "RCPT": "to"}.get(what)
    return ChannelRefused(f"{host} {told} It says: {answer}", answer=answer, field=field_of)


def _certificate(host: str, error: ssl.SSLCertVerificationError) -> ChannelRefused:
    """Whether it is of another name or of an unknown authority."""
    reason = masked(error.verify_message or error.reason, ())
    if "mismatch" in reason.lower():
        told = f"The certificate that answers as {host} is of another name: correct the server's."
    else:
        told = (
            f"The certificate of {host} does not verify ({reason}). If the server is your own, name"
            " the file with its authority's certificate; otherwise somebody may stand between."
        )
    return ChannelRefused(told, answer=reason, field="host")


def _is_late(error: Exception) -> bool:
    """smtplib tells a timeout as a connection that was cut."""
    return any(isinstance(one, TimeoutError) for one in (error, error.__context__))


def _own_name() -> str:
    """What we say we are. Not ``getfqdn``, which asks the network and may take long."""
    name = socket.gethostname()
    return name if re.fullmatch(r"[A-Za-z0-9\-]+(\.[A-Za-z0-9\-]+)+", name) else "[127.0.0.1]"
