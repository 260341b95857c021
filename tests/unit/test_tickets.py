"""Order tickets: what each type needs, said at the field that is wrong; levels against a price."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.domain.orders import OrderType, Side
from engine.domain.tickets import NEEDS, OrderChanges, OrderTicket, TicketType, ticket_trouble

ENTRY: dict[str, Any] = {"purpose": "entry", "direction": "long", "quantity": "1"}
EXIT: dict[str, Any] = {"purpose": "exit"}
VALUES = {"price": "100", "stop_price": "90", "trail_bps": "50"}


def wrong(fields: dict[str, Any]) -> dict[str, str]:
    """What is wrong, by field."""
    with pytest.raises(ValidationError) as error:
        OrderTicket.model_validate(fields)
    return {".".join(map(str, row["loc"])): row["msg"] for row in error.value.errors()}


def complete(kind: TicketType) -> dict[str, Any]:
    """A ticket of a type with just what it needs."""
    base = EXIT if kind is TicketType.OCO else ENTRY
    needed = {name: VALUES[name] for name, kinds in NEEDS.items() if kind in kinds}
    return base | needed | {"type": kind.value}


@pytest.mark.parametrize("kind", list(TicketType))
def test_each_type_takes_what_it_needs_and_nothing_else(kind: TicketType) -> None:
    fields = complete(kind)
    ticket = OrderTicket.model_validate(fields)
    assert (ticket.type.order_type is None) == (kind is TicketType.OCO)
    for name, kinds in NEEDS.items():
        if kind in kinds:
            left = {key: value for key, value in fields.items() if key != name}
            assert list(wrong(left)) == [name]
        else:
            assert list(wrong(fields | {name: VALUES[name]})) == [name]


def test_every_single_order_type_can_be_ticketed() -> None:
    assert {kind.order_type for kind in TicketType} == {*OrderType, None}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"purpose": "protection"}, "purpose"),
        ({"direction": None}, "direction"),
        ({"quantity": None}, "quote_amount"),
        ({"quote_amount": "10"}, "quote_amount"),
        ({"quantity": "0"}, "quantity"),
        ({"quantity": "NaN"}, "quantity"),
        ({"quantity": "1e13"}, "quantity"),
        ({"type": "oco", "price": "1", "stop_price": "1"}, "type"),
        ({"time_in_force": "ioc"}, "time_in_force"),
        ({"time_in_force": "day"}, "time_in_force"),
        ({"expires_at": "2026-11-25T12:00:00Z"}, "expires_at"),
        ({"type": "limit", "price": "9", "time_in_force": "fok",
          "expires_at": "2026-11-25T12:00:00Z"}, "expires_at"),
        ({"type": "limit", "price": "9", "expires_at": "2026-11-25T12:00:00"}, "expires_at"),
        ({"leverage": "3"}, "leverage"),
    ],
)  # fmt: skip
def test_an_entry_that_makes_no_sense_is_refused_at_its_field(
    changes: dict[str, Any], field: str
) -> None:
    assert list(wrong(ENTRY | changes)) == [field]


@pytest.mark.parametrize("name", ["direction", "quote_amount", "level_stop", "level_target"])
def test_an_exit_has_nothing_of_an_entry(name: str) -> None:
    assert list(wrong(EXIT | {name: "long" if name == "direction" else "10"})) == [name]


def test_an_exit_without_a_quantity_is_of_all_that_is_held() -> None:
    assert OrderTicket.model_validate(EXIT).quantity is None


@pytest.mark.parametrize(
    ("fields", "side", "field"),
    [
        (ENTRY | {"type": "stop", "stop_price": "99"}, Side.BUY, "stop_price"),
        (ENTRY | {"type": "stop", "stop_price": "100"}, Side.BUY, "stop_price"),
        (EXIT | {"type": "stop", "stop_price": "101"}, Side.SELL, "stop_price"),
        (EXIT | {"type": "oco", "stop_price": "90", "price": "99"}, Side.SELL, "price"),
        (EXIT | {"type": "oco", "stop_price": "101", "price": "99"}, Side.SELL, "stop_price"),
        (EXIT | {"type": "oco", "stop_price": "110", "price": "101"}, Side.BUY, "price"),
        (ENTRY | {"level_stop": "101"}, Side.BUY, "level_stop"),
        (ENTRY | {"level_target": "99"}, Side.BUY, "level_target"),
        (ENTRY | {"direction": "short", "level_stop": "99"}, Side.SELL, "level_stop"),
        (ENTRY | {"type": "limit", "price": "80", "level_stop": "85"}, Side.BUY, "level_stop"),
    ],
)
def test_levels_on_the_wrong_side_of_the_market_are_told(
    fields: dict[str, Any], side: Side, field: str
) -> None:
    trouble = ticket_trouble(OrderTicket.model_validate(fields), side, Decimal(100))
    assert trouble is not None
    assert trouble.field == field


@given(st.decimals("0.01", "1000000", places=2), st.decimals("0.01", "0.5", places=4))
def test_what_is_right_for_a_long_is_wrong_for_a_short(last: Decimal, part: Decimal) -> None:
    below, above = last * (1 - part), last * (1 + part)
    ticket = OrderTicket.model_validate(EXIT | {"type": "oco", "price": above, "stop_price": below})
    assert ticket_trouble(ticket, Side.SELL, last) is None
    assert ticket_trouble(ticket, Side.BUY, last) is not None


def test_a_limit_through_the_market_is_the_persons_choice() -> None:
    ticket = OrderTicket.model_validate(ENTRY | {"type": "limit", "price": "150"})
    assert ticket_trouble(ticket, Side.BUY, Decimal(100)) is None


def test_changes_change_something() -> None:
    with pytest.raises(ValidationError):
        OrderChanges()
    assert OrderChanges(price=Decimal(1)).model_dump(exclude_none=True) == {"price": Decimal(1)}
