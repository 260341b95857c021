"""An alert arrives once: through faults, deaths, clocks that jump and channels that change."""

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.outbox_machine import OutboxMachine


def test_nothing_is_told_twice_and_nothing_is_lost() -> None:
    steps, deaths, digests = OutboxMachine.steps, OutboxMachine.deaths, OutboxMachine.digests
    run_state_machine_as_test(
        seed(8)(OutboxMachine),
        settings=settings(
            max_examples=50, stateful_step_count=30, deadline=None, database=None,
            phases=(Phase.generate, Phase.shrink), suppress_health_check=[HealthCheck.too_slow],
        ),
    )  # fmt: skip
    assert OutboxMachine.steps - steps > 1_000
    assert OutboxMachine.deaths - deaths > 30, "engines have died"
    assert OutboxMachine.digests - digests > 30, "digests were sent"
