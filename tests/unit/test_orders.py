"""The table of order states."""

import pytest

from engine.domain.orders import TERMINAL, TRANSITIONS, OrderState, may_become


def test_the_table_names_every_state_and_leads_out_of_none_that_is_terminal() -> None:
    assert set(TRANSITIONS) == set(OrderState)
    assert all(not TRANSITIONS[state] for state in TERMINAL)
    assert all(TRANSITIONS[state] for state in set(OrderState) - TERMINAL)


def test_every_state_can_be_brought_to_an_end() -> None:
    for start in set(OrderState) - TERMINAL:
        reached, frontier = {start}, [start]
        while frontier:
            for following in TRANSITIONS[frontier.pop()] - reached:
                reached.add(following)
                frontier.append(following)
        assert reached & TERMINAL, start


@pytest.mark.parametrize(
    ("current", "following", "allowed"),
    [
        (OrderState.INTENT, OrderState.SENDING, True),
        (OrderState.INTENT, OrderState.FILLED, False),  # nothing fills before it is sent
        (OrderState.UNKNOWN, OrderState.SENDING, False),  # unknown is looked up, not sent again
        (OrderState.UNKNOWN, OrderState.FILLED, True),
        (OrderState.FILLED, OrderState.OPEN, False),
        (OrderState.PARTLY_FILLED, OrderState.OPEN, False),
        (OrderState.FILLED, OrderState.FILLED, True),
    ],
)
def test_steps(current: OrderState, following: OrderState, allowed: bool) -> None:
    assert may_become(current, following) is allowed
