"""The calls about accounts at venues. Secrets go one way."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from engine.contracts.venue_accounts import LoginPage, VenueAccountView, VenueView
from panel.connection import Connection

ACCOUNTS = "/api/v1/venue-accounts"
PATIENT = httpx.Timeout(20.0, connect=2.0)
"""A test waits for the venue, the first one also for the vendor's library to be loaded."""


class AccountCalls(Connection):
    """Every one raises EngineOff or EngineRefused."""

    def venues(self) -> list[VenueView]:
        """Venues that accounts can be added at, with their forms."""
        return self._get(list[VenueView], "/api/v1/venues")

    def venue_accounts(self) -> list[VenueAccountView]:
        """All accounts that were added."""
        return self._get(list[VenueAccountView], ACCOUNTS)

    def add_account(self, request: Mapping[str, Any]) -> VenueAccountView:
        """Test and keep an account; the engine judges what is asked."""
        return self._patiently("POST", ACCOUNTS, request)

    def change_account(self, account_id: str, changes: Mapping[str, Any]) -> VenueAccountView:
        """Another name, options or secrets; what is not given stays."""
        return self._patiently("PATCH", _account(account_id), changes)

    def delete_account(self, account_id: str) -> None:
        """Delete an account that no bot uses, with its secrets."""
        self._send("DELETE", _account(account_id), timeout=PATIENT)

    def test_account(self, account_id: str) -> VenueAccountView:
        """Ask its venue now."""
        return self._patiently("POST", _account(account_id, "test"))

    def enable_account(self, account_id: str) -> VenueAccountView:
        """Let it take entries."""
        return self._patiently("POST", _account(account_id, "enable"))

    def disable_account(self, account_id: str, *, confirm: bool = False) -> VenueAccountView:
        """Let it take no entries; exits go on. ``confirm``: also while its bots trade."""
        return self._patiently("POST", _account(account_id, "disable"), {"confirm": confirm})

    def login_page(self, account_id: str) -> LoginPage:
        """Where a person logs in."""
        return self._get(LoginPage, _account(account_id, "login"))

    def log_in(self, account_id: str, answer: str) -> VenueAccountView:
        """Complete a login with the address that the browser was sent back to."""
        return self._patiently("POST", _account(account_id, "login"), {"answer": answer})

    def _patiently(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> VenueAccountView:
        return self._parse(VenueAccountView, self._send(method, path, body, timeout=PATIENT))


def _account(account_id: str, verb: str = "") -> str:
    path = f"{ACCOUNTS}/{quote(account_id, safe='')}"
    return f"{path}/{verb}" if verb else path
