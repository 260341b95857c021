"""The fake services' accounts: two sides by asset, findings, and what becomes of them."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from engine.contracts import (
    AccountBot,
    AccountHealth,
    AccountReport,
    AssetRow,
    Bot,
    Finding,
    FindingFilter,
    FindingKind,
    FindingState,
    Resolution,
    ResolveRequest,
)
from engine.errors import ConfigError, Conflict, NotFound

ACCOUNT = "paper:simulated"
KRAKEN = "paper:ccxt:kraken"
ENDED = {
    Resolution.ADOPT: FindingState.ADOPTED,
    Resolution.IGNORE: FindingState.IGNORED,
    Resolution.CLOSE: FindingState.CLOSED,
}
NEEDS_BOT = frozenset({FindingKind.FOREIGN_ORDER, FindingKind.FOREIGN_TRADE})


def asset_row(
    asset: str, books: str, venue: str | None, *, owned: str = "0", reserved: str = "0",
    dust: str = "0",
) -> AssetRow:  # fmt: skip
    """One asset of both sides; what is neither owned nor reserved is nobody's."""
    own, kept = Decimal(owned), Decimal(reserved)
    return AssetRow(
        asset=asset, books=Decimal(books), venue=None if venue is None else Decimal(venue),
        difference=None if venue is None else Decimal(venue) - Decimal(books), owned=own,
        reserved=kept, unassigned=Decimal(books) - own - kept - Decimal(dust), dust=Decimal(dust),
    )  # fmt: skip


def finding(
    now: datetime, number: int = 1, kind: FindingKind = FindingKind.BALANCE,
    account_id: str = ACCOUNT, *, is_blocking: bool = True,
) -> Finding:  # fmt: skip
    """A finding of a kind; ``number`` tells several apart."""
    is_order = kind in NEEDS_BOT | {FindingKind.UNKNOWN_ORDER, FindingKind.LATE_FILL}
    subject = f"{70_000 + number}" if is_order else "BTC"
    return Finding(
        id=f"{account_id}/{kind.value}/{subject}/{number}", account_id=account_id, kind=kind,
        subject=subject, symbol="BTC/USDT", books="0.10000000", venue="0.15000000",
        amount=Decimal("0.05"), is_blocking=is_blocking,
        detail=f"The venue holds 0.05 {subject} more than the books say.",
        first_seen=now - timedelta(minutes=12, seconds=number), last_seen=now,
    )  # fmt: skip


def sample_reports(now: datetime) -> dict[str, AccountReport]:
    """A clean account, and one whose venue does not answer."""
    rows = (
        asset_row("BTC", "0.01562", "0.01562", owned="0.0156", dust="0.00002"),
        asset_row("USDT", "94210.125", "94210.125", reserved="4000"),
    )
    return {
        ACCOUNT: AccountReport(account_id=ACCOUNT, mode="paper", health=AccountHealth.CLEAN,
                               checked_at=now - timedelta(seconds=14), assets=rows),
        KRAKEN: AccountReport(account_id=KRAKEN, mode="paper", health=AccountHealth.UNREACHABLE,
                              detail="Kraken does not answer.",
                              checked_at=now - timedelta(minutes=9),
                              assets=(asset_row("USD", "100000", None),)),
    }  # fmt: skip


class FakeAccounts:
    """Implements ``AccountServices``; ``reports`` and ``findings_seen`` may be set by a test."""

    now: Callable[[], datetime]
    bots: dict[str, Bot]
    reports: dict[str, AccountReport]
    findings_seen: dict[str, Finding]
    record: Callable[[str, str, str], None]

    def account_objection(self, account_id: str) -> str | None:
        """Why an account takes no entries."""
        report = self.reports.get(account_id)
        if report is not None and report.health is AccountHealth.UNCHECKED:
            return "the account has not been reconciled yet"
        found = [one for one in self._open(account_id) if one.is_blocking]
        if not found:
            return None
        return f"the account does not agree with its venue: {found[0].detail}"

    def account_reports(self) -> Sequence[AccountReport]:
        return [self._report(account_id) for account_id in self.reports]

    def check_account(self, account_id: str, actor: str) -> AccountReport:
        if account_id not in self.reports:
            raise NotFound(f"There is no account '{account_id}'.", field="account_id")
        report = self.reports[account_id]
        health = report.health
        if health is not AccountHealth.UNREACHABLE:
            health = AccountHealth.MISMATCH if self._open(account_id) else AccountHealth.CLEAN
        changes = {"checked_at": self.now(), "health": health}
        self.reports[account_id] = report.model_copy(update=changes)
        self.record(actor, "account.check", account_id)
        return self._report(account_id)

    def findings(self, chosen: FindingFilter) -> Sequence[Finding]:
        found = [
            one
            for one in self.findings_seen.values()
            if chosen.account_id in (None, one.account_id) and chosen.state in (None, one.state)
        ]
        return sorted(found, key=lambda one: one.last_seen, reverse=True)[: chosen.limit]

    def resolve_finding(self, request: ResolveRequest, actor: str) -> Finding:
        found = self.findings_seen.get(request.finding_id)
        if found is None:
            raise NotFound("There is no such finding.", field="finding_id")
        if found.state is not FindingState.OPEN:
            raise Conflict(f"It is {found.state.value} already.")
        is_for_a_bot = request.resolution is Resolution.ADOPT and found.kind in NEEDS_BOT
        if is_for_a_bot and request.bot_id not in self.bots:
            raise ConfigError("Choose the bot that adopts it.", field="bot_id")
        ended = found.model_copy(
            update={"state": ENDED[request.resolution], "resolved_by": actor,
                    "bot_id": request.bot_id or "", "last_seen": self.now()}
        )  # fmt: skip
        self.findings_seen[found.id] = ended
        self.check_account(found.account_id, actor)
        return ended

    def _open(self, account_id: str) -> list[Finding]:
        mine = [
            one
            for one in self.findings_seen.values()
            if one.account_id == account_id and one.state is FindingState.OPEN
        ]
        return sorted(mine, key=lambda one: not one.is_blocking)

    def _report(self, account_id: str) -> AccountReport:
        names = tuple(
            AccountBot(id=bot.id, name=bot.config.name, symbol=bot.config.symbol)
            for bot in self.bots.values()
            if bot.account_id == account_id
        )
        return self.reports[account_id].model_copy(
            update={"findings": tuple(self._open(account_id)), "bots": names,
                    "objection": self.account_objection(account_id)}
        )  # fmt: skip
