"""Diagnostics: what is looked at when something seems wrong, how it is judged, what to do then.

The limits are those of docs/diagnostics.md.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.money import UtcDatetime
from engine.domain.venue_accounts import AccountCheck, Grade


class Area(StrEnum):
    """What a check is about, in the order in which a person reads them."""

    ENGINE = "engine"
    DATABASE = "database"
    MACHINE = "machine"
    STRATEGIES = "strategies"
    MARKETS = "markets"
    BROKERS = "brokers"
    CHANNELS = "channels"
    MODELS = "models"
    BACKUPS = "backups"


class Check(AccountCheck):
    """One thing that was looked at."""

    area: Area


class Diagnosis(BaseModel):
    """What all checks found. ``is_deep``: venues, providers and a time server were asked too."""

    model_config = ConfigDict(frozen=True)

    at: UtcDatetime
    is_deep: bool
    checks: tuple[Check, ...]
    versions: Mapping[str, str] = Field(description="of Python, Quarterdeck and its packages")

    @property
    def worst(self) -> Grade:
        """The grade of the worst check; what is unknown is no fault."""
        return worst(check.grade for check in self.checks)

    @property
    def counts(self) -> Mapping[Grade, int]:
        """How many checks have each grade."""
        return Counter(check.grade for check in self.checks)


def worst(grades: Iterable[Grade]) -> Grade:
    """FAILED before WARNING before OK."""
    found = set(grades)
    return next((one for one in (Grade.FAILED, Grade.WARNING) if one in found), Grade.OK)


# --- rules ----------------------------------------------------------------------------------------

GIB = 1024**3
SKEW_WARNING_S, SKEW_FAILED_S = 1.0, 5.0
"""Binance refuses a request that is older than 5 s (recvWindow) or 1 s in the future."""
DISK_WARNING, DISK_FAILED = 2 * GIB, GIB // 2
BEAT_WARNING_S, BEAT_FAILED_S = 5.0, 30.0
LATE_WARNING_S, LATE_FAILED_S = 1.0, 10.0
COMMIT_WARNING_S, COMMIT_FAILED_S = 0.1, 1.0
WEIGHT_WARNING, WEIGHT_FAILED = 0.7, 0.95


def graded(value: float, warning: float, failed: float) -> Grade:
    """By two limits, of which ``failed`` lies further out: above it if it is the larger."""
    if failed < warning:
        value, warning, failed = -value, -warning, -failed
    return Grade.FAILED if value >= failed else Grade.WARNING if value >= warning else Grade.OK


def check_of(area: Area, name: str, grade: Grade, detail: str, advice: str = "") -> Check:
    """A check that has an advice only where it is needed."""
    return Check(
        area=area, name=name, grade=grade, detail=detail,
        advice="" if grade is Grade.OK else advice,
    )  # fmt: skip


def judge_skew(area: Area, name: str, skew_s: float) -> Check:
    """Our clock less another's, in seconds."""
    way = "ahead of" if skew_s > 0 else "behind"
    detail = f"{abs(skew_s):.2f} s {way} it" if abs(skew_s) >= 0.005 else "the same as here"
    return check_of(
        area, name, graded(abs(skew_s), SKEW_WARNING_S, SKEW_FAILED_S), detail,
        "Switch on the automatic time of this machine (timedatectl set-ntp true; on Windows: "
        "Settings, Time, Set time automatically): venues refuse orders of a wrong time.",
    )  # fmt: skip


def judge_disk(free: int, total: int, place: str) -> Check:
    """Bytes."""
    return check_of(
        Area.MACHINE, "Disk", graded(float(free), DISK_WARNING, DISK_FAILED),
        f"{free / GIB:.1f} GiB free of {total / GIB:.1f} GiB where {place} is",
        "Make room, or move the data folder (QUARTERDECK_DATA): with a full disk nothing can be "
        "written, and then nothing new is opened.",
    )  # fmt: skip


def judge_beat(age_s: float) -> Check:
    """Seconds since the scheduler's last heartbeat, which comes every second."""
    return check_of(
        Area.ENGINE, "Heartbeat", graded(age_s, BEAT_WARNING_S, BEAT_FAILED_S),
        f"{max(age_s, 0.0):.1f} s ago",
        "The machine is overloaded, or was asleep. See what else runs on it; if it stays so, stop "
        "and start the engine and attach the bundle to a bug report.",
    )  # fmt: skip


def judge_lateness(name: str, count: int, p50_s: float, p99_s: float) -> Check:
    """How late jobs began, or cycles ended, over the newest ones."""
    if not count:
        return check_of(Area.ENGINE, name, Grade.UNKNOWN, "none yet", "Start a bot.")
    return check_of(
        Area.ENGINE, name, graded(p99_s, LATE_WARNING_S, LATE_FAILED_S),
        f"p50 {p50_s:.2f} s, p99 {p99_s:.2f} s over {count:,}",
        "More runs here than this machine can do: fewer bots, longer timeframes, or a faster "
        "machine. A slow strategy delays its own bot only.",
    )  # fmt: skip


def judge_commit(seconds: float) -> Check:
    """How long one durable write took."""
    return check_of(
        Area.DATABASE, "Write", graded(seconds, COMMIT_WARNING_S, COMMIT_FAILED_S),
        f"{seconds * 1000:.1f} ms to be durable",
        "The disk is slow or busy, or is a network's. Orders wait for it: put the data folder on "
        "a local disk.",
    )  # fmt: skip


def judge_usage(area: Area, name: str, used: int, limit: int) -> Check:
    """How much of an allowance is used."""
    share = used / limit if limit else 0.0
    return check_of(
        area, name, graded(share, WEIGHT_WARNING, WEIGHT_FAILED),
        f"{used:,} of {limit:,} used",
        "Other programs use the same key or address, or there are many bots: above the limit the "
        "venue answers nothing for a while. Exits still go first.",
    )  # fmt: skip
