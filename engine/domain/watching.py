"""When a watcher of the engine tells that it is down, and that it is back: pure, step by step.

Time is what the watcher itself has observed, round after round: neither a wrong wall clock nor a
machine that slept makes an engine dead.
"""

from collections.abc import Mapping
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.alerts import Alert, AlertKind
from engine.domain.amount_words import lasting
from engine.domain.money import UtcDatetime
from engine.domain.records import Level

ADVICE = (
    "No bot trades and no stop is watched; those at a venue rest there. Look at it and start it "
    "again: python run.py"
)


class WatchRules(BaseModel):
    """How patient the watcher is."""

    model_config = ConfigDict(frozen=True)

    patience_s: int = Field(default=60, ge=1, le=3_600)
    again_h: int = Field(default=6, ge=1, le=168, description="tells it again after")
    zone: str = "UTC"

    @property
    def every_s(self) -> float:
        """Between two rounds."""
        return min(5.0, self.patience_s / 4)

    @property
    def timeout_s(self) -> float:
        """An engine that has not answered by then does not answer."""
        return min(5.0, max(1.0, self.patience_s / 2))

    @property
    def beat_s(self) -> float:
        """The watcher writes down that it is there so often."""
        return min(10.0, max(0.5, self.patience_s / 6))

    @property
    def gap_s(self) -> float:
        """Longer from one round to the next is a sleep of the watcher's own."""
        return 15.0 + 2 * self.timeout_s


class LastWord(BaseModel):
    """What the database tells of the engine that used it last."""

    model_config = ConfigDict(frozen=True)

    term: int = Field(default=0, description="of the lease; each engine has a higher one")
    is_held: bool = Field(default=False, description="the lease was not given back")
    has_given_up: bool = Field(default=False, description="it ended because it could not go on")

    @property
    def is_on_purpose(self) -> bool:
        """Whether it stopped because somebody wanted it to; also before the first start."""
        return not self.is_held and not self.has_given_up


class Sight(StrEnum):
    """What a round has seen. ``STOPPED``: no answer, as somebody wants it."""

    WELL = "well"
    DOWN = "down"
    STOPPED = "stopped"


class Beat(BaseModel):
    """What came of asking the engine; ``reason`` is empty when it is well."""

    model_config = ConfigDict(frozen=True)

    is_answer: bool
    reason: str = ""


class Seen(BaseModel):
    """A sight, and why the engine counts as down."""

    model_config = ConfigDict(frozen=True)

    sight: Sight
    reason: str = ""


class Incident(BaseModel):
    """An engine that was told to be down."""

    model_config = ConfigDict(frozen=True)

    id: str
    since: UtcDatetime
    reason: str
    messages: int = Field(default=1, description="so many were told about it")
    untold_s: float = Field(default=0.0, description="observed since the last of them")


class Watch(BaseModel):
    """What is known after a round. ``steady_s``: observed without a break as it is now, since
    ``steady_since``; the watcher's own sleep is such a break."""

    model_config = ConfigDict(frozen=True)

    sight: Sight | None = None
    steady_s: float = 0.0
    steady_since: UtcDatetime | None = None
    incident: Incident | None = None
    stopped_term: int | None = Field(
        default=None, description="of the engine that stopped on purpose, until one answers"
    )

    def after_restart(self) -> "Watch":
        """As another watcher goes on: patience begins anew."""
        return self.model_copy(update={"steady_s": 0.0, "steady_since": None})


class Told(StrEnum):
    """What is to be told after a round."""

    DOWN = "down"
    STILL_DOWN = "still_down"
    BACK = "back"


def judge_silence(watch: Watch, last: LastWord | None) -> tuple[Sight, int | None]:
    """Whether an engine that does not answer was stopped on purpose, and the lease's term of the
    one that was. ``last`` None: the database cannot be read; then what was known holds."""
    known = watch.stopped_term
    if last is not None and last.is_on_purpose:
        return Sight.STOPPED, max(last.term, known or 0)
    # A restored database is of an older engine than the one that was seen to stop.
    if known is not None and (last is None or last.term <= known):
        return Sight.STOPPED, known
    return Sight.DOWN, None


def step(
    watch: Watch, seen: Seen, passed_s: float, now: UtcDatetime, rules: WatchRules
) -> tuple[Watch, Told | None]:
    """After a round, ``passed_s`` (by a clock that only goes forward) after the one before."""
    is_well = seen.sight is Sight.WELL
    is_sleep = passed_s > rules.gap_s
    passed_s = 0.0 if is_sleep else max(0.0, passed_s)
    # From stopped to down it starts again, as an engine does that takes its time to come up.
    is_steady = watch.steady_since is not None and seen.sight is watch.sight and not is_sleep
    steady = watch.model_copy(update={
        "sight": seen.sight,
        "steady_s": watch.steady_s + passed_s if is_steady else 0.0,
        "steady_since": watch.steady_since if is_steady else now,
        "stopped_term": watch.stopped_term if seen.sight is Sight.STOPPED else None,
    })  # fmt: skip
    if seen.sight is Sight.STOPPED:
        return steady, None
    is_sure = steady.steady_s >= rules.patience_s
    if steady.incident is None:
        return _begun(steady, seen, now) if is_sure and not is_well else (steady, None)
    if is_well:
        return (steady, Told.BACK) if is_sure else (steady, None)
    waited = steady.incident.model_copy(
        update={"untold_s": steady.incident.untold_s + passed_s, "reason": seen.reason}
    )
    if is_sure and waited.untold_s >= rules.again_h * 3_600:
        again = waited.model_copy(update={"untold_s": 0.0, "messages": waited.messages + 1})
        return steady.model_copy(update={"incident": again}), Told.STILL_DOWN
    return steady.model_copy(update={"incident": waited}), None


def over(watch: Watch) -> Watch:
    """After it was written down that the engine is back."""
    return watch.model_copy(update={"incident": None})


def alert_of(incident: Incident, told: Told, now: UtcDatetime, back_at: UtcDatetime) -> Alert:
    """What is told: at the incident's beginning, again, and at its end ``back_at``."""
    reason = incident.reason
    texts: Mapping[Told, tuple[Level, str, str]] = {
        Told.DOWN: (Level.ERROR, "Engine down", f"{reason}. {ADVICE}"),
        Told.STILL_DOWN: (
            Level.ERROR, "Engine still down",
            f"for {lasting(now - incident.since)} now; {reason}. {ADVICE}",
        ),
        Told.BACK: (
            Level.INFO, "Engine back",
            f"it answers again, since {back_at:%H:%M:%S} UTC; it was down for "
            f"{lasting(back_at - incident.since)}, since {incident.since:%Y-%m-%d %H:%M:%S} UTC.",
        ),
    }  # fmt: skip
    level, title, text = texts[told]
    number = "back" if told is Told.BACK else str(incident.messages)
    return Alert(
        id=f"{incident.id}-{number}", kind=AlertKind.ENGINE_DOWN, level=level,
        time=incident.since if told is Told.DOWN else now, title=title, text=text,
    )  # fmt: skip


def _begun(watch: Watch, seen: Seen, now: UtcDatetime) -> tuple[Watch, Told]:
    since = watch.steady_since or now
    incident = Incident(id=f"watch-{since:%Y%m%d%H%M%S%f}", since=since, reason=seen.reason)
    return watch.model_copy(update={"incident": incident}), Told.DOWN
