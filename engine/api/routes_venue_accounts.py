"""Accounts at venues: add, test, change, enable, disable, delete, log in. Secrets only come in."""

from typing import Annotated

from fastapi import Path, Response

from engine.api.routing import Actor, Services, new_router
from engine.api.wire import answer
from engine.contracts.venue_accounts import (
    DisableRequest,
    LoginAnswer,
    LoginPage,
    VenueAccountChanges,
    VenueAccountRequest,
    VenueAccountView,
    VenueView,
)

router = new_router("venue accounts")

AccountKey = Annotated[str, Path(max_length=64, description="an account's id or name")]


@router.get("/venues", response_model=list[VenueView], summary="Venues and their forms")
def venues(services: Services) -> Response:
    """Those that accounts can be added at."""
    return answer(services.venue_accounts.venues())


@router.get("/venue-accounts", response_model=list[VenueAccountView], summary="All accounts")
def list_accounts(services: Services) -> Response:
    """In the order in which they were added."""
    return answer(services.venue_accounts.list())


@router.post("/venue-accounts", response_model=VenueAccountView, status_code=201,
             summary="Add an account")  # fmt: skip
def add_account(request: VenueAccountRequest, services: Services, actor: Actor) -> Response:
    """Tested first; a key that can withdraw is refused. Disabled until a test has gone well."""
    return answer(services.venue_accounts.add(request, actor), 201)


@router.get("/venue-accounts/{key}", response_model=VenueAccountView, summary="One account")
def get_account(key: AccountKey, services: Services) -> Response:
    """By id or name."""
    return answer(services.venue_accounts.get(key))


@router.patch("/venue-accounts/{key}", response_model=VenueAccountView,
              summary="Change an account")  # fmt: skip
def change_account(
    key: AccountKey, changes: VenueAccountChanges, services: Services, actor: Actor
) -> Response:
    """Name, options or secrets; tested first."""
    return answer(services.venue_accounts.change(key, changes, actor))


@router.delete("/venue-accounts/{key}", status_code=204, summary="Delete an account")
def delete_account(key: AccountKey, services: Services, actor: Actor) -> Response:
    """With its secrets; 409 while a bot uses it."""
    services.venue_accounts.delete(key, actor)
    return Response(status_code=204)


@router.post("/venue-accounts/{key}/test", response_model=VenueAccountView,
             summary="Test an account")  # fmt: skip
def test_account(key: AccountKey, services: Services, actor: Actor) -> Response:
    """Asks its venue about the key, the clock, the balance, the minimums."""
    return answer(services.venue_accounts.test(key, actor))


@router.post("/venue-accounts/{key}/enable", response_model=VenueAccountView,
             summary="Let an account take entries")  # fmt: skip
def enable_account(key: AccountKey, services: Services, actor: Actor) -> Response:
    """409 until a test has gone well."""
    return answer(services.venue_accounts.enable(key, actor))


@router.post("/venue-accounts/{key}/disable", response_model=VenueAccountView,
             summary="Let an account take no entries")  # fmt: skip
def disable_account(
    key: AccountKey, services: Services, actor: Actor, request: DisableRequest | None = None
) -> Response:
    """Exits go on. 409 without ``confirm`` while its bots trade."""
    confirm = request is not None and request.confirm
    return answer(services.venue_accounts.disable(key, confirm, actor))


@router.get("/venue-accounts/{key}/login", response_model=LoginPage, summary="Where to log in")
def login_page(key: AccountKey, services: Services) -> Response:
    """For venues whose keys hold for a day."""
    return answer(services.venue_accounts.login_page(key))


@router.post("/venue-accounts/{key}/login", response_model=VenueAccountView,
             summary="Complete a login")  # fmt: skip
def log_in(key: AccountKey, request: LoginAnswer, services: Services, actor: Actor) -> Response:
    """Takes the address that the browser was sent back to, or the token in it."""
    given = request.answer.get_secret_value()
    return answer(services.venue_accounts.log_in(key, given, actor))
