"""Controls without an engine: latched in a file that it obeys while it runs, or at its start."""

import time
from datetime import UTC, datetime
from pathlib import Path

from engine.cli.failures import Failure
from engine.domain.controls import normal_key, scope_of, strongest
from engine.domain.records import KillLevel, KillSwitch, ScopeKind
from engine.services.latch_file import LATCH_NAME, UNREADABLE, LatchFile

TRIES = 5
LOOK_AGAIN_S = 0.02


def write_latch(
    data: Path,
    level: KillLevel,
    actor: str,
    scope: ScopeKind = ScopeKind.EVERYTHING,
    key: str = "",
    reason: str = "",
) -> KillSwitch:
    """Latch ``level`` in the data folder, never weaker than what is latched. Raises Failure.

    A bot may be named by its name: whoever reads the file looks up its id.
    """
    file = LatchFile(data / LATCH_NAME)
    key = normal_key(scope, key)
    wanted = KillSwitch(scope=scope, key=key, level=level, actor=actor,
                        since=datetime.now(UTC), reason=reason)  # fmt: skip
    try:
        data.mkdir(parents=True, exist_ok=True)
        for _ in range(TRIES):
            latched = file.read()
            if UNREADABLE not in latched and _has(latched, wanted):
                break
            file.write(strongest([*latched, wanted]).values())
            time.sleep(LOOK_AGAIN_S)  # an engine that wrote at the same moment would undo it
    except OSError as error:
        raise Failure(f"The latch file {file.path} cannot be written: {error.strerror}.") from error
    return strongest(file.read()).get(scope_of(wanted), wanted)


def read_latch(data: Path) -> list[KillSwitch]:
    """What is latched in the data folder."""
    return list(strongest(LatchFile(data / LATCH_NAME).read()).values())


def _has(latched: list[KillSwitch], wanted: KillSwitch) -> bool:
    known = strongest(latched).get(scope_of(wanted))
    return known is not None and known.level.strength >= wanted.level.strength
