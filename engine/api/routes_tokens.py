"""API tokens: list, make, revoke. Only an admin may."""

from typing import Annotated

from fastapi import Path, Response

from engine.api.routing import Actor, Services, new_router
from engine.api.wire import answer
from engine.contracts.tokens import NewToken, TokenRequest, TokenView

router = new_router("tokens")


@router.get("/tokens", response_model=list[TokenView], summary="API tokens")
def list_tokens(services: Services) -> Response:
    """The newest first, those that were revoked too; without their texts."""
    return answer(services.tokens.list())


@router.post("/tokens", response_model=NewToken, status_code=201, summary="Make an API token")
def create_token(request: TokenRequest, services: Services, actor: Actor) -> Response:
    """``text`` is shown in this answer only: nothing but its SHA-256 is kept."""
    return answer(services.tokens.create(request, actor), 201)


@router.delete("/tokens/{key}", status_code=204, summary="Revoke an API token")
def revoke_token(
    key: Annotated[str, Path(max_length=64, description="a token's id or name")],
    services: Services,
    actor: Actor,
) -> Response:
    """At once and for good; it stays in the list."""
    services.tokens.revoke(key, actor)
    return Response(status_code=204)
