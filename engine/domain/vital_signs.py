"""Whether an engine is well, told from how old its last signs of life are."""

from pydantic import BaseModel, ConfigDict, Field

BEAT_OLD_S = 10.0
"""The scheduler's heartbeat comes every second, from the event loop."""


class VitalSigns(BaseModel):
    """Ages in seconds. ``reason`` is empty while the engine is well."""

    model_config = ConfigDict(frozen=True)

    beat_age_s: float = Field(description="of the scheduler's last heartbeat")
    write_age_s: float = Field(description="since the database took a write: the lease's renewal")
    reason: str = ""

    @property
    def is_well(self) -> bool:
        """Whether it may be called alive."""
        return not self.reason


def read_signs(beat_age_s: float, write_age_s: float, lease_ttl_s: float) -> VitalSigns:
    """Well while the heartbeat is fresh and the lease was renewed before it would run out."""
    reason = ""
    if beat_age_s > BEAT_OLD_S:
        reason = f"the scheduler's last heartbeat is {beat_age_s:.0f} s old"
    elif write_age_s > lease_ttl_s:
        reason = f"the database took the last write {write_age_s:.0f} s ago"
    return VitalSigns(
        beat_age_s=max(0.0, beat_age_s), write_age_s=max(0.0, write_age_s), reason=reason
    )
