"""Tokens of the API: who may do what."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.money import UtcDatetime


class Scope(StrEnum):
    """What a token allows; each stands for itself alone, but ``admin`` for all.

    ``read``: see everything but secrets. ``signals``: send signals, prices and executions, and
    fetch the orders that MetaTrader is to execute. ``trade``: start, stop and change bots, place
    and cancel orders, the kill switch. ``admin``: accounts, settings, tokens, the engine itself.
    """

    READ = "read"
    SIGNALS = "signals"
    TRADE = "trade"
    ADMIN = "admin"


class ApiToken(BaseModel):
    """A token; its text is shown once and only its SHA-256 is kept."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    digest: str
    scopes: tuple[Scope, ...] = Field(min_length=1)
    rate_per_minute: int = Field(default=600, ge=1, le=1_000_000)
    created_at: UtcDatetime
    expires_at: UtcDatetime | None = None
    last_used_at: UtcDatetime | None = None
    revoked_at: UtcDatetime | None = None
