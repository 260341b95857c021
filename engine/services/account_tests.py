"""Testing accounts: what the venue says of a key, asked on the account's lane, never for ever."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from engine.domain.records import Level
from engine.domain.venue_accounts import (
    AccountCheck,
    Grade,
    Inspection,
    VenueAccount,
)
from engine.errors import BrokerUnavailable, ConfigError, NotFound, OrderStateUnknown
from engine.ports import VenueAdapter
from engine.services.books import Books
from engine.services.connections import Connections, close_quietly
from engine.services.lane_calls import LaneCalls

LOOK_AT = "The account's checks"


@dataclass(frozen=True)
class AccountTests:
    """Asks venues about accounts that are kept, and about those that are to be."""

    books: Books
    connections: Connections
    calls: LaneCalls

    def try_out(
        self, account: VenueAccount, adapter: VenueAdapter, secrets: Mapping[str, str]
    ) -> Inspection | None:
        """What the venue says of an account as it is to be; None when it does not answer in time.

        Raises ConfigError for what cannot be right, and for a key that can withdraw.
        """
        try:
            inspection = self.calls.run(
                account.trading_id, self._inspect, account, secrets, look_at=LOOK_AT
            )
        except (BrokerUnavailable, OrderStateUnknown):
            return None
        if inspection.can_withdraw:
            raise ConfigError(
                f"This key may withdraw money, so it is not kept. Make a key at {adapter.title} "
                "that may read and trade, and nothing else.",
                field="secrets",
            )
        return inspection

    def test(self, account: VenueAccount, actor: str) -> VenueAccount:
        """Ask about an account now, and keep the answer. Raises BrokerUnavailable or
        OrderStateUnknown when the venue does not answer in time, ConfigError, NotFound."""
        return self.calls.run(
            account.trading_id, self.test_on_lane, account.id, actor, look_at=LOOK_AT
        )

    def test_on_lane(self, account_id: str, actor: str) -> VenueAccount:
        """The same, on the account's lane; carried to its end even when nobody waits any more."""
        inspection = self.connections.open(account_id).inspect()
        with self.books.writing() as writing:
            before = self.books.venue_accounts.get(account_id)
            if before is None:
                raise NotFound("The account was deleted meanwhile.", field="account")
            account = judged(before, inspection, self.books.clock.now())
            writing.put_venue_account(account)
            if before.is_enabled and not account.is_enabled:
                writing.event(
                    Level.ERROR, "account.disabled",
                    f"The key of '{account.name}' can withdraw money: the account takes no more "
                    "entries. Replace its key by one that can only trade.",
                )  # fmt: skip
            writing.audit(actor, "account.test", account_id, is_usable=inspection.is_usable,
                          is_enabled=account.is_enabled)  # fmt: skip
        return account

    def _inspect(self, account: VenueAccount, secrets: Mapping[str, str]) -> Inspection:
        connection = self.connections.connect(account, secrets)
        try:
            return connection.inspect()
        finally:
            close_quietly(connection)


def judged(account: VenueAccount, inspection: Inspection, now: datetime) -> VenueAccount:
    """The account after a test: the first that goes well enables it, and a key that can withdraw
    disables it. What a person has switched off stays off."""
    is_first = account.inspection is None
    is_enabled = (account.is_enabled and not inspection.can_withdraw) or (
        is_first and inspection.is_usable
    )
    return account.model_copy(
        update={"inspection": inspection, "tested_at": now, "is_enabled": is_enabled}
    )


def unanswered() -> Inspection:
    """What stands for a test that got no answer, where a later one must not enable by itself."""
    return Inspection(
        checks=(
            AccountCheck(
                name="Connection",
                grade=Grade.FAILED,
                detail="the venue did not answer in time",
                advice="Test the account again when the venue answers.",
            ),
        )
    )
