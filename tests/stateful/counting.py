"""Machines that count their steps, and how they are run: the same steps every time."""

import time
from collections import Counter
from typing import ClassVar

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, run_state_machine_as_test


class CountingMachine(RuleBasedStateMachine):
    """Adds each rule that was carried out, and checked afterwards, to ``steps`` of its class."""

    steps: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self._checks = 0

    @invariant()
    def counts(self) -> None:
        self._checks += 1

    def teardown(self) -> None:
        """The first check comes before the first step."""
        self.steps[type(self).__name__] += max(self._checks - 1, 0)


def steps_of(
    machine: type[CountingMachine], number: int, *, examples: int, length: int = 50
) -> int:
    """Run ``examples`` of about ``length`` steps each, always the same for a ``number``; how many
    steps that were. Raises what a rule or an invariant raises, shrunk."""
    before = machine.steps[machine.__name__]
    started = time.perf_counter()
    run_state_machine_as_test(
        seed(number)(machine),
        settings=settings(
            max_examples=examples,
            stateful_step_count=length,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
    done = machine.steps[machine.__name__] - before
    seconds = time.perf_counter() - started
    print(f"\n{machine.__name__} {number}: {done:,} steps, 0 violations, {done / seconds:,.0f}/s")
    return done
