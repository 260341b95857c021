"""Email through any SMTP server, with the standard library."""

import hashlib
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from engine.adapters.notify.smtp_session import Mailbox, Security, SmtpSession, opened
from engine.adapters.notify.texts import fitted
from engine.adapters.notify.wire import TIMEOUT_S, masked
from engine.domain.records import Level
from engine.errors import ChannelRefused, ConfigError
from engine.ports.notify import Message, Receipt

LONGEST_SUBJECT = 200


class EmailSmtp:
    """One mail to one or more addresses, in one transaction.

    Its Message-ID is made of the reference, so that a mailbox knows a repetition.
    """

    can_find = False
    """SMTP sends and forgets."""

    def __init__(
        self, box: Mailbox, *, sender: str, to: Sequence[str], timeout_s: float = TIMEOUT_S
    ) -> None:
        if box.security is Security.NONE and box.host not in ("localhost", "127.0.0.1", "::1"):
            raise ConfigError(
                "Security 'none' is for a server on this machine: choose starttls or tls.",
                field="security",
            )
        if not (box.user + box.password).isascii():
            raise ConfigError(
                "The user or the password has a letter that SMTP does not know: use ASCII.",
                field="password",
            )
        self._box = box
        self._sender = sender
        self._to = tuple(to)
        self._timeout_s = timeout_s

    def send(self, message: Message) -> Receipt:
        """See Notifier. An address that the server refuses keeps the others from nothing; one that
        it refuses for the moment makes all wait, so that none gets the mail twice."""
        mail = written(message, self._sender, self._to)
        with opened(self._box, self._timeout_s) as session:
            session.ask("MAIL", lambda smtp: smtp.mail(self._sender))
            refusals = self._name_recipients(session)
            answer = session.deliver(mail.as_bytes(policy=SMTP))
        if refusals:
            sent = [one for one in self._to if one not in refusals]
            raise _refused(refusals, sent)
        return Receipt(str(mail["Message-ID"]), answer)

    def find(self, message: Message) -> Receipt | None:
        """See Notifier."""
        raise NotImplementedError("SMTP cannot tell what became of a mail.")

    def verify(self) -> str:
        """See Notifier."""
        with opened(self._box, self._timeout_s) as session:
            answer = session.ask("NOOP", lambda smtp: smtp.noop())
        how = "without TLS" if self._box.security is Security.NONE else "over TLS"
        who = f" as {self._box.user}" if self._box.user else ""
        return f"{self._box.host} lets us in{who}, {how}: {answer}"

    # --- within

    def _name_recipients(self, session: SmtpSession) -> dict[str, str]:
        """The addresses that are refused, with the server's words. Raises when that is all."""
        refusals: dict[str, str] = {}
        for address in self._to:
            try:
                session.name_recipient(address)
            except ChannelRefused as refused:
                refusals[address] = refused.answer
        if len(refusals) == len(self._to):
            raise _refused(refusals, ())
        return refusals


def written(message: Message, sender: str, to: Sequence[str]) -> EmailMessage:
    """The mail of a message, in ASCII on the wire, whatever its letters."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Subject"] = fitted(_sound(" ".join(message.title.split())), LONGEST_SUBJECT) or "Alert"
    mail["Date"] = format_datetime(message.written_at)
    mail["Message-ID"] = message_id(message.reference, sender)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answers from holidays, please
    if message.level is Level.ERROR:
        mail["Importance"] = "high"
    text = _sound(message.text.strip() or message.title)
    mail.set_content(text + "\n", charset="utf-8", cte="quoted-printable")
    return mail


def message_id(reference: str, sender: str) -> str:
    """The same for the same message, whenever it is tried."""
    name = hashlib.sha256(reference.encode()).hexdigest()[:32]
    return f"<{name}@{sender.rpartition('@')[2]}>"


def _sound(text: str) -> str:
    """Without halves of letters, which no encoding takes."""
    return text.encode("utf-8", "replace").decode()


def _refused(refusals: Mapping[str, str], sent: Sequence[str]) -> ChannelRefused:
    """Addresses that the server does not take, saying who has got the mail nevertheless."""
    told = "; ".join(f"{address}: {answer}" for address, answer in refusals.items())
    rest = f" Sent to {', '.join(sent)}." if sent else " Nothing was sent."
    return ChannelRefused(
        f"The mail server refuses {', '.join(refusals)}: correct or remove them.{rest}",
        answer=masked(told, ()), field="to",
    )  # fmt: skip
