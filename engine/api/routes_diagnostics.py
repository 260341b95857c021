"""Diagnostics: how everything is, a thorough look, the bundle for a bug report."""

from fastapi import Response

from engine.api.routing import Services, new_router
from engine.api.wire import answer
from engine.contracts.diagnostics import DiagnosisView

router = new_router("diagnostics")

ZIP = {"Content-Disposition": 'attachment; filename="quarterdeck-bundle.zip"'}


@router.get("/diagnostics", response_model=DiagnosisView, summary="How everything is")
def look(services: Services) -> Response:
    """What is known by now; no venue and no provider is asked."""
    return answer(services.diagnostics.look(is_deep=False))


@router.post("/diagnostics", response_model=DiagnosisView, summary="A thorough look")
def look_deeply(services: Services) -> Response:
    """Tests every account, asks every channel's provider about its credentials (sending nothing)
    and a time server, and reads the pages of an SQLite database. May take a minute."""
    return answer(services.diagnostics.look(is_deep=True))


@router.get("/diagnostics/bundle", response_class=Response, summary="The bundle for a bug report")
def bundle(services: Services) -> Response:
    """A zip file with what was found, settings, bots, events and logs; secrets, addresses and
    phone numbers are masked."""
    content = services.diagnostics.bundle(is_deep=False)
    return Response(content, media_type="application/zip", headers=ZIP)
