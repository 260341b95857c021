"""A million random steps over the ledger and the order desk, without one violation."""

import pytest

from tests.stateful.counting import CountingMachine, run_steps
from tests.stateful.parts import PARTS, name_of

STEPS = 1_000_000
EACH = -(-STEPS // len(PARTS))
OTHER_PARTS = 100
"""Other steps than those of the suite."""

made: list[int] = []


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("machine", "part"), PARTS, ids=name_of)
def test_every_step_leaves_the_books_right(machine: type[CountingMachine], part: int) -> None:
    made.append(run_steps(machine, part + OTHER_PARTS, EACH))
    print(f"{sum(made):,} steps so far, 0 violations")
    assert made[-1] >= EACH
