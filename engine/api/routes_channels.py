"""Channels: their forms, the matrix, and what their providers say. Secrets only come in."""

from typing import Annotated

from fastapi import Path, Response

from engine.api.routing import Actor, Services, new_router
from engine.api.wire import answer
from engine.contracts.alerts import (
    ChannelChanges,
    ChannelFormView,
    ChannelRequest,
    ChannelTest,
    ChannelView,
    MatrixUpdate,
)

router = new_router("channels")

ChannelKey = Annotated[str, Path(max_length=64, description="a channel's id or name")]


@router.put("/alerts/matrix", response_model=list[ChannelView], summary="What channels tell")
def set_matrix(request: MatrixUpdate, services: Services, actor: Actor) -> Response:
    """Several cells at once, all or none; all channels as they are then."""
    return answer(services.channels.set_matrix(request, actor))


@router.get("/channels", response_model=list[ChannelView], summary="All channels")
def channels(services: Services) -> Response:
    """In the order in which they were added, without their secrets."""
    return answer(services.channels.list())


@router.get("/channels/forms", response_model=list[ChannelFormView], summary="Kinds of channels")
def forms(services: Services) -> Response:
    """With the fields that each needs."""
    return answer(services.channels.forms())


@router.post("/channels", response_model=ChannelView, status_code=201, summary="Add a channel")
def add_channel(request: ChannelRequest, services: Services, actor: Actor) -> Response:
    """Nothing is sent; see ``verify`` and ``test``."""
    return answer(services.channels.add(request, actor), 201)


@router.get("/channels/{key}", response_model=ChannelView, summary="One channel")
def channel(key: ChannelKey, services: Services) -> Response:
    """By id or name."""
    return answer(services.channels.get(key))


@router.put("/channels/{key}", response_model=ChannelView, summary="Change a channel")
def change_channel(
    key: ChannelKey, changes: ChannelChanges, services: Services, actor: Actor
) -> Response:
    """What is not given stays; so does a secret that is given empty."""
    return answer(services.channels.change(key, changes, actor))


@router.delete("/channels/{key}", status_code=204, summary="Delete a channel")
def delete_channel(key: ChannelKey, services: Services, actor: Actor) -> Response:
    """With its secrets. What waits for it is dropped; 409 while another escalates to it."""
    services.channels.delete(key, actor)
    return Response(status_code=204)


@router.post("/channels/{key}/verify", response_model=ChannelTest, summary="Check credentials")
def verify_channel(key: ChannelKey, services: Services) -> Response:
    """Asks the provider, sending nothing. A refusal is an answer, not a failed request."""
    return answer(services.channels.verify(key))


@router.post("/channels/{key}/test", response_model=ChannelTest, summary="Send a test message")
def test_channel(key: ChannelKey, services: Services, actor: Actor) -> Response:
    """Sent at once; the answer has the provider's own. A refusal is an answer, too."""
    return answer(services.channels.test(key, actor))
