"""How a description says who is asking: the models of its ``authentication``."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.adapters.brokers.rest.words import SECRETS, Template, TemplateField

PARTS = frozenset({"method", "path", "query", "body", "timestamp"})


class Part(BaseModel):
    """A part of a description: nothing that it does not know is let through."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


def check_names(template: Template, known: frozenset[str], what: str) -> None:
    """Raises ValueError for a placeholder that has no meaning there."""
    for name in sorted(template.names - known):
        offered = ", ".join(f"{{{one}}}" for one in sorted(known)) or "no placeholders"
        raise ValueError(f"{what} has the unknown placeholder '{{{name}}}'; there is {offered}")


class TimeFormat(StrEnum):
    """How a platform writes moments: epochs in seconds or milliseconds, or ISO 8601."""

    S = "s"
    MS = "ms"
    ISO = "iso"


class Signing(Part):
    """What all ways have in common: which secrets are used."""

    def templates(self) -> dict[str, Template]:
        """By where it stands."""
        found: dict[str, Template] = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Template):
                found[name] = value
            elif isinstance(value, dict):
                found |= {f"{name}.{key}": one for key, one in value.items()}
        return found

    @property
    def secrets(self) -> frozenset[str]:
        """The names of the secrets it needs, as the account form has them."""
        used = {name for one in self.templates().values() for name in one.names}
        return frozenset(name.removeprefix("secret.") for name in used & SECRETS)

    def known_names(self, _where: str) -> frozenset[str]:
        """The placeholders that may be used there."""
        return SECRETS

    @model_validator(mode="after")
    def _check(self) -> Any:
        for where, template in self.templates().items():
            check_names(template, self.known_names(where), where)
        return self


class NoSigning(Signing):
    """Everything is public."""

    method: Literal["none"]


class HeaderSigning(Signing):
    """Fixed headers with a secret in them."""

    method: Literal["header"]
    headers: dict[str, TemplateField] = Field(
        min_length=1, description="by name, as in X-API-KEY: '{secret.key}'"
    )


class BearerSigning(Signing):
    """``Authorization: Bearer TOKEN``."""

    method: Literal["bearer"]
    token: TemplateField = Field(default=Template("{secret.key}"), description="the token")


class BasicSigning(Signing):
    """HTTP's own: a name and a password."""

    method: Literal["basic"]
    username: TemplateField = Field(default=Template("{secret.key}"), description="the name")
    password: TemplateField = Field(default=Template("{secret.secret}"), description="the password")


class QuerySigning(Signing):
    """Parameters of the address with a secret in them."""

    method: Literal["query"]
    parameters: dict[str, TemplateField] = Field(
        min_length=1, description="by name, as in apikey: '{secret.key}'"
    )


class HmacSigning(Signing):
    """A keyed hash over the request, in a header or a parameter of the address."""

    method: Literal["hmac"]
    secret: TemplateField = Field(
        default=Template("{secret.secret}"), description="the key of the hash"
    )
    text: TemplateField = Field(
        description="what is signed, as in '{timestamp}{method}{path}{query}{body}'"
    )
    algorithm: Literal["sha256", "sha384", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    secret_encoding: Literal["text", "base64", "hex"] = Field(
        default="text", description="how the secret is written: most platforms take its text"
    )
    timestamp: TimeFormat = Field(default=TimeFormat.MS, description="the form of {timestamp}")
    headers: dict[str, TemplateField] = Field(
        default_factory=dict, description="by name; here {signature} is known too"
    )
    parameters: dict[str, TemplateField] = Field(
        default_factory=dict, description="added to the query before it is signed"
    )
    signature_parameter: str = Field(
        default="", description="name of a parameter of the address that carries the signature"
    )

    def known_names(self, where: str) -> frozenset[str]:
        """Of the text the parts of a request, of headers the signature too."""
        if where == "secret":
            return SECRETS
        if where == "text":
            return PARTS | {"secret.key", "secret.passphrase"}
        extra = {"timestamp", "signature"} if where.startswith("headers") else {"timestamp"}
        return frozenset({"secret.key", "secret.passphrase", *extra})

    @model_validator(mode="after")
    def _is_sent(self) -> Any:
        in_header = any("signature" in one.names for one in self.headers.values())
        if not in_header and not self.signature_parameter:
            raise ValueError(
                "the signature is sent nowhere: put '{signature}' into a header, or name a "
                "signature_parameter"
            )
        if "timestamp" not in self.text.names and "query" not in self.text.names:
            raise ValueError(
                "the text has neither '{timestamp}' nor '{query}' with one: whoever hears such a "
                "request could send it again for ever"
            )
        return self


Authentication = Annotated[
    NoSigning | HeaderSigning | BearerSigning | BasicSigning | QuerySigning | HmacSigning,
    Field(discriminator="method"),
]
