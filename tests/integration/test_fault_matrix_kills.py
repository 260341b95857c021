"""Rows 1 and 2 of the fault matrix: ``kill -9`` at random and around every commit; around the calls
of the venue and in it: ``test_fault_matrix_kills_asked``.

The core is the real one up to ccxt and the loopback exchange; ``run.py mutants`` runs the same
tests, with fewer kills, over desks that are wrong on purpose.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.kill_run import EACH, SEED, kill_run
from tests.support.kill_steps import ASKED, AT_VENUE, COMMITS

AT_RANDOM = 4 * EACH
Record = Callable[[str, object], None]


@pytest.mark.timeout(900)
def test_row_01_kill_nine_at_random_loses_nothing_and_doubles_nothing(
    tmp_path: Path, record_property: Record
) -> None:
    with kill_run(tmp_path / "data", SEED) as run:
        run.kill_at_random(AT_RANDOM)
        run.finish(record_property)


@pytest.mark.timeout(900)
def test_row_02_kill_nine_around_every_commit(tmp_path: Path, record_property: Record) -> None:
    with kill_run(tmp_path / "data", SEED + len(COMMITS)) as run:
        run.kill_at(COMMITS, EACH)
        run.finish(record_property)
        assert set(run.kills) == set(COMMITS)


def test_row_02_the_kills_are_a_thousand_and_twenty_at_each_step() -> None:
    assert (len(COMMITS) + len(ASKED) + len(AT_VENUE)) * 20 + 4 * 20 >= 1_000
