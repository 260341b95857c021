"""Failures as answers: one table of statuses, one shape of body, one sentence a field."""

import logging
import re
import secrets
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from engine.api.wire import answer
from engine.contracts import ErrorBody, ErrorDetail
from engine.domain.money import text
from engine.errors import (
    BackupError,
    BrokerError,
    ConfigError,
    Conflict,
    DataError,
    NotFound,
    OrderRejected,
    QuarterdeckError,
    SignalRefused,
    StoreError,
    StrategyError,
)

log = logging.getLogger("quarterdeck.api")

STATUS: dict[type[QuarterdeckError], int] = {
    Conflict: 409,
    ConfigError: 422,
    NotFound: 404,
    StrategyError: 422,
    OrderRejected: 422,
    SignalRefused: 422,
    DataError: 503,
    StoreError: 503,
    BackupError: 503,
    BrokerError: 503,
    QuarterdeckError: 500,
}
"""The nearest ancestor of an error decides."""

SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

HTTP_WORDS = {
    400: ("malformed", "The request is not well-formed."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take that method."),
}

NOT_UTF8 = "The body is not text in UTF-8."

SENTENCES = {
    "missing": "is missing",
    "extra_forbidden": "is not a known field",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "finite_number": "must be a finite number",
    "float_parsing": "must be a number",
    "decimal_parsing": "must be a number",
    "decimal_type": "must be a number",
    "decimal_max_digits": "must have at most {max_digits} digits",
    "decimal_whole_digits": "must have at most {whole_digits} digits before the point",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "is too large",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "string_unicode": "must be valid text",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} item",
    "too_long": "must have at most {max_length} items",
    "string_pattern_mismatch": "has characters that are not allowed here",
    "enum": "must be one of {expected}",
    "datetime_parsing": "must be a time such as 2026-01-31T08:00:00Z",
    "datetime_from_date_parsing": "must be a time such as 2026-01-31T08:00:00Z",
    "datetime_type": "must be a time such as 2026-01-31T08:00:00Z",
    "time_parsing": "must be a time of the day such as 08:00",
    "time_type": "must be a time of the day such as 08:00",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "tuple_type": "must be a list",
    "value_error": "{error}",
}
"""Pydantic's error types in plain words; a type that is not here keeps pydantic's own."""

WEBHOOKS = "/webhook/"
"""What the addresses of webhooks begin with; a key follows."""

_WHERE = frozenset({"body", "query", "path", "header"})


def error_response(
    status: int, code: str, message: str, details: Sequence[ErrorDetail] = ()
) -> Response:
    """An ``ErrorBody`` under ``error``."""
    body = ErrorBody(code=code, message=message, details=tuple(details))
    response = answer({"error": body}, status)
    response.headers.update(SECURITY_HEADERS)
    return response


def status_of(error: QuarterdeckError) -> int:
    """The HTTP status of an error, by the nearest of its ancestors in ``STATUS``."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def details_of(errors: Sequence[Mapping[str, Any]]) -> tuple[ErrorDetail, ...]:
    """Pydantic's errors as one plain sentence a field. Inputs are never repeated in them."""
    return tuple(
        ErrorDetail(field=_field_of(error["loc"]), message=_sentence(error)) for error in errors
    )


def summary_of(details: Sequence[ErrorDetail], shown: int = 3) -> str:
    """The first details in one line: ``amount: must be greater than 0``."""
    lines = [f"{row.field}: {row.message}" if row.field else row.message for row in details]
    more = f" (and {len(lines) - shown} more)" if len(lines) > shown else ""
    return "; ".join(lines[:shown]) + more


def install(app: FastAPI) -> None:
    """Give ``app`` its error handlers."""
    app.add_exception_handler(QuarterdeckError, _on_quarterdeck_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_unexpected)


def _field_of(location: Sequence[str | int]) -> str:
    parts = location[1:] if location and location[0] in _WHERE else location
    return ".".join(str(part) for part in parts)


def _sentence(error: Mapping[str, Any]) -> str:
    template = SENTENCES.get(error["type"])
    if template is None:
        # Pydantic repeats parts of what was sent in few messages, and always within quotes.
        return re.sub(r"'[^']*'|\"[^\"]*\"", "...", str(error["msg"])).rstrip(".")
    limits = error.get("ctx", {}).items()
    return template.format_map(
        {name: text(limit) if isinstance(limit, Decimal) else limit for name, limit in limits}
    )


def _on_quarterdeck_error(request: Request, error: Exception) -> Response:
    known = cast(QuarterdeckError, error)
    status = status_of(known)
    if status >= 500:
        log.warning("%s %s: %s", request.method, _place_of(request), known.message)
    details = [ErrorDetail(field=known.field, message=known.message)] if known.field else []
    return error_response(status, known.code, known.message, details)


def _on_invalid_request(_request: Request, error: Exception) -> Response:
    problems = cast(RequestValidationError, error).errors()
    malformed = [problem for problem in problems if problem["type"] == "json_invalid"]
    if malformed:
        is_no_text = malformed[0].get("ctx", {}).get("error") == NOT_UTF8
        message = NOT_UTF8 if is_no_text else "The body is not well-formed JSON."
        return error_response(400, "malformed", message)
    details = details_of(problems)
    return error_response(422, "invalid", summary_of(details), details)


def _on_http_error(_request: Request, error: Exception) -> Response:
    status = cast(HTTPException, error).status_code
    code, message = HTTP_WORDS.get(status, ("error", "The request could not be served."))
    return error_response(status, code, message)


def _place_of(request: Request) -> str:
    """The address without the key that a webhook's ends with."""
    path = request.url.path
    return f"{WEBHOOKS}…" if path.startswith(WEBHOOKS) else path


def _on_unexpected(request: Request, error: Exception) -> Response:
    incident = secrets.token_hex(4)
    log.error("incident %s at %s %s", incident, request.method, _place_of(request), exc_info=error)
    message = f"The engine failed on this request; its log has the details under {incident}."
    return error_response(500, "internal", message)
