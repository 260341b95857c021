"""Row 2 of the fault matrix: ``kill -9`` around every call of the venue, and by the venue."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.kill_run import EACH, SEED, kill_run
from tests.support.kill_steps import ASKED, AT_VENUE


@pytest.mark.timeout(900)
@pytest.mark.parametrize("steps", [ASKED, tuple(AT_VENUE)], ids=["calls", "at_the_venue"])
def test_row_02_kill_nine_at_every_request(
    tmp_path: Path, record_property: Callable[[str, object], None], steps: tuple[str, ...]
) -> None:
    with kill_run(tmp_path / "data", SEED + len(steps)) as run:
        run.kill_at(steps, EACH)
        run.finish(record_property)
        assert set(run.kills) == set(steps)
