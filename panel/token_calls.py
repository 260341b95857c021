"""The calls about API tokens. A token's text comes once, when it is made."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from engine.contracts.tokens import NewToken, TokenView
from panel.connection import Connection

TOKENS = "/api/v1/tokens"


class TokenCalls(Connection):
    """Every one raises EngineOff or EngineRefused."""

    def tokens(self) -> list[TokenView]:
        """All tokens, the newest first."""
        return self._get(list[TokenView], TOKENS)

    def create_token(self, request: Mapping[str, Any]) -> NewToken:
        """Make a token; the engine judges what is asked."""
        return self._post(NewToken, TOKENS, request)

    def revoke_token(self, token_id: str) -> None:
        """End a token, at once and for good."""
        self._send("DELETE", f"{TOKENS}/{quote(token_id, safe='')}")
