"""Gemini on the loopback: ``POST /v1beta/models/{model}:generateContent`` as ai.google.dev
documents it, its refusals included.

Further faults: ``empty`` (no candidates), ``blocked`` (the prompt is), ``safety`` (the answer is),
``max_tokens`` (cut off), ``uncounted`` (no usage), ``new_end`` (ended by a reason that is newer
than the SDK).
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.fakes.model_server import ModelServer, Refused, Seen, serving_models

PATH = re.compile(r"/v1beta/models/([^/:]+):generateContent")
FIELDS = {
    "contents", "tools", "toolConfig", "safetySettings", "systemInstruction", "generationConfig",
    "cachedContent",
}  # fmt: skip
CONFIG_FIELDS = {
    "stopSequences", "responseMimeType", "responseSchema", "candidateCount", "maxOutputTokens",
    "temperature", "topP", "topK", "seed", "presencePenalty", "frequencyPenalty",
    "responseLogprobs", "logprobs", "responseModalities", "speechConfig", "thinkingConfig",
    "mediaResolution", "enableEnhancedCivicAnswers",
}  # fmt: skip
SCHEMA_FIELDS = {
    "type", "format", "title", "description", "nullable", "enum", "maxItems", "minItems",
    "properties", "required", "minProperties", "maxProperties", "minLength", "maxLength",
    "pattern", "example", "anyOf", "propertyOrdering", "default", "items", "minimum", "maximum",
}  # fmt: skip
TYPES = ("TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT")
CODES = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
         429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE",
         504: "DEADLINE_EXCEEDED"}  # fmt: skip
FINISH = {"STOP": 1, "MAX_TOKENS": 2, "SAFETY": 3}
TYPE = "type.googleapis.com/google.rpc."


class Gemini(ModelServer):
    """Gemini as a test sees it."""

    def check(self, seen: Seen) -> str:
        """See ModelServer."""
        path = PATH.fullmatch(unquote(urlsplit(seen.path).path))
        if path is None:
            raise Refused(404, self.error(404, ""))
        if seen.headers.get("x-goog-api-key") != self.key:
            raise Refused(400, _bad_key())
        if path[1] != self.model:
            words = f"models/{path[1]} is not found for API version v1beta, or is not supported"
            raise Refused(404, _error(404, f"{words} for generateContent."))
        if not seen.headers.get("content-type", "").startswith("application/json"):
            raise Refused(400, _error(400, "Invalid content type."))
        _known(seen.body, FIELDS, "")
        _known(seen.body.get("systemInstruction", {}), {"role", "parts"}, "system_instruction")
        config = seen.body.get("generationConfig", {})
        _known(config, CONFIG_FIELDS, "generation_config")
        if "responseSchema" in config:
            if config.get("responseMimeType") != "application/json":
                raise Refused(400, _error(400, "Response schema needs application/json."))
            _check_schema(config["responseSchema"], "generation_config.response_schema")
        return _prompt(seen.body.get("contents"))

    def reply(self, text: str, fault: str, seen: Seen) -> Any:
        """See ModelServer."""
        is_coded = "enum-encoding=int" in unquote(seen.path)
        usage: dict[str, Any] = {
            "promptTokenCount": self.tokens[0], "candidatesTokenCount": self.tokens[1] // 2,
            # what it thought is on the bill and in no other count this client knows
            "thoughtsTokenCount": self.tokens[1] - self.tokens[1] // 2,
            "totalTokenCount": sum(self.tokens),
        }  # fmt: skip
        whole: dict[str, Any] = {
            "usageMetadata": usage, "modelVersion": self.model, "responseId": "r-1",
        }  # fmt: skip
        if fault == "uncounted":
            del whole["usageMetadata"]
        if fault == "empty":
            return whole
        if fault == "blocked":
            reason = 4 if is_coded else "PROHIBITED_CONTENT"
            return {**whole, "promptFeedback": {"blockReason": reason}}
        end = {"safety": "SAFETY", "max_tokens": "MAX_TOKENS"}.get(fault, "STOP")
        candidate: dict[str, Any] = {"index": 0, "finishReason": FINISH[end] if is_coded else end}
        if fault == "new_end":
            candidate["finishReason"] = 99
        if fault != "safety":
            said = text[: len(text) // 2] if fault == "max_tokens" else text
            candidate["content"] = {"role": "model", "parts": [{"text": said}]}
        return {**whole, "candidates": [candidate]}

    def error(self, status: int, value: str) -> Any:
        """See ModelServer."""
        details = []
        if status == 429:
            details = [
                {"@type": f"{TYPE}QuotaFailure",
                 "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel"}]},
                {"@type": f"{TYPE}RetryInfo", "retryDelay": f"{value or 30}s"},
            ]  # fmt: skip
        return _error(status, f"Something is wrong ({status}).", details)


def _error(status: int, message: str, details: list[Any] | None = None) -> Any:
    error: dict[str, Any] = {
        "code": status, "message": message, "status": CODES.get(status, "UNKNOWN")
    }  # fmt: skip
    if details:
        error["details"] = details
    return {"error": error}


def _bad_key() -> Any:
    message = "API key not valid. Please pass a valid API key."
    info = {"@type": f"{TYPE}ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com",
            "metadata": {"service": "generativelanguage.googleapis.com"}}  # fmt: skip
    return _error(400, message, [info])


def _known(found: Any, fields: set[str], place: str) -> None:
    if not isinstance(found, Mapping):
        raise Refused(400, _error(400, f"Invalid value at '{place}'."))
    for name in set(found) - fields:
        words = f"Invalid JSON payload received. Unknown name \"{name}\" at '{place}'"
        raise Refused(400, _error(400, f"{words}: Cannot find field."))


def _check_schema(schema: Any, place: str) -> None:
    _known(schema, SCHEMA_FIELDS, place)
    kind = schema.get("type")
    if kind not in TYPES and not (isinstance(kind, int) and 0 < kind < len(TYPES)):
        raise Refused(400, _error(400, f"Invalid value at '{place}.type'."))
    for name, one in schema.get("properties", {}).items():
        _check_schema(one, f"{place}.properties[{name}]")


def _prompt(contents: Any) -> str:
    if not isinstance(contents, list) or not contents:
        raise Refused(400, _error(400, "* GenerateContentRequest.contents: contents is not set"))
    for one in contents:
        _known(one, {"role", "parts"}, "contents")
    return "".join(part.get("text", "") for one in contents for part in one["parts"])


@contextmanager
def gemini_server(**changes: Any) -> Iterator[Gemini]:
    """Gemini on a port of the loopback until the end of the block."""
    with serving_models(Gemini(**changes)) as gemini:
        yield gemini
