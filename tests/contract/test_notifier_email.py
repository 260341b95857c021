"""Email: what is verified of the server, several addresses, what a mail is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.adapters.notify.registry import NotifierRegistry
from engine.domain.alerts import ChannelKind
from engine.domain.records import Level
from engine.errors import ChannelBusy, ChannelRefused
from engine.ports.notify import Notifier
from tests.contract.notifiers import message
from tests.fakes.mail_server import TO, USER, MailServer, mail_server

OTHER = "bob@example.org"


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[MailServer]:
    with mail_server(tmp_path) as server:
        yield server


def notifier(server: MailServer, **changes: str) -> Notifier:
    return NotifierRegistry(timeout_s=30).make(ChannelKind.EMAIL, server.settings(**changes), {})


@pytest.mark.parametrize("security", ["starttls", "tls", "none"])
def test_it_goes_out_over_each_kind_of_connection(tmp_path: Path, security: str) -> None:
    with mail_server(tmp_path, security=security) as server:
        one = notifier(server)
        assert ("over TLS" in one.verify()) is (security != "none")
        one.send(message())
        assert [envelope.rcpt_tos for envelope in server.envelopes] == [[TO]]
        assert set(server.logins) == {USER}


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"is_known": False}, "does not verify"),
        ({"certificate_of": "mail.example.org"}, "of another name"),
    ],
)
def test_a_certificate_that_is_not_the_servers_gets_neither_password_nor_mail(
    tmp_path: Path, security: str, changes: dict[str, Any], words: str
) -> None:
    with mail_server(tmp_path, security=security, **changes) as server:
        for call in (lambda: notifier(server).send(message()), notifier(server).verify):
            with pytest.raises(ChannelRefused, match=words) as caught:
                call()
            assert caught.value.field == "host"
        assert not server.logins
        assert not server.mails


def test_the_systems_authorities_do_not_know_the_tests_own(mail: MailServer) -> None:
    with pytest.raises(ChannelRefused, match="does not verify"):
        notifier(mail, ca_file="").send(message())


def test_a_file_of_certificates_that_cannot_be_read_is_named(mail: MailServer) -> None:
    with pytest.raises(ChannelRefused, match=r"/nowhere\.pem") as caught:
        notifier(mail, ca_file="/nowhere.pem").send(message())
    assert caught.value.field == "ca_file"


def test_a_server_that_wants_tls_gets_no_mail_without(mail: MailServer) -> None:
    with pytest.raises(ChannelRefused, match="choose starttls or tls"):
        notifier(mail, security="none", user="", password="").send(message())


def test_the_wrong_kind_of_tls_is_told(mail: MailServer, tmp_path: Path) -> None:
    with pytest.raises(ChannelRefused, match="465 is usual for tls, 587 for starttls"):
        notifier(mail, security="tls").send(message())
    with (
        mail_server(tmp_path, security="none") as plain,
        pytest.raises(ChannelRefused, match="offers no such thing"),
    ):
        notifier(plain, security="starttls").send(message())


def test_a_server_without_users_needs_none(tmp_path: Path) -> None:
    with mail_server(tmp_path, security="none", wants_user=False) as server:
        notifier(server, user="", password="", ca_file="").send(message())
        assert len(server.mails) == 1


# --- several addresses


def test_one_mail_for_all(mail: MailServer) -> None:
    notifier(mail, to=f"{TO}, {OTHER}").send(message())
    assert [envelope.rcpt_tos for envelope in mail.envelopes] == [[TO, OTHER]]


def test_an_address_that_is_refused_keeps_the_others_from_nothing(mail: MailServer) -> None:
    mail.fail("wrong_number")
    with pytest.raises(ChannelRefused) as caught:
        notifier(mail, to=f"{TO},{OTHER}").send(message())
    assert TO in caught.value.message
    assert f"Sent to {OTHER}." in caught.value.message
    assert [envelope.rcpt_tos for envelope in mail.envelopes] == [[OTHER]]


def test_an_address_that_must_wait_makes_all_wait(mail: MailServer) -> None:
    mail.fail("greylisted")
    one = notifier(mail, to=f"{TO},{OTHER}")
    with pytest.raises(ChannelBusy):
        one.send(message())
    assert not mail.mails, "the other would get it twice"
    one.send(message())
    assert len(mail.mails) == 1


# --- the mail


def test_a_repetition_has_the_same_name_and_another_mail_another(mail: MailServer) -> None:
    one = notifier(mail)
    for reference in ("e1:c1", "e1:c1", "e2:c1"):
        one.send(message(reference=reference))
    names = [str(mail["Message-ID"]) for mail in mail.mails]
    assert names[0] == names[1] != names[2]
    assert names[0].endswith("@example.org>")


def test_it_is_marked_as_a_machines_and_an_error_as_important(mail: MailServer) -> None:
    one = notifier(mail)
    one.send(message(level=Level.ERROR))
    one.send(message())
    assert [one["Auto-Submitted"] for one in mail.mails] == ["auto-generated"] * 2
    assert [one["Importance"] for one in mail.mails] == ["high", None]


def test_a_title_can_add_no_header_and_a_text_cannot_end_the_mail(mail: MailServer) -> None:
    text = "one\n.\nQUIT\n\ud83d half a letter"
    notifier(mail).send(message(text, title="A\r\nBcc: eve@example.org"))
    [sent] = mail.mails
    assert sent["Subject"] == "A Bcc: eve@example.org"
    assert sent["Bcc"] is None
    assert mail.envelopes[0].rcpt_tos == [TO]
    assert sent.get_content().splitlines() == ["one", ".", "QUIT", "? half a letter"]
