"""Gemini through google-generativeai, transport REST.

The SDK keeps one client for the whole process (``configure``) and repeats what fails; here every
question has a client of its own and is sent once. An address with ``http://`` is taken as it is by
the SDK's REST transport, which is how a stand-in on this machine is spoken to.
"""

import re
import threading
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import Any

import requests

from engine.domain.outside_text import clean
from engine.errors import ConfigError, ModelError, ModelRateLimited, ModelUnavailable
from engine.links.http import BoundedAnswers, never_connected
from engine.ports.ai import Question, Reply

MOST_BYTES = 2_000_000
LONGEST_WORDS = 200
DEFAULT_PAUSE_S = 60.0
NAME = re.compile(r"[\w.\-]{1,100}")
DELAY = re.compile(r"(\d+(?:\.\d+)?)s")
KEY_REFUSED = (
    "Gemini does not accept the key: set QUARTERDECK_GEMINI_KEY to one from aistudio.google.com,"
    " then restart the engine."
)
_importing = threading.Lock()


@cache
def _sdk() -> tuple[ModuleType, ModuleType]:
    """google.generativeai and the client below it. They take a second to import, so they are when
    the first question is asked; both tell at every start that they will be replaced some day."""
    with _importing, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        import google.generativeai as genai
        from google.ai import generativelanguage
    return genai, generativelanguage


class GeminiModel:
    """A ``Model`` over the Generative Language API (v1beta, generateContent)."""

    provider = "gemini"

    def __init__(self, key: str, url: str) -> None:
        self._key = key
        self._url = url

    def ask(self, question: Question) -> Reply:
        """See Model."""
        if NAME.fullmatch(question.model) is None:
            raise ConfigError(f"'{question.model[:100]}' is no name of a Gemini model.")
        genai, below = _sdk()
        from google.api_core.exceptions import GoogleAPICallError, GoogleAPIError
        from google.auth.exceptions import GoogleAuthError
        from google.protobuf.json_format import ParseError

        options = {"api_key": self._key, "api_endpoint": self._url}
        with below.GenerativeServiceClient(transport="rest", client_options=options) as client:
            session = client.transport._session
            session._max_refresh_attempts = 0  # a 401 is final: the key is all there is
            BoundedAnswers(session, MOST_BYTES, question.timeout_s)
            model = genai.GenerativeModel(question.model, system_instruction=question.system)
            model._client = client  # instead of the one of the whole process
            try:
                answer = model.generate_content(
                    question.prompt,
                    generation_config=_config(question),
                    request_options={"timeout": question.timeout_s, "retry": None},
                )
            except GoogleAPICallError as error:
                raise self._refused(question, error) from error
            except requests.RequestException as error:
                raise _broken(question, error) from error
            except (GoogleAPIError, GoogleAuthError, ParseError) as error:
                raise ModelUnavailable(
                    f"Gemini's answer cannot be read ({type(error).__name__}).", may_cost=True
                ) from error
        return _reply(answer)

    def _refused(self, question: Question, error: Any) -> ModelError | ConfigError:
        """What an error of the API means; ``error`` is a GoogleAPICallError."""
        # Of an answer that came by REST the SDK's own ``error.reason`` raises AttributeError.
        status, details = int(error.code or 0), error.details or ()
        if status == 429:
            pause_s = _retry_delay(details)
            return ModelRateLimited(
                "Gemini's rate or quota is used up: see the limits of your key in Google AI"
                f" Studio. Asked again in {pause_s:.0f} s.",
                retry_after_s=pause_s,
            )
        reasons = [detail.get("reason") for detail in details if isinstance(detail, dict)]
        if status in (401, 403) or "API_KEY_INVALID" in reasons:
            return ConfigError(KEY_REFUSED, field="gemini_key")
        if status == 404:
            return ConfigError(
                f"Gemini has no model '{question.model}' for this key: change the model of the bot"
                " or in the settings.",
                field="gemini_model",
            )
        whole = str(error.message)  # "POST ADDRESS: what the API says"
        said = whole.partition(":generateContent")[2].partition(": ")[2] or whole
        words = clean(said.replace(self._key, "[key]"), LONGEST_WORDS)
        verb = "refuses the question" if status < 500 else "fails"
        return ModelUnavailable(f"Gemini {verb} ({status}): {words}", may_cost=status == 504)


def _broken(question: Question, error: requests.RequestException) -> ModelUnavailable:
    """A question that got no answer, or none that was read to its end."""
    if never_connected(error):
        return ModelUnavailable("Gemini cannot be reached: nobody answers at its address.")
    if isinstance(error, requests.Timeout):
        return ModelUnavailable(
            f"Gemini did not answer within {question.timeout_s:.0f} s.", may_cost=True
        )
    return ModelUnavailable(
        f"The connection to Gemini broke off ({type(error).__name__}).", may_cost=True
    )


def _config(question: Question) -> dict[str, Any]:
    return {
        "temperature": 0.0,
        "max_output_tokens": question.most_tokens,
        "response_mime_type": "application/json",
        "response_schema": gemini_schema(question.schema),
    }


def gemini_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON schema in Gemini's words: types in capitals, ``nullable`` instead of a second type,
    and no bounds, which this SDK does not know. What it leaves out the judge checks all the same.
    """
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    told: dict[str, Any] = {"type": next(kind for kind in kinds if kind != "null").upper()}
    if "null" in kinds:
        told["nullable"] = True
    if "enum" in schema:
        told |= {"format": "enum", "enum": list(schema["enum"])}
    if "properties" in schema:
        told["properties"] = {
            name: gemini_schema(one) for name, one in schema["properties"].items()
        }
        told["required"] = list(schema.get("required", ()))
    return told


def _retry_delay(details: Sequence[Any]) -> float:
    """The pause that a RetryInfo among the details asks for."""
    for detail in details:
        told = detail.get("retryDelay") if isinstance(detail, dict) else None
        found = DELAY.fullmatch(str(told))
        if found is not None:
            return float(found[1])
    return DEFAULT_PAUSE_S


def _reply(answer: Any) -> Reply:
    """The text and the tokens of a GenerateContentResponse. What the model thought is in no count
    but the total, and is paid for like what it wrote."""
    usage = answer.usage_metadata
    tokens_in = usage.prompt_token_count or None
    written = max(usage.candidates_token_count, usage.total_token_count - usage.prompt_token_count)
    tokens_out = written if usage.total_token_count else None
    blocked = answer.prompt_feedback.block_reason
    if blocked or not answer.candidates:
        why = f"blocked the question ({_word(blocked)})" if blocked else "gave no answer"
        return Reply("", tokens_in, tokens_out, f"Gemini {why}.")
    first = answer.candidates[0]
    text = "".join(part.text for part in first.content.parts)
    end = _word(first.finish_reason)
    if end == "MAX_TOKENS":
        return Reply(text, tokens_in, tokens_out, "The answer is cut off: it grew too long.")
    if end not in ("STOP", "FINISH_REASON_UNSPECIFIED"):
        return Reply(text, tokens_in, tokens_out, f"Gemini stopped its answer ({end}).")
    return Reply(text, tokens_in, tokens_out)


def _word(value: Any) -> str:
    """An enum's word; the number itself where the API is newer than the SDK."""
    return str(getattr(value, "name", value))
