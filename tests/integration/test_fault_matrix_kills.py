"""Rows 1 and 2 of the fault matrix: ``kill -9`` at random and at every named step.

The core is the real one up to ccxt and the loopback exchange; ``run.py mutants`` runs the same
tests, with fewer kills, over desks that are wrong on purpose.
"""

import os
from pathlib import Path

import pytest

from tests.support.kill_run import KillRun, kill_run
from tests.support.kill_steps import ASKED, AT_VENUE, COMMITS

EACH = int(os.environ.get("KILLS_EACH_STEP", "20"))
AT_RANDOM = 4 * EACH
SEED = 20261125


def finish(run: KillRun) -> None:
    print(run.summary(run.end()))


@pytest.mark.timeout(900)
def test_row_01_kill_nine_at_random_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    with kill_run(tmp_path / "data", SEED) as run:
        run.kill_at_random(AT_RANDOM)
        finish(run)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "steps", [COMMITS, ASKED, tuple(AT_VENUE)], ids=["commits", "calls", "at_the_venue"]
)
def test_row_02_kill_nine_at_every_named_step(tmp_path: Path, steps: tuple[str, ...]) -> None:
    with kill_run(tmp_path / "data", SEED + len(steps)) as run:
        run.kill_at(steps, EACH)
        finish(run)
        assert set(run.kills) == set(steps)
