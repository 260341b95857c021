"""Points fit the table of measurements, or are none."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from engine.domain.measurements import (
    EQUITY,
    MEASUREMENTS,
    MT5_EXECUTIONS,
    NOBODY,
    SPREAD_NS,
    point_of,
    time_ns,
)
from tests.fakes.clock import START

D = Decimal
TAGS = {"scope": "bot", "bot": "demo", "quote": "USDT"}


def test_amounts_become_floats_and_unknown_ones_are_left_out() -> None:
    point = point_of(EQUITY, START, "", TAGS, {"equity": D("100.10"), "drawdown": None})
    assert point.fields == {"equity": 100.1}
    assert point.tags == TAGS


def test_a_tag_is_never_empty_and_a_text_never_long() -> None:
    tags = {"account": "", "bot": "b" * 300, "symbol": "s", "side": "buy", "status": "filled"}
    point = point_of(MT5_EXECUTIONS, START, "x", tags, {"reason": "r" * 300, "retcode": 10009})
    assert point.tags["account"] == NOBODY
    assert (len(point.tags["bot"]), len(str(point.fields["reason"]))) == (200, 200)
    assert point.fields["retcode"] == 10009


@pytest.mark.parametrize(
    ("tags", "fields"),
    [
        ({"scope": "bot", "quote": "USDT"}, {"equity": D(1)}),
        (TAGS | {"id": "7"}, {"equity": D(1)}),
        (TAGS, {"profit": D(1)}),
        (TAGS, {"equity": "100"}),
    ],
)
def test_what_the_table_does_not_have_is_no_point(
    tags: dict[str, str], fields: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="equity"):
        point_of(EQUITY, START, "", tags, fields)


@pytest.mark.parametrize("value", [1.5, True, D(1)])
def test_a_count_is_a_whole_number(value: Any) -> None:
    tags = dict.fromkeys(MT5_EXECUTIONS.tags, "x")
    with pytest.raises(ValueError, match="cannot hold"):
        point_of(MT5_EXECUTIONS, START, "x", tags, {"retcode": value})


def test_times_are_exact_and_two_records_at_one_time_stay_two() -> None:
    moment = START + timedelta(microseconds=1)
    assert time_ns(START) == 1_772_452_800_000_000_000
    assert time_ns(moment) - time_ns(START) == 1_000
    first, second = time_ns(moment, "t1"), time_ns(moment, "t2")
    assert first != second
    assert {one - time_ns(moment) < SPREAD_NS for one in (first, second)} == {True}
    assert time_ns(moment, "t1") == first


def test_no_tag_is_an_id_and_no_name_is_used_twice() -> None:
    for one in MEASUREMENTS.values():
        names = [*one.tags, *(field.name for field in one.fields)]
        assert len(names) == len(set(names))
        assert not [name for name in one.tags if name == "id" or name.endswith("_id")]
