"""A server with ``POST /v1/chat/completions`` on the loopback, as OpenAI documents it.

Further faults: ``empty`` (no choices), ``blocked`` (a refusal), ``safety`` (filtered),
``max_tokens`` (cut off), ``uncounted`` (no usage).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.fakes.model_server import ModelServer, Refused, Seen, serving_models

FIELDS = {
    "model", "messages", "temperature", "max_tokens", "max_completion_tokens", "response_format",
    "stream", "n", "seed", "top_p", "stop", "user", "store",
}  # fmt: skip
FORMAT_FIELDS = {"name", "strict", "schema", "description"}


class ChatCompletions(ModelServer):
    """The server as a test sees it; an empty ``key`` asks for none."""

    def check(self, seen: Seen) -> str:
        """See ModelServer."""
        if seen.path != "/v1/chat/completions":
            raise Refused(404, _error("Unknown request URL.", "invalid_request_error"))
        if self.key and seen.headers.get("authorization") != f"Bearer {self.key}":
            told = seen.headers.get("authorization", "")
            words = f"Incorrect API key provided: {told}."
            raise Refused(401, _error(words, "invalid_request_error", "invalid_api_key"))
        body = seen.body
        for name in set(body) - FIELDS:
            raise Refused(400, _error(f"Unrecognized request argument supplied: {name}"))
        if body.get("model") != self.model:
            words = f"The model `{body.get('model')}` does not exist."
            raise Refused(404, _error(words, "invalid_request_error", "model_not_found"))
        _check_format(body.get("response_format"))
        roles = [message["role"] for message in body["messages"]]
        if roles != ["system", "user"]:
            raise Refused(400, _error("Invalid messages."))
        return str(body["messages"][1]["content"])

    def reply(self, text: str, fault: str, seen: Seen) -> Any:
        """See ModelServer."""
        whole: dict[str, Any] = {
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1_770_000_000,
            "model": self.model, "choices": [],
            "usage": {"prompt_tokens": self.tokens[0], "completion_tokens": self.tokens[1],
                      "total_tokens": sum(self.tokens)},
        }  # fmt: skip
        if fault == "uncounted":
            del whole["usage"]
        if fault == "empty":
            return whole
        end = {"safety": "content_filter", "max_tokens": "length"}.get(fault, "stop")
        said: str | None = text[: len(text) // 2] if fault == "max_tokens" else text
        refusal = "I cannot help with that." if fault == "blocked" else None
        message = {"role": "assistant", "content": None if refusal else said, "refusal": refusal}
        whole["choices"] = [{"index": 0, "message": message, "finish_reason": end}]
        return whole

    def error(self, status: int, value: str) -> Any:
        """See ModelServer."""
        kind = "requests" if status == 429 else "server_error"
        return _error(f"Something is wrong ({status}). Please try again in {value or 30}s.", kind)


def _error(message: str, kind: str = "invalid_request_error", code: str | None = None) -> Any:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _check_format(wanted: Any) -> None:
    """Strict schemas: every property is required, and there are no others."""
    if not isinstance(wanted, Mapping) or wanted.get("type") != "json_schema":
        raise Refused(400, _error("Invalid response_format."))
    form = wanted["json_schema"]
    schema = form.get("schema", {})
    is_strict = schema.get("additionalProperties") is False
    if set(form) - FORMAT_FIELDS or not is_strict:
        raise Refused(400, _error("Invalid schema for response_format."))
    if set(schema["required"]) != set(schema["properties"]):
        raise Refused(400, _error("Invalid schema: 'required' must name every property."))


@contextmanager
def chat_server(**changes: Any) -> Iterator[ChatCompletions]:
    """The server on a port of the loopback until the end of the block."""
    with serving_models(ChatCompletions(**({"tells_pause": True} | changes))) as server:
        yield server
