"""Reconciling: what the books say of an account and what its venue says, made to agree or halted.

What the venue lists and the books do not know is booked: executions of our orders where they
belong, those of nobody as nobody's. What nothing explains is a finding, and while one that blocks
is open the account takes no entries.
"""

import logging
from datetime import datetime

from engine.domain.accounts import (
    AccountHealth,
    AccountState,
    Finding,
    FindingKind,
    FindingState,
    LineKind,
    Resolution,
)
from engine.domain.reconcile import compare
from engine.domain.records import Level
from engine.errors import AccessDenied, BrokerError, DataError, NotFound
from engine.ports import MarketData, Venues
from engine.services.account_ledger import AccountLedger
from engine.services.book_differences import DifferenceBook, opening_time
from engine.services.books import Books, Writing
from engine.services.findings import FindingBook, Rules, unreadable
from engine.services.order_desk import OrderDesk
from engine.services.read_accounts import LONGEST_WINDOW, OVERLAP, AccountReader, Look
from engine.services.resolve import Resolver

log = logging.getLogger("quarterdeck.reconcile")

RETRY_S = 5.0
"""How long an account that could not be checked is left alone."""


class Reconciler:
    """Checks one account at a time, on its lane; ``ledger`` remembers what was seen."""

    def __init__(
        self,
        books: Books,
        desk: OrderDesk,
        venues: Venues,
        rules: Rules | None = None,
        ledger: AccountLedger | None = None,
    ) -> None:
        self._books = books
        self._venues = venues
        self._reader = AccountReader(books, desk)
        self._differences = DifferenceBook(books)
        self._findings = FindingBook(books, rules or Rules())
        self._resolver = Resolver(books, desk, venues, self.check)
        self._opened_at: dict[str, datetime] = {}
        self._checked: set[str] = set()
        self._tried_s: dict[str, float] = {}
        self._ledger = ledger

    # --- when -----------------------------------------------------------------------------------

    def age_s(self, account_id: str) -> float | None:
        """Seconds since the last attempt; None when there was none since the start."""
        tried_s = self._tried_s.get(account_id)
        return None if tried_s is None else self._books.clock.monotonic() - tried_s

    def is_checked(self, account_id: str) -> bool:
        """Whether a check was completed since the start."""
        return account_id in self._checked

    def has_failed(self, account_id: str) -> bool:
        """Whether the last check could not be made."""
        health = self._state_of(account_id).health
        return health in (AccountHealth.UNREACHABLE, AccountHealth.DENIED)

    def ensure_checked(self, account_id: str, market: MarketData) -> None:
        """Check an account that was not checked since the start, before anything enters on it."""
        age_s = self.age_s(account_id)
        if not self.is_checked(account_id) and (age_s is None or age_s >= RETRY_S):
            self.check(account_id, market, "start")

    def check(self, account_id: str, market: MarketData, trigger: str) -> AccountState:
        """Compare both sides and write what follows. A venue that does not answer is a state, and
        never a clean one. Raises StoreError, NotFound (no such account)."""
        if not self.is_checked(account_id):
            self._books.unchecked.add(account_id)
        self._tried_s[account_id] = self._books.clock.monotonic()
        broker = self._venues.broker(account_id, market)
        before = self._state_of(account_id)
        look = Look(
            account_id, market, broker, is_first=before.trades_until is None,
            since=(before.trades_until or market.now()) - OVERLAP,
            opened_at=self._opening_of(account_id),
        )  # fmt: skip
        try:
            self._reader.look(look)
        except AccessDenied as error:
            return self._failed(account_id, AccountHealth.DENIED, error.message)
        except (BrokerError, DataError, NotFound) as error:  # not found: a symbol that is gone
            return self._failed(account_id, AccountHealth.UNREACHABLE, error.message)
        after = self._conclude(look)
        if self._ledger is not None:
            self._ledger.take(account_id, look.balances)
        if after.health is not AccountHealth.UNCHECKED:
            self._checked.add(account_id)
            self._books.unchecked.discard(account_id)
        log.debug("%s was checked (%s): %s", account_id, trigger, after.health)
        return after

    def resolve(
        self, finding_id: str, resolution: Resolution, actor: str, bot_id: str | None = None
    ) -> Finding:
        """Do what a person has decided about a finding, on its account's lane, and check again.
        Raises NotFound, Conflict (resolved already, not now), ConfigError (makes no sense)."""
        return self._resolver.resolve(finding_id, resolution, actor, bot_id)

    def _state_of(self, account_id: str) -> AccountState:
        return self._books.accounts.get(account_id) or AccountState(account_id=account_id)

    def _opening_of(self, account_id: str) -> datetime | None:
        """When the account was first seen: what happened before is in its opening."""
        if account_id not in self._opened_at:
            with self._books.store.reading() as tx:
                lines = tx.lines.select(account_id=account_id, kind=LineKind.OPENING, limit=1)
            if lines:
                self._opened_at[account_id] = lines[0].time
        return self._opened_at.get(account_id)

    def _failed(self, account_id: str, health: AccountHealth, why: str) -> AccountState:
        """Keep that nothing is known; said once."""
        known = self._state_of(account_id)
        if (known.health, known.detail) == (health, why):
            return known
        state = known.model_copy(update={"health": health, "detail": why})
        with self._books.writing() as writing:
            writing.put_account(state)
            if known.health is not health:
                writing.event(
                    Level.ERROR if health is AccountHealth.DENIED else Level.WARNING,
                    f"reconcile.{health.value}", f"{account_id} cannot be checked: {why}",
                    account_id=account_id,
                )  # fmt: skip
        return state

    # --- what follows ---------------------------------------------------------------------------

    def _conclude(self, look: Look) -> AccountState:
        """Write everything that the look has shown, in one transaction."""
        books, terms = self._reader.books_side(look), self._reader.terms(look)
        found = compare(books, self._reader.venue_side(look), terms)
        found += [unreadable(look.account_id, symbol, terms.now) for symbol in look.unreadable]
        with self._books.writing() as writing:
            opened = self._differences.write(writing, look, books)
            found = [
                one for one in found
                if one.kind is not FindingKind.BALANCE
                or not (look.is_first or one.subject in opened or one.subject in look.cash_gaps)
            ]  # fmt: skip
            self._findings.write(writing, look, books, found)
            state = self._state_after(writing, look)
            writing.put_account(state)
        return state

    def _state_after(self, writing: Writing, look: Look) -> AccountState:
        before = self._state_of(look.account_id)
        known = {**self._books.findings, **writing.findings}
        blocking = [one for one in known.values() if one.account_id == look.account_id
                    and one.is_blocking and one.state is FindingState.OPEN]  # fmt: skip
        health, detail = AccountHealth.CLEAN, ""
        if blocking:
            health, detail = AccountHealth.MISMATCH, blocking[0].detail
        elif look.is_first and look.unsettled:
            health, detail = AccountHealth.UNCHECKED, "orders are under way at the venue"
        if health is AccountHealth.CLEAN and before.health is not health:
            again = "" if before.health is AccountHealth.UNCHECKED else " again"
            writing.event(Level.INFO, "reconcile.clean",
                          f"{look.account_id} agrees with its venue{again}.",
                          account_id=look.account_id, before=before.health.value)  # fmt: skip
        return before.model_copy(
            update={
                "health": health, "detail": detail, "checked_at": self._books.clock.now(),
                "trades_until": self._watermark(look, before),
            }
        )  # fmt: skip

    def _watermark(self, look: Look, before: AccountState) -> datetime | None:
        """Up to where all trades are in the books; it stays while an asset is not judged."""
        if look.unsettled:
            return before.trades_until
        if before.trades_until is None:
            return opening_time(look)
        reached = look.market.now() - LONGEST_WINDOW
        return max(before.trades_until, look.newest or reached, reached)
