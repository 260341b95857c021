"""Machines that count their steps, and how they are run: the same steps every time."""

import time
from typing import ClassVar

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, run_state_machine_as_test

EXAMPLES = 74  # three rounds of them are the ten thousand steps of a part, and few more
LENGTH = 50


class CountingMachine(RuleBasedStateMachine):
    """Counts the rules that were carried out, and after which everything held, in ``steps``."""

    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self._checks = 0

    @invariant()
    def counts(self) -> None:
        self._checks += 1

    def teardown(self) -> None:
        """The first check comes before the first step."""
        CountingMachine.steps += max(self._checks - 1, 0)


def run_steps(machine: type[CountingMachine], part: int, least: int) -> int:
    """Run at least so many steps, always the same for a ``part``; how many that were. Raises what
    a rule or an invariant raises, with the fewest steps that lead there."""
    before, started, turn = CountingMachine.steps, time.perf_counter(), 0
    while CountingMachine.steps - before < least:
        run_state_machine_as_test(
            seed(1000 * part + turn)(machine),
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=LENGTH,
                deadline=None,
                database=None,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
            ),
        )
        turn += 1
    steps, seconds = CountingMachine.steps - before, time.perf_counter() - started
    print(f"\n{machine.__name__} {part}: {steps:,} steps, {steps / seconds:,.0f} a second")
    return steps
