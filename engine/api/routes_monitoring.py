"""What watches the engine from outside."""

from typing import Annotated

from fastapi import Header, Response

from engine.api.routing import Services, new_router

router = new_router("monitoring", prefix="")


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={200: {"description": "Prometheus's text", "content": {"text/plain": {}}}},
)
def metrics(services: Services, accept: Annotated[str, Header(max_length=1_000)] = "") -> Response:
    """From memory, each time it is asked."""
    content, content_type = services.metrics.page(accept)
    return Response(content, headers={"Content-Type": content_type})
