"""Findings in the books: opened once, kept up to date, cleared when the difference is gone."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict

from engine.domain.accounts import (
    AccountLine,
    Finding,
    FindingKind,
    FindingState,
    LineKind,
)
from engine.domain.money import text, to_epoch_ms
from engine.domain.reconcile import LASTING, BooksSide, finding_id, owned
from engine.domain.records import Level
from engine.services.books import Books, Writing
from engine.services.read_accounts import Look

RULE = "rule"
"""Who resolves what the settings say is resolved."""

STAYS_IGNORED = frozenset({FindingKind.FOREIGN_ORDER, FindingKind.UNREADABLE})
BY_ASSET = frozenset({FindingKind.BALANCE, FindingKind.SHORTFALL})
SEEN_EVERY = timedelta(minutes=10)
"""How often it is written down that a finding is still there."""


class Rules(BaseModel):
    """What the settings say about differences that are nobody's fault."""

    model_config = ConfigDict(frozen=True)

    foreign_trades: Literal["halt", "ignore"] = "halt"
    deposits: Literal["halt", "accept"] = "halt"


def unreadable(account_id: str, symbol: str, now: datetime) -> Finding:
    """A symbol that the account trades and the market does not know."""
    kind = FindingKind.UNREADABLE
    return Finding(
        id=finding_id(account_id, kind, symbol), account_id=account_id, kind=kind, subject=symbol,
        symbol=symbol, first_seen=now, last_seen=now,
        detail=f"The account trades {symbol}, which the market does not know",
    )  # fmt: skip


def line_of(finding: Finding, now: datetime, kind: LineKind, note: str) -> AccountLine:
    """The line that makes the books agree about an asset."""
    return AccountLine(
        id=f"{finding.id}:{to_epoch_ms(now)}", account_id=finding.account_id,
        asset=finding.subject, amount=finding.amount, kind=kind, note=note, time=now,
    )  # fmt: skip


def kind_of(finding: Finding) -> LineKind:
    """What an unexplained amount counts as when no bot owns the asset."""
    return LineKind.DEPOSIT if finding.amount > 0 else LineKind.WITHDRAWAL


class FindingBook:
    """Writes what a check has found, within its transaction."""

    def __init__(self, books: Books, rules: Rules) -> None:
        self._books = books
        self._rules = rules

    def write(self, writing: Writing, look: Look, books: BooksSide, found: list[Finding]) -> None:
        """Open, update and clear the account's findings."""
        now = self._books.clock.now()
        held = owned(books.holdings)
        for finding in found:
            self._put(writing, self._by_rule(writing, finding, held))
        ids = {finding.id for finding in found}
        for known in list(self._books.findings.values()):
            is_gone = known.account_id == look.account_id and known.id not in ids
            is_unjudged = known.kind in BY_ASSET and known.subject in look.unsettled
            if is_gone and known.kind not in LASTING and not is_unjudged:
                update = {"state": FindingState.CLEARED, "last_seen": now}
                writing.put_finding(known.model_copy(update=update))

    def _by_rule(self, writing: Writing, finding: Finding, held: Mapping[str, Decimal]) -> Finding:
        """The finding, resolved where the settings say so: trades of nobody's, and amounts of
        assets that no bot owns."""
        if finding.kind is FindingKind.FOREIGN_TRADE and self._rules.foreign_trades == "ignore":
            return _ended(finding, FindingState.IGNORED)
        is_nobodys = finding.kind is FindingKind.BALANCE and not held.get(finding.subject)
        if not is_nobodys or self._rules.deposits != "accept":
            return finding
        writing.add_line(line_of(finding, finding.last_seen, kind_of(finding), "by rule"))
        return _ended(finding, FindingState.ADOPTED)

    def _put(self, writing: Writing, finding: Finding) -> None:
        known = self._books.findings.get(finding.id)
        if known is None:
            earlier = writing.tx.findings.find(finding.id)
            is_ignored = earlier is not None and earlier.state is FindingState.IGNORED
            if is_ignored and finding.kind in STAYS_IGNORED:
                return
            writing.put_finding(finding)
            self._tell(writing, finding)
            return
        if finding.kind in LASTING:
            total = known.amount + finding.amount
            detail = f"{known.detail.partition(' (')[0]} (in all {text(abs(total))} by now)"
            finding = finding.model_copy(update={"amount": total, "detail": detail})
        finding = finding.model_copy(update={"first_seen": known.first_seen})
        is_same = finding == known.model_copy(update={"last_seen": finding.last_seen})
        if not is_same or finding.last_seen - known.last_seen >= SEEN_EVERY:
            writing.put_finding(finding)

    def _tell(self, writing: Writing, finding: Finding) -> None:
        """Once for each finding."""
        is_open = finding.state is FindingState.OPEN
        level = Level.ERROR if finding.is_blocking and is_open else Level.WARNING
        writing.event(
            level, "reconcile.mismatch", f"{finding.account_id}: {finding.detail}.",
            finding.bot_id or None, account_id=finding.account_id, finding_id=finding.id,
        )  # fmt: skip


def _ended(finding: Finding, state: FindingState) -> Finding:
    return finding.model_copy(update={"state": state, "resolved_by": RULE})
