"""The two small languages inside a description: ``{placeholders}`` and paths into answers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import PlainValidator

PLACE = re.compile(r"\{([^{}]*)\}")
SECRETS = frozenset({"secret.key", "secret.secret", "secret.passphrase"})
LONGEST = 500


class Unreadable(ValueError):
    """An answer that is not what the description says: it is not believed."""


@dataclass(frozen=True)
class Template:
    """Text with ``{placeholders}``; or a value that is sent as it is."""

    source: str | int | bool

    @cached_property
    def names(self) -> frozenset[str]:
        """The placeholders in it."""
        return (
            frozenset(PLACE.findall(self.source)) if isinstance(self.source, str) else frozenset()
        )

    def fill(self, values: Mapping[str, Any]) -> Any:
        """The text with its placeholders filled in; a single placeholder keeps its value's type.

        None when a placeholder has no value: whatever it is for is then left out.
        """
        if any(values.get(name) is None for name in self.names):
            return None
        if not isinstance(self.source, str):
            return self.source
        alone = PLACE.fullmatch(self.source)
        if alone is not None:
            return values[alone[1]]
        return PLACE.sub(lambda found: str(values[found[1]]), self.source)


def _template(told: object) -> Template:
    if not isinstance(told, str | int):
        raise ValueError("it has to be text, like '{symbol}', a whole number, true or false")
    if isinstance(told, str):
        if len(told) > LONGEST:
            raise ValueError(f"it is longer than {LONGEST} characters")
        rest = PLACE.sub("", told)
        if "{" in rest or "}" in rest:
            raise ValueError("a brace is open: placeholders are written like '{symbol}'")
    return Template(told)


@dataclass(frozen=True)
class Expression:
    """Where something is in an answer, as JMESPath says it: ``data.orders[0].id``."""

    source: str

    @cached_property
    def _compiled(self) -> Any:
        return jmespath.compile(self.source)

    def find(self, answer: Any) -> Any:
        """What is there; None when nothing is. Raises Unreadable for what cannot be computed."""
        try:
            return self._compiled.search(answer)
        except (JMESPathError, TypeError, ArithmeticError) as error:
            raise Unreadable(f"'{self.source}' cannot be computed") from error


def _expression(told: object) -> Expression:
    if not isinstance(told, str) or not told.strip():
        raise ValueError(
            "it has to be a path into the answer, in quotes, like 'data.price' or '[0]'"
        )
    if len(told) > LONGEST:
        raise ValueError(f"it is longer than {LONGEST} characters")
    try:
        jmespath.compile(told)
    except JMESPathError as error:
        reason = str(error).splitlines()[0].rstrip(".:")
        raise ValueError(
            f"'{told}' is no path: {reason}; write one like 'data.price', or '[0]' for the first "
            "of a list"
        ) from error
    return Expression(told)


TemplateField = Annotated[Template, PlainValidator(_template)]
PathField = Annotated[Expression, PlainValidator(_expression)]
HERE = Expression("@")
