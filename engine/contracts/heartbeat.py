"""The heartbeat, for monitors outside."""

from engine.contracts.base import Contract


class Heartbeat(Contract):
    """``GET /heartbeat``. ``status`` is ``ok`` with 200 and ``unwell`` with 503; ``reason`` says
    why. Ages in seconds: of the scheduler's last beat, and of the last write to the database."""

    status: str
    beat_age_s: float
    write_age_s: float
    reason: str = ""
