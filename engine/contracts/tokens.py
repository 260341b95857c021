"""Tokens of the API: what is shown of one, and what makes one."""

from pydantic import ConfigDict, Field

from engine.contracts.base import Contract
from engine.domain.money import UtcDatetime
from engine.domain.tokens import Scope

__all__ = ["NewToken", "Scope", "TokenRequest", "TokenView"]


class TokenView(Contract):
    """A token without its text. ``is_valid``: neither revoked nor expired."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    rate_per_minute: int
    created_at: UtcDatetime
    expires_at: UtcDatetime | None = None
    last_used_at: UtcDatetime | None = None
    revoked_at: UtcDatetime | None = None
    is_valid: bool


class TokenRequest(Contract):
    """A new token. ``expires_in_days`` None: it holds until it is revoked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$")
    scopes: tuple[Scope, ...] = Field(min_length=1, max_length=4)
    rate_per_minute: int = Field(default=600, ge=1, le=1_000_000)
    expires_in_days: int | None = Field(default=None, ge=1, le=3_650)


class NewToken(Contract):
    """A token that was just made, with its text: it is shown this once and kept nowhere."""

    token: TokenView
    text: str
