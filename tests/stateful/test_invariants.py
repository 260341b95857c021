"""A hundred thousand random steps, after each of which every invariant of the books holds."""

from collections.abc import Callable

import pytest

from tests.stateful.counting import CountingMachine, run_steps
from tests.stateful.parts import PARTS, name_of

STEPS = 100_000
EACH = -(-STEPS // len(PARTS))


@pytest.mark.parametrize(("machine", "part"), PARTS, ids=name_of)
def test_every_step_leaves_the_books_right(
    machine: type[CountingMachine], part: int, record_property: Callable[[str, object], None]
) -> None:
    steps = run_steps(machine, part, EACH)
    record_property("steps", steps)
    assert steps >= EACH


def test_the_parts_together_are_a_hundred_thousand_steps() -> None:
    assert len(PARTS) * EACH >= STEPS
