"""Models: one suite over every provider, each through its own client against a loopback server."""

import ast
import inspect
import logging
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from engine.adapters.ai import gemini
from engine.adapters.ai.gemini import GeminiModel
from engine.adapters.ai.openai_compatible import OpenAiCompatibleModel
from engine.domain.judge_advice import read_answer
from engine.domain.prompts import answer_schema
from engine.errors import ConfigError, ModelRateLimited, ModelUnavailable, QuarterdeckError
from engine.ports.ai import Model, Question
from tests.fakes.chat_completions import chat_server
from tests.fakes.gemini import gemini_server
from tests.fakes.model_server import KEY, ModelServer, answer
from tests.support.ports import free_port

PATIENCE_S = 60.0
SHORT_S = 0.2


@dataclass(frozen=True)
class Subject:
    """A provider's client and the server it speaks to."""

    make: Callable[[str, str], Model]
    server: ModelServer

    @property
    def model(self) -> Model:
        """A client with the right key."""
        return self.make(KEY, self.server.url)

    def question(self, **changes: Any) -> Question:
        """A question the server can answer."""
        fields: dict[str, Any] = {
            "model": self.server.model, "system": "Judge.", "prompt": "Is BTC up?",
            "schema": answer_schema(), "timeout_s": PATIENCE_S,
        }  # fmt: skip
        return Question(**(fields | changes))


@pytest.fixture(params=["gemini", "openai"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    """Each provider in turn."""
    if request.param == "gemini":
        with gemini_server() as server:
            yield Subject(GeminiModel, server)
    else:
        with chat_server(model="llama3.1") as chat:
            yield Subject(OpenAiCompatibleModel, chat)


def test_a_question_is_answered_with_what_it_took(subject: Subject) -> None:
    reply = subject.model.ask(subject.question())
    assert read_answer(reply.text).action == "buy"
    assert (reply.tokens_in, reply.tokens_out, reply.stopped) == (1_000, 100, "")
    [seen] = subject.server.requests
    assert "Is BTC up?" in str(seen.body)
    assert "Judge." in str(seen.body)
    assert KEY not in seen.path


def test_what_is_said_comes_as_it_is(subject: Subject) -> None:
    for text in ("Sure! Here is my view.", "[1, 2]", '{"confidence": NaN}', "₿ ☂ \u202e"):
        subject.server.say(text)
        assert subject.model.ask(subject.question()).text == text


def test_a_provider_that_counts_nothing_is_not_taken_for_free(subject: Subject) -> None:
    subject.server.fail("uncounted")
    reply = subject.model.ask(subject.question())
    assert (reply.tokens_in, reply.tokens_out) == (None, None)


@pytest.mark.parametrize(
    ("fault", "words"),
    [("empty", "gave no answer"), ("max_tokens", "cut off"), ("safety", "answer"),
     ("blocked", "")],
)  # fmt: skip
def test_an_answer_that_is_none_or_not_whole_says_so(
    subject: Subject, fault: str, words: str
) -> None:
    subject.server.fail(fault)
    reply = subject.model.ask(subject.question())
    assert reply.stopped
    assert words in reply.stopped
    assert reply.tokens_in == 1_000, "it is on the bill"


def test_a_pause_is_asked_for_with_its_length(subject: Subject) -> None:
    subject.server.fail("limited", 42)
    with pytest.raises(ModelRateLimited, match="used up") as caught:
        subject.model.ask(subject.question())
    assert caught.value.retry_after_s == 42
    assert len(subject.server.requests) == 1


@pytest.mark.parametrize("status", [400, 500, 502, 503])
def test_a_failure_of_the_provider_is_sent_once(subject: Subject, status: int) -> None:
    subject.server.fail("status", status, times=3)
    with pytest.raises(ModelUnavailable, match=str(status)) as caught:
        subject.model.ask(subject.question())
    assert len(subject.server.requests) == 1
    assert not caught.value.may_cost
    assert f"({status}): Something is wrong ({status})." in str(caught.value)


@pytest.mark.parametrize("fault", ["cut", "cut_midway", "html", "huge"])
def test_a_broken_answer_may_be_on_the_bill(subject: Subject, fault: str) -> None:
    subject.server.fail(fault, times=3)
    with pytest.raises(ModelUnavailable) as caught:
        subject.model.ask(subject.question())
    assert caught.value.may_cost
    assert len(subject.server.requests) == 1


def test_a_redirect_is_not_followed(subject: Subject) -> None:
    with gemini_server() as elsewhere:
        subject.server.fail("redirect", elsewhere.url)
        with pytest.raises(ModelUnavailable):
            subject.model.ask(subject.question())
        assert elsewhere.requests == [], "the key would have gone there"


def test_an_answer_that_is_late_ends_with_its_question(subject: Subject) -> None:
    subject.model.ask(subject.question())  # what is slow to load is loaded
    subject.server.fail("slow")
    with pytest.raises(ModelUnavailable, match="did not answer") as caught:
        subject.model.ask(subject.question(timeout_s=SHORT_S))
    assert caught.value.may_cost


def test_nobody_there_costs_nothing(subject: Subject) -> None:
    model = subject.make(KEY, f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ModelUnavailable, match=r"(?i)nobody answers") as caught:
        model.ask(subject.question())
    assert not caught.value.may_cost


def test_a_wrong_key_is_a_setting_and_stays_secret(subject: Subject) -> None:
    wrong = "wrong-key-of-nobody-0123456789"
    with pytest.raises(ConfigError, match=r"QUARTERDECK_\w+_KEY") as caught:
        subject.make(wrong, subject.server.url).ask(subject.question())
    assert wrong not in str(caught.value)
    assert wrong not in repr(subject.make(wrong, subject.server.url))
    assert len(subject.server.requests) == 1


def test_no_key_is_logged_whatever_happens(
    subject: Subject, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("", "httpx", "httpcore", "urllib3"):  # some of which other tests have silenced
        caplog.set_level(logging.DEBUG, logger=name)
    subject.model.ask(subject.question())
    for fault, value in (("limited", 1), ("status", 403), ("status", 500), ("cut", "")):
        subject.server.fail(fault, value)
        with pytest.raises(QuarterdeckError) as caught:
            subject.model.ask(subject.question())
        assert KEY not in "".join(traceback.format_exception(caught.value))
    assert caplog.records
    told = [f"{record.getMessage()} {vars(record)}" for record in caplog.records]
    assert not [line for line in told if KEY in line]


def test_an_unknown_model_is_a_setting(subject: Subject) -> None:
    with pytest.raises(ConfigError, match="no model 'other-model'"):
        subject.model.ask(subject.question(model="other-model"))


def test_questions_of_several_threads_do_not_mix(subject: Subject) -> None:
    subject.server.say(lambda prompt: answer(reasoning=prompt))
    found: dict[str, str] = {}

    def ask(word: str) -> None:
        reply = subject.model.ask(subject.question(prompt=word))
        found[word] = read_answer(reply.text).reasoning

    words = [f"question {number}" for number in range(8)]
    threads = [threading.Thread(target=ask, args=(word,)) for word in words]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert found == {word: word for word in words}


# --- Gemini's own -------------------------------------------------------------------------------


def test_gemini_gets_form_and_bounds_in_its_own_words() -> None:
    with gemini_server() as server:
        subject = Subject(GeminiModel, server)
        subject.model.ask(replace(subject.question(), most_tokens=512))
        [seen] = server.requests
    assert seen.path.startswith("/v1beta/models/gemini-2.5-flash:generateContent")
    assert seen.headers["x-goog-api-key"] == KEY
    config = seen.body["generationConfig"]
    assert (config["temperature"], config["maxOutputTokens"]) == (0, 512)
    assert config["responseMimeType"] == "application/json"
    form = config["responseSchema"]["properties"]
    assert form["action"]["enum"] == ["buy", "sell", "close", "hold"]
    assert form["stop"]["nullable"] is True
    assert seen.body["systemInstruction"]["parts"] == [{"text": "Judge."}]


def test_gemini_may_end_for_a_reason_that_its_sdk_does_not_know() -> None:
    with gemini_server() as server:
        server.fail("new_end")
        subject = Subject(GeminiModel, server)
        with pytest.warns(UserWarning, match="99"):
            reply = subject.model.ask(subject.question())
    assert reply.stopped == "Gemini stopped its answer (99)."


def test_its_sdk_is_not_loaded_before_the_first_question() -> None:
    tree = ast.parse(inspect.getsource(gemini))
    imports = [one for one in tree.body if isinstance(one, ast.Import | ast.ImportFrom)]
    names = [getattr(one, "module", None) or one.names[0].name for one in imports]
    assert names
    assert not [name for name in names if name.startswith("google")]


@pytest.mark.parametrize("status", [401, 403])
def test_gemini_does_not_send_again_what_the_key_may_not(status: int) -> None:
    with gemini_server() as server:
        server.fail("status", status, times=3)
        subject = Subject(GeminiModel, server)
        with pytest.raises(ConfigError, match="aistudio"):
            subject.model.ask(subject.question())
        assert len(server.requests) == 1


@pytest.mark.parametrize("name", ["../secrets", "a/b", "models/x:y", "", "x" * 101])
def test_a_name_of_a_model_is_no_path(name: str) -> None:
    with gemini_server() as server:
        subject = Subject(GeminiModel, server)
        with pytest.raises(ConfigError, match="no name of a Gemini model"):
            subject.model.ask(subject.question(model=name))
        assert server.requests == []


def test_a_server_without_keys_is_sent_none() -> None:
    with chat_server(key="", model="llama3.1") as server:
        subject = Subject(OpenAiCompatibleModel, server)
        assert subject.make("", server.url).ask(subject.question()).text
        assert "authorization" not in server.requests[0].headers


# --- the servers are as strict as those they stand for ------------------------------------------

GEMINI_PATH = "/v1beta/models/gemini-2.5-flash:generateContent"
TEXT = {"contents": [{"role": "user", "parts": [{"text": "Is BTC up?"}]}]}
FORM = {"type": "OBJECT", "properties": {"action": {"type": "STRING"}}}


@pytest.mark.parametrize(
    ("path", "key", "body", "status", "words"),
    [
        (GEMINI_PATH, KEY, TEXT, 200, "usageMetadata"),
        (GEMINI_PATH, "other", TEXT, 400, "API_KEY_INVALID"),
        ("/v1beta/models/other:generateContent", KEY, TEXT, 404, "NOT_FOUND"),
        ("/v1/generateContent", KEY, TEXT, 404, "NOT_FOUND"),
        (GEMINI_PATH, KEY, {}, 400, "contents is not set"),
        (GEMINI_PATH, KEY, TEXT | {"temperature": 0}, 400, "Unknown name"),
        (GEMINI_PATH, KEY, TEXT | {"generationConfig": {"max_tokens": 1}}, 400, "Unknown name"),
        (GEMINI_PATH, KEY, TEXT | {"generationConfig": {"responseSchema": FORM}}, 400,
         "needs application/json"),
        (GEMINI_PATH, KEY, TEXT | {"generationConfig": {
            "responseMimeType": "application/json",
            "responseSchema": {"type": "OBJECT", "additionalProperties": False}}}, 400,
         "Unknown name"),
    ],
)  # fmt: skip
def test_the_stand_in_for_gemini_takes_what_is_documented_and_nothing_else(
    path: str, key: str, body: dict[str, Any], status: int, words: str
) -> None:
    with gemini_server() as server:
        answered = httpx.post(server.url + path, json=body, headers={"x-goog-api-key": key})
    assert answered.status_code == status
    assert words in answered.text


CHAT = {
    "model": "llama3.1",
    "messages": [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}],
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "decision", "strict": True, "schema": answer_schema()},
    },
}


@pytest.mark.parametrize(
    ("path", "key", "changes", "status", "words"),
    [
        ("/v1/chat/completions", KEY, {}, 200, "chat.completion"),
        ("/v1/chat/completions", "other", {}, 401, "invalid_api_key"),
        ("/chat/completions", KEY, {}, 404, "Unknown request URL"),
        ("/v1/chat/completions", KEY, {"model": "x"}, 404, "model_not_found"),
        ("/v1/chat/completions", KEY, {"max_words": 1}, 400, "Unrecognized request argument"),
        ("/v1/chat/completions", KEY, {"response_format": {"type": "json"}}, 400,
         "Invalid response_format"),
    ],
)  # fmt: skip
def test_the_stand_in_for_chat_completions_takes_what_is_documented_and_nothing_else(
    path: str, key: str, changes: dict[str, Any], status: int, words: str
) -> None:
    with chat_server(model="llama3.1") as server:
        answered = httpx.post(
            server.url + path, json=CHAT | changes, headers={"Authorization": f"Bearer {key}"}
        )
    assert answered.status_code == status
    assert words in answered.text
