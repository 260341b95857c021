"""Accounts: what the books and the venue say, and what becomes of each difference."""

from typing import Annotated

from fastapi import Query, Response

from engine.api.routing import Actor, Services, new_router
from engine.api.wire import answer
from engine.contracts import (
    AccountReport,
    CheckRequest,
    Finding,
    FindingFilter,
    ResolveRequest,
)

router = new_router("accounts")


@router.get("/reconcile", response_model=list[AccountReport], summary="Both sides, every account")
def account_reports(services: Services) -> Response:
    """As of each account's last check; no venue is asked."""
    return answer(services.account_reports())


@router.post("/reconcile", response_model=AccountReport, summary="Compare with the venue now")
def check_account(request: CheckRequest, services: Services, actor: Actor) -> Response:
    """A venue that does not answer is a report that says so."""
    return answer(services.check_account(request.account_id, actor))


@router.get("/findings", response_model=list[Finding], summary="Differences found")
def findings(services: Services, chosen: Annotated[FindingFilter, Query()]) -> Response:
    """The newest seen first."""
    return answer(services.findings(chosen))


@router.post("/findings/resolve", response_model=Finding, summary="Decide about a difference")
def resolve_finding(request: ResolveRequest, services: Services, actor: Actor) -> Response:
    """Adopt, ignore or close it."""
    return answer(services.resolve_finding(request, actor))
