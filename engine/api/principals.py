"""Who asks: the token file's owner, or another program with a token of its own."""

import hashlib
import hmac
from dataclasses import dataclass

from engine.domain.tokens import ApiToken, Scope

MACHINE_NAME = "api"
PANEL, COMMANDS = "panel", "cli"
PROGRAM = "token:"
"""What the audit trail puts before a token's name: nobody else may call himself that."""


@dataclass(frozen=True)
class Principal:
    """Somebody with a token. ``token`` None: who can read the token file, and so may do all."""

    name: str
    scopes: frozenset[Scope]
    rate_per_minute: int
    token: ApiToken | None = None

    def may(self, scope: Scope) -> bool:
        """Whether it is allowed what ``scope`` allows."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def bucket(self, actor: str) -> str:
        """Whose requests are counted together. The panel, the commands and whatever else uses the
        token file are counted apart: a script that runs wild must not blind the panel."""
        if self.token is not None:
            return self.token.id
        client = actor.partition(":")[0]
        return client if client in (PANEL, COMMANDS) else MACHINE_NAME


def machine(rate_per_minute: int) -> Principal:
    """The owner of the token file."""
    return Principal(MACHINE_NAME, frozenset(Scope), rate_per_minute)


def owner_of(token: ApiToken) -> Principal:
    """Whoever was given a token; the prefix keeps its name apart from those the panel and the
    commands give themselves."""
    return Principal(PROGRAM + token.name, frozenset(token.scopes), token.rate_per_minute, token)


def bearer(header: str) -> str:
    """The token in an Authorization header; empty for another scheme, or none."""
    scheme, _, text = header.partition(" ")
    return text.strip() if scheme.lower() == "bearer" else ""


class MachineToken:
    """The token file's content, compared in constant time."""

    def __init__(self, token: str) -> None:
        self._digest = _digest(token)

    def is_same(self, text: str) -> bool:
        """Whether ``text`` is it."""
        return hmac.compare_digest(_digest(text), self._digest)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
