"""The kill switch without an engine: a latch file that the engine obeys at its next start."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from engine.cli.failures import Failure
from engine.domain.records import KillLevel, KillSwitch

LATCH_NAME = "KILL"


def write_latch(data: Path, level: KillLevel, actor: str) -> KillSwitch:
    """Latch ``level`` in the data folder, never weaker than what is latched. Raises Failure."""
    path = data / LATCH_NAME
    strength = list(KillLevel).index
    latched = _latched(path)
    if latched is not None and strength(latched.level) >= strength(level):
        return latched
    switch = KillSwitch(level=level, actor=actor, since=datetime.now(UTC))
    try:
        data.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{LATCH_NAME}.{os.getpid()}")
        fresh.write_text(switch.model_dump_json(), "utf-8")
        fresh.replace(path)
    except OSError as error:
        raise Failure(f"The latch file {path} cannot be written: {error.strerror}.") from error
    return switch


def _latched(path: Path) -> KillSwitch | None:
    try:
        return KillSwitch.model_validate(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError):
        return None
