"""Rows 1 and 2 of the fault matrix: ``kill -9`` at random and at every named step.

The core is the real one up to ccxt and the loopback exchange; ``run.py mutants`` runs the same
tests, with fewer kills, over desks that are wrong on purpose.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.kill_run import KillRun, kill_run
from tests.support.kill_steps import ASKED, AT_VENUE, COMMITS

EACH = int(os.environ.get("KILLS_EACH_STEP", "20"))
AT_RANDOM = 4 * EACH
SEED = 20261125


Record = Callable[[str, object], None]


def finish(run: KillRun, record: Record) -> None:
    record("figures", run.summary(run.end()))


@pytest.mark.timeout(900)
def test_row_01_kill_nine_at_random_loses_nothing_and_doubles_nothing(
    tmp_path: Path, record_property: Record
) -> None:
    with kill_run(tmp_path / "data", SEED) as run:
        run.kill_at_random(AT_RANDOM)
        finish(run, record_property)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "steps", [COMMITS, ASKED, tuple(AT_VENUE)], ids=["commits", "calls", "at_the_venue"]
)
def test_row_02_kill_nine_at_every_named_step(
    tmp_path: Path, record_property: Record, steps: tuple[str, ...]
) -> None:
    with kill_run(tmp_path / "data", SEED + len(steps)) as run:
        run.kill_at(steps, EACH)
        finish(run, record_property)
        assert set(run.kills) == set(steps)


def test_row_02_the_kills_are_a_thousand_and_twenty_at_each_step() -> None:
    assert (len(COMMITS) + len(ASKED) + len(AT_VENUE)) * 20 + 4 * 20 >= 1_000
