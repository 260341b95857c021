"""API tokens for the API: what the gate asks of each request, and the list on the Settings page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.contracts.tokens import NewToken, TokenRequest, TokenView
from engine.domain.tokens import ApiToken
from engine.services.api_tokens import ApiTokens
from engine.services.login_failures import LoginFailures


class TokenServices(Protocol):
    """What the API asks about tokens. The first four only touch memory."""

    def find(self, text: str) -> ApiToken | None:
        """The token of this text, be it in force or not."""
        ...

    def objection(self, token: ApiToken) -> str:
        """Why a token opens nothing (any more); empty when it does."""
        ...

    def note_use(self, token_id: str) -> None:
        """It opened something."""
        ...

    def note_failure(self, address: str) -> None:
        """A wrong token came from there."""
        ...

    def list(self) -> Sequence[TokenView]:
        """The newest first."""
        ...

    def create(self, request: TokenRequest, actor: str) -> NewToken:
        """Raises ConfigError naming the field, Conflict (the name is or was taken)."""
        ...

    def revoke(self, key: str, actor: str) -> None:
        """By id or name. Raises NotFound."""
        ...


@dataclass(frozen=True)
class TokenDesk:
    """Implements ``TokenServices``."""

    tokens: ApiTokens
    failures: LoginFailures

    def find(self, text: str) -> ApiToken | None:
        """From memory."""
        return self.tokens.find(text)

    def objection(self, token: ApiToken) -> str:
        """From memory."""
        return self.tokens.objection(token)

    def note_use(self, token_id: str) -> None:
        """Written down later."""
        self.tokens.note_use(token_id)

    def note_failure(self, address: str) -> None:
        """Told later."""
        self.failures.note(address)

    def list(self) -> Sequence[TokenView]:
        """The newest first."""
        return [self._view(token) for token in self.tokens.list()]

    def create(self, request: TokenRequest, actor: str) -> NewToken:
        """Its text is in this answer and nowhere else."""
        token, text = self.tokens.create(
            request.name, request.scopes, actor,
            rate_per_minute=request.rate_per_minute, days=request.expires_in_days,
        )  # fmt: skip
        return NewToken(token=self._view(token), text=text)

    def revoke(self, key: str, actor: str) -> None:
        """At once and for good."""
        self.tokens.revoke(key, actor)

    def keep(self) -> None:
        """Write down what the gate has noted; for a thread."""
        self.tokens.keep_uses()
        self.failures.tell()

    def _view(self, token: ApiToken) -> TokenView:
        is_valid = not self.tokens.objection(token)
        return TokenView(**token.model_dump(exclude={"digest"}), is_valid=is_valid)
