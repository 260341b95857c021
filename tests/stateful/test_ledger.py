"""The ledger's sums hold under any sequence of happenings."""

import pytest

from tests.stateful.counting import steps_of
from tests.stateful.ledger_machine import LedgerMachine


@pytest.mark.parametrize("part", range(2))
def test_the_ledger_is_exact(part: int) -> None:
    assert steps_of(LedgerMachine, part, examples=100) >= 4_900
