"""The contract of notifiers, on every kind of channel: through the real SDKs, to providers on the
loopback that answer, refuse and fail as the real ones document it."""

import logging
import re
import ssl
import subprocess
import sys
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import trustme

from engine.adapters.notify.registry import NotifierRegistry
from engine.domain.alerts import ChannelKind
from engine.errors import ChannelBusy, ChannelError, ChannelRefused, ChannelUnsure, ConfigError
from tests.contract.notifiers import CASES, HASTY_S, PATIENT_S, SUBJECTS, Case, Subject, message
from tests.fakes import telegram_server, twilio_server
from tests.fakes.hook_server import HookServer
from tests.fakes.provider_server import serving_provider
from tests.support.client import eventually

TEXT = "Verkauft: 0,5 ₿ für 32 000 €. Größe *ändern*? <b>_Ja_</b> 🚀\n\nBis später!"
EVERY_CASE = [
    pytest.param(kind, case, id=f"{kind}-{case.fault}{case.value}")
    for kind, cases in CASES.items()
    for case in cases
]
ROOT = Path(__file__).resolve().parents[2]
KINDS = pytest.mark.parametrize("kind", list(ChannelKind))


@pytest.fixture
def subject(kind: ChannelKind, tmp_path: Path) -> Iterator[Subject]:
    with SUBJECTS[kind](tmp_path) as made:
        yield made


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines() if line.strip()]


@KINDS
def test_a_message_arrives_once_and_letter_by_letter(subject: Subject) -> None:
    receipt = subject.notifier().send(message(TEXT, title="Grid-Böt 🚀 sold"))
    [text] = subject.texts()
    assert lines(text) == ["Grid-Böt 🚀 sold", *lines(TEXT)]
    assert receipt.answer
    assert subject.attempts() == 1


@KINDS
def test_a_text_that_is_too_long_is_cut_and_still_one_message(subject: Subject) -> None:
    whole = "🚀 äöü " * 700
    subject.notifier().send(message(whole, title="T" * 120))
    [text] = subject.texts()
    shown = lines(text)
    assert shown[0] == "T" * 120
    kept = "".join(shown[1:]).removesuffix("…").strip()
    assert len(kept) > 1_000
    assert kept in whole
    assert subject.attempts() == 1


@KINDS
def test_it_is_verified_without_sending_anything(subject: Subject) -> None:
    assert subject.notifier().verify().endswith((".", "OK"))
    assert not subject.texts()
    assert not subject.attempts()


@pytest.mark.parametrize(("kind", "case"), EVERY_CASE)
def test_each_documented_answer_is_told_with_what_to_do(subject: Subject, case: Case) -> None:
    subject.provider.fail(case.fault, case.value)
    with pytest.raises(ChannelError) as caught:
        subject.notifier().send(message())
    assert type(caught.value) is case.error
    assert case.words in caught.value.message
    assert case.answer in caught.value.answer
    assert not subject.texts()
    assert subject.attempts() == 1, "it was tried again by itself"
    subject.notifier().send(message())
    assert len(subject.texts()) == 1


@pytest.mark.parametrize("kind", [one for one in ChannelKind if one is not ChannelKind.EMAIL])
def test_a_pause_that_is_asked_for_is_told(subject: Subject) -> None:
    subject.provider.fail("rate_limited", 7)
    with pytest.raises(ChannelBusy) as caught:
        subject.notifier().send(message())
    assert caught.value.retry_after_s == 7


HIDDEN = [
    (kind, fault)
    for kind in ChannelKind
    for fault in ("cut_after_accept", "timeout_after_accept", "garbage")
    # These two say yes by a status, whatever else they say.
    if fault != "garbage" or kind not in (ChannelKind.EMAIL, ChannelKind.APPRISE)
]


def unsure_of(subject: Subject, wait_s: float) -> ChannelUnsure:
    """Send, waiting so long for an answer; longer on a machine too slow to come as far as that."""
    while True:
        try:
            subject.notifier(wait_s).send(message(is_first=True))
        except ChannelUnsure as unsure:
            return unsure
        except ChannelBusy:
            assert wait_s < PATIENT_S
            assert not subject.texts()
            wait_s *= 2


@pytest.mark.parametrize(("kind", "fault"), HIDDEN)
def test_a_message_that_was_taken_without_a_word_is_uncertain(subject: Subject, fault: str) -> None:
    subject.provider.fail(fault)
    is_hasty = fault == "timeout_after_accept"
    unsure = unsure_of(subject, HASTY_S if is_hasty else PATIENT_S)
    assert "may have" in unsure.message
    eventually(subject.texts, lambda texts: len(texts) == 1)
    assert is_hasty or subject.attempts() == 1, "it was tried again by itself"


@KINDS
def test_no_answer_before_it_was_taken_is_no_success(subject: Subject) -> None:
    subject.provider.fail("slow")
    with pytest.raises((ChannelBusy, ChannelUnsure)):
        subject.notifier(HASTY_S).send(message())
    subject.provider.release()
    assert not subject.texts()


@KINDS
def test_what_cannot_be_reached_has_got_nothing(subject: Subject) -> None:
    with pytest.raises(ChannelBusy, match="Nothing was sent"):
        subject.far_away().send(message())


@pytest.mark.parametrize("kind", [one for one in ChannelKind if one is not ChannelKind.APPRISE])
def test_what_cannot_be_reached_cannot_be_verified_now(subject: Subject) -> None:
    with pytest.raises(ChannelBusy):
        subject.far_away().verify()


ELSEWHERE = {
    ChannelKind.SMS: twilio_server.settings(),
    ChannelKind.TELEGRAM: telegram_server.settings(),
    ChannelKind.APPRISE: {},
}


@pytest.mark.parametrize("kind", ELSEWHERE)
def test_a_certificate_that_does_not_verify_gets_nothing(kind: ChannelKind) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    with serving_provider(HookServer(), tls=tls) as server:
        assert server.url.startswith("https")
        fields = ELSEWHERE[kind] or {"url": server.apprise_url}
        registry = NotifierRegistry(twilio_url=server.url, telegram_url=server.url, timeout_s=30)
        with pytest.raises(ChannelBusy, match="Nothing was sent") as caught:
            registry.make(kind, fields, {}).send(message())
        assert "certificate" in f"{caught.value.message} {caught.value.answer}".lower()
        assert not server.requests


@KINDS
def test_many_threads_share_one_notifier(subject: Subject) -> None:
    notifier = subject.notifier()

    def send(number: int) -> None:
        notifier.send(message(f"number {number}.", reference=f"e{number}:c1"))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(send, range(12)))
    assert sorted(lines(text)[-1] for text in subject.texts()) == sorted(
        f"number {number}." for number in range(12)
    )


@pytest.mark.parametrize("kind", [one for one in ChannelKind if one is not ChannelKind.SMS])
def test_what_cannot_be_found_says_so(subject: Subject) -> None:
    notifier = subject.notifier()
    assert not notifier.can_find
    with pytest.raises(NotImplementedError):
        notifier.find(message())


# --- secrets


@pytest.fixture
def everything_logged() -> Iterator[list[str]]:
    """All lines that reach the root logger at its lowest level."""
    told: list[str] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(f"{record.name} {self.format(record)}")

    root, keeper = logging.getLogger(), Keeper(1)
    level = root.level
    root.addHandler(keeper)
    root.setLevel(1)
    yield told
    root.removeHandler(keeper)
    root.setLevel(level)


@KINDS
def test_no_secret_is_in_a_log_an_error_or_a_repr(
    subject: Subject, everything_logged: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []
    for case in (*CASES[subject.kind], None):
        if case is not None:
            subject.provider.faults.clear()
            subject.provider.fail(case.fault, case.value)
        for notifier in (subject.notifier(), subject.far_away()):
            told.append(repr(notifier))
            for call in (lambda n=notifier: str(n.send(message())), notifier.verify):
                try:
                    told.append(call())
                except ChannelError as error:
                    told += [repr(error), error.answer, *traceback.format_exception(error)]
    printed = capfd.readouterr()
    everything = "\n".join((*told, *everything_logged, printed.out, printed.err))
    assert len(told) > 20
    for secret in subject.secrets:
        assert secret not in everything


@KINDS
def test_wrong_credentials_are_refused_and_not_repeated_in_words(subject: Subject) -> None:
    wrong = subject.notifier(changes=subject.wrong)
    with pytest.raises(ChannelRefused) as caught:
        wrong.send(message())
    assert "-wrong" not in caught.value.message + caught.value.answer
    assert not subject.texts()


@pytest.mark.parametrize("kind", [one for one in ChannelKind if one is not ChannelKind.APPRISE])
def test_wrong_credentials_are_seen_without_sending(subject: Subject) -> None:
    with pytest.raises(ChannelRefused) as caught:
        subject.notifier(changes=subject.wrong).verify()
    assert "-wrong" not in caught.value.message + caught.value.answer
    assert not subject.attempts()


# --- making


@pytest.mark.parametrize(
    ("kind", "changes", "field"),
    [
        (ChannelKind.SMS, {"to": "0151 12345678"}, "to"),
        (ChannelKind.SMS, {"account_sid": "AC1"}, "account_sid"),
        (ChannelKind.TELEGRAM, {"token": "none"}, "token"),
        (ChannelKind.EMAIL, {"port": "65536"}, "port"),
        (ChannelKind.EMAIL, {"to": "ada@example.org, \u00fcmlaut@example.org"}, "to"),
        (ChannelKind.EMAIL, {"to": "ada@example.org\nBcc: eve@example.org"}, "to"),
        (ChannelKind.EMAIL, {"security": "none", "host": "mail.example.org"}, "security"),
        (ChannelKind.EMAIL, {"password": "gehe\u00efm"}, "password"),
        (ChannelKind.DISCORD, {"webhook": "https://example.org/api/webhooks/1/a"}, "webhook"),
        (ChannelKind.APPRISE, {"url": "no url"}, "url"),
        (ChannelKind.APPRISE, {"extra": "x"}, "extra"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_field(
    subject: Subject, changes: dict[str, str], field: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        subject.notifier(changes=changes)
    assert caught.value.field == field


def test_a_url_that_apprise_cannot_read_is_refused() -> None:
    notifier = NotifierRegistry().make(ChannelKind.APPRISE, {}, {"url": "nonsense://secret-token"})
    for call in (lambda: notifier.send(message()), notifier.verify):
        with pytest.raises(ChannelRefused, match="cannot read the URL") as caught:
            call()
        assert "secret-token" not in repr(caught.value)


def test_the_urls_of_the_docs_are_read_by_apprise() -> None:
    docs = (
        (ROOT / "docs" / "alert-channels.md").read_text("utf-8").partition("## Another service")[2]
    )
    urls = re.findall(r"`(\w+://[^`]+)`", docs)
    assert len(urls) > 8
    for url in urls:
        notifier = NotifierRegistry().make(ChannelKind.APPRISE, {}, {"url": url})
        assert "as one of" in notifier.verify(), url


def test_making_notifiers_loads_no_sdk() -> None:
    """An engine's start waits for none of them: together they take two seconds to import."""
    code = (
        "import sys; from engine.adapters.notify.registry import NotifierRegistry as R;"
        "R().make('discord', {}, {'webhook': 'https://discord.com/api/webhooks/1/abc'});"
        "R().make('apprise', {}, {'url': 'json://localhost'});"
        "R().chat({'chat': '1'}, {'token': '123456:' + 'a' * 35});"
        "print(sorted({'twilio', 'telegram', 'apprise', 'discord_webhook', 'requests', 'httpx'}"
        " & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
