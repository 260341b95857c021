"""Any server with ``POST /v1/chat/completions``: Ollama, llama.cpp, vLLM, OpenAI.

The answer's form is asked for by ``response_format``; servers that do not know it write what they
like, and the judge refuses what is not of the form.
"""

import json
import time
from collections.abc import Mapping
from typing import Any

import httpx

from engine.domain.outside_text import clean
from engine.errors import ConfigError, ModelError, ModelRateLimited, ModelUnavailable
from engine.ports.ai import Question, Reply

PATH = "/v1/chat/completions"
MOST_BYTES = 2_000_000
LONGEST_WORDS = 200
DEFAULT_PAUSE_S = 60.0


class OpenAiCompatibleModel:
    """A ``Model`` over chat completions; an empty ``key`` is not sent."""

    provider = "openai"

    def __init__(self, key: str, url: str) -> None:
        self._key = key
        self._url = url

    def ask(self, question: Question) -> Reply:
        """See Model."""
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        try:
            with (
                httpx.Client(timeout=question.timeout_s) as client,
                client.stream(
                    "POST", self._url + PATH, json=_body(question), headers=headers
                ) as answer,
            ):
                body = _read(answer, question.timeout_s)
        except httpx.ConnectError as error:
            raise ModelUnavailable(
                f"Nobody answers at {self._url}: start the model's server, or set"
                " QUARTERDECK_OPENAI_URL to where it is."
            ) from error
        except httpx.TimeoutException as error:
            raise _late(question) from error
        except httpx.HTTPError as error:
            raise ModelUnavailable(
                f"The connection to the model broke off ({type(error).__name__}).", may_cost=True
            ) from error
        found = _parsed(body)
        if not answer.is_success:
            raise self._refused(question, answer, found)
        return _reply(found)

    def _refused(
        self, question: Question, answer: httpx.Response, found: Any
    ) -> ModelError | ConfigError:
        status = answer.status_code
        if status == 429:
            told = answer.headers.get("retry-after", "")
            pause_s = float(told) if told.isdecimal() else DEFAULT_PAUSE_S
            return ModelRateLimited(
                "The model's rate or quota is used up: see the limits and the credit of your key."
                f" Asked again in {pause_s:.0f} s.",
                retry_after_s=pause_s,
            )
        if status in (401, 403):
            return ConfigError(
                "The model's server does not accept the key: set QUARTERDECK_OPENAI_KEY, then"
                " restart the engine.",
                field="openai_key",
            )
        if status == 404:
            return ConfigError(
                f"There is no model '{clean(question.model, 100)}' at {self._url}: load it there,"
                " or change the model of the bot or in the settings.",
                field="openai_model",
            )
        error = found.get("error") if isinstance(found, dict) else None
        said = error.get("message", "") if isinstance(error, dict) else error or ""
        words = str(said).replace(self._key, "[key]") if self._key else str(said)
        verb = "refuses the question" if status < 500 else "fails"
        return ModelUnavailable(
            f"The model's server {verb} ({status}): {clean(words, LONGEST_WORDS)}",
            may_cost=status == 504,
        )


def _body(question: Question) -> dict[str, Any]:
    form = {"name": "decision", "strict": True, "schema": dict(question.schema)}
    return {
        "model": question.model,
        "messages": [
            {"role": "system", "content": question.system},
            {"role": "user", "content": question.prompt},
        ],
        "temperature": 0,
        "max_tokens": question.most_tokens,
        "response_format": {"type": "json_schema", "json_schema": form},
        "stream": False,
    }


def _read(answer: httpx.Response, timeout_s: float) -> bytes:
    """The whole body, of bounded size and duration. Raises ModelUnavailable."""
    until = time.monotonic() + timeout_s
    body = bytearray()
    for chunk in answer.iter_bytes():
        body += chunk
        if len(body) > MOST_BYTES or time.monotonic() > until:
            raise ModelUnavailable(
                "The model's answer is too long or takes too long.", may_cost=True
            )
    return bytes(body)


def _late(question: Question) -> ModelUnavailable:
    return ModelUnavailable(
        f"The model did not answer within {question.timeout_s:.0f} s.", may_cost=True
    )


def _parsed(body: bytes) -> Any:
    """The JSON of a body; None where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _reply(found: Any) -> Reply:
    """Text and tokens of a chat completion. Raises ModelUnavailable where it is none."""
    choices = found.get("choices") if isinstance(found, Mapping) else None
    if not isinstance(choices, list):
        raise ModelUnavailable("The model's answer is no chat completion.", may_cost=True)
    usage = found.get("usage")
    tokens = (_count(usage, "prompt_tokens"), _count(usage, "completion_tokens"))
    first = choices[0] if choices and isinstance(choices[0], Mapping) else {}
    message = first.get("message")
    said = message.get("content") if isinstance(message, Mapping) else None
    text = said if isinstance(said, str) else ""
    end = first.get("finish_reason")
    if end == "length":
        return Reply(text, *tokens, "The answer is cut off: it grew too long.")
    if end == "content_filter":
        return Reply(text, *tokens, "The model's server filtered the answer.")
    if not text:
        return Reply("", *tokens, "The model gave no answer.")
    return Reply(text, *tokens)


def _count(usage: Any, name: str) -> int | None:
    found = usage.get(name) if isinstance(usage, Mapping) else None
    is_count = isinstance(found, int) and not isinstance(found, bool) and 0 <= found < 10**9
    return found if is_count else None
