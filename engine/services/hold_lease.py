"""The lease: while it is held and renewed, this engine is the only writer of its database."""

from collections.abc import Callable
from datetime import datetime, timedelta

from engine.domain.records import Lease
from engine.errors import LeaseLost
from engine.ports import Clock, Store
from engine.services.lanes import Lanes

LANE = "lease"


class LeaseKeeper:
    """Takes the lease at start, renews it, gives it back at a graceful stop."""

    def __init__(
        self, store: Store, clock: Clock, ttl_s: float, give_up: Callable[[str], None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._ttl = timedelta(seconds=ttl_s)
        self._give_up = give_up
        self._lease: Lease | None = None
        self.renewed_at: datetime = clock.now()
        """When the database took it last: it was written to then."""

    def acquire(self, owner: str, detail: str) -> Lease:
        """Raises Conflict, saying who holds it."""
        self._lease = self._store.acquire_lease(owner, detail, self._ttl)
        self.renewed_at = self._clock.now()
        return self._lease

    async def renew(self, lanes: Lanes) -> None:
        """Renew on a thread of its own, so that no busy account delays it."""
        if self._lease is None or lanes.backlog(LANE):
            return
        asked_at = self._clock.now()
        try:
            self._lease = await lanes.run(LANE, self._store.renew_lease, self._lease, self._ttl)
            self.renewed_at = asked_at
        except LeaseLost as error:
            self._give_up(error.message)

    def release(self) -> None:
        """Let another engine in at once."""
        if self._lease is not None:
            self._store.release_lease(self._lease)
            self._lease = None
