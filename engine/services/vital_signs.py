"""The engine's own signs of life, for those who watch it."""

from engine.domain.vital_signs import VitalSigns, read_signs
from engine.ports import Clock
from engine.services.hold_lease import LeaseKeeper
from engine.services.pulse import Pulse


class VitalSignReader:
    """Reads them from memory; from any thread."""

    def __init__(self, clock: Clock, pulse: Pulse, lease: LeaseKeeper, lease_ttl_s: float) -> None:
        self._clock = clock
        self._pulse = pulse
        self._lease = lease
        self._lease_ttl_s = lease_ttl_s

    def read(self) -> VitalSigns:
        """As they are now."""
        now = self._clock.now()
        return read_signs(
            (now - self._pulse.heartbeat_at).total_seconds(),
            (now - self._lease.renewed_at).total_seconds(),
            self._lease_ttl_s,
        )
