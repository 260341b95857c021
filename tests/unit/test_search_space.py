"""What is searched: a strategy's own bounds, narrowed by a person; grids; refusals in words."""

from typing import Any

import pytest

from engine.domain.search_space import EXITS, MOST_GRID, Range, SearchSpace, search_space
from engine.domain.unfit import Unfit
from tests.fakes.strategy_host import FakeStrategyHost

SCHEMA: dict[str, Any] = {
    "$defs": {"Mode": {"enum": ["slow", "fast"], "type": "string"}},
    "properties": {
        "period": {"type": "integer", "minimum": 2, "maximum": 50, "title": "Period"},
        "above": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "count": {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 10},
        "is_strict": {"type": "boolean", "default": False},
        "mode": {"allOf": [{"$ref": "#/$defs/Mode"}], "default": "slow"},
        "limit": {"anyOf": [{"type": "number", "minimum": 1, "maximum": 3}, {"type": "null"}]},
        "label": {"type": "string", "default": "x"},
        "loose": {"type": "number", "default": 1.0},
    },
}


def space(**ranges: Any) -> SearchSpace:
    chosen = {name: Range.model_validate(value) for name, value in ranges.items()}
    return search_space(SCHEMA, chosen, {})


def test_without_ranges_everything_with_bounds_is_searched() -> None:
    found = {one.name: one for one in space().dimensions}
    assert list(found) == ["period", "above", "count", "is_strict", "mode", "limit"]
    assert (found["period"].low, found["period"].high) == (2, 50)
    assert 0 < found["above"].low < found["above"].high < 1
    assert (found["count"].low, found["count"].high) == (1, 9)
    assert found["is_strict"].choices == (False, True)
    assert found["mode"].choices == ("slow", "fast")
    assert (found["limit"].low, found["limit"].high) == (1, 3)


def test_with_ranges_only_those_are_searched_and_fixed_ones_stay() -> None:
    found = search_space(SCHEMA, {"period": Range(low=5, high=9)}, {"mode": "fast"})
    assert [one.values() for one in found.dimensions] == [(5, 6, 7, 8, 9)]
    assert found.split({"period": 7}) == ({"mode": "fast", "period": 7}, {})


def test_a_grid_has_every_combination_once() -> None:
    found = space(
        period={"low": 10, "high": 20, "step": 5}, above={"low": 0.1, "high": 0.3, "step": 0.1},
        mode={"choices": ["fast"]},
    )  # fmt: skip
    combinations = list(found.grid())
    assert found.grid_size == found.check_grid() == len(combinations) == 9
    assert {one["above"] for one in combinations} == {0.1, 0.2, 0.3}
    assert combinations[0] == {"period": 10, "above": 0.1, "mode": "fast"}
    assert len({tuple(one.values()) for one in combinations}) == 9


def test_a_grid_without_steps_is_cut_and_reaches_both_ends() -> None:
    (number,) = space(above={"low": 0.1, "high": 0.9}).dimensions
    assert len(number.values()) == 10
    assert (number.values()[0], number.values()[-1]) == (0.1, 0.9)
    (whole,) = space(period={}).dimensions
    assert len(whole.values()) <= 10
    assert all(isinstance(value, int) for value in whole.values())


def test_a_grid_that_nobody_would_wait_for_is_said_to_be_one() -> None:
    with pytest.raises(Unfit, match=r"2,401 .*|grid has [\d,]+ combinations \(period 49"):
        space(period={"step": 1}, above={"low": 0.1, "high": 0.9, "step": 0.001}).check_grid()
    assert space(period={"step": 1}).check_grid() < MOST_GRID


def test_exits_are_searched_where_a_person_names_them() -> None:
    chosen = {"exits.stop_loss": Range(low=0.01, high=0.05, step=0.01)}
    found = search_space(SCHEMA, chosen, {"period": 5})
    assert found.split({"exits.stop_loss": 0.03}) == ({"period": 5}, {"stop_loss": 0.03})
    assert not {one.name for one in space().dimensions} & set(EXITS)


@pytest.mark.parametrize(
    ("name", "wanted", "sentence"),
    [
        ("period", {"low": 1}, "period goes from 2 to 50, not from 1 to 50"),
        ("period", {"low": 9, "high": 8}, "9 is above 8"),
        ("period", {"low": 2.5}, "takes whole numbers"),
        ("period", {"step": 0.5}, "takes whole numbers"),
        ("loose", {"low": 1}, "has no bounds of its own"),
        ("label", {}, "is text; give the values"),
        ("mode", {"choices": ["fastest"]}, "mode is one of slow, fast, not fastest"),
        ("nothing", {}, "nothing is not a parameter"),
    ],
)
def test_a_wrong_range_names_its_field(name: str, wanted: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Unfit, match=sentence) as caught:
        space(**{name: wanted})
    assert caught.value.field == f"ranges.{name}"


def test_nothing_to_search_is_a_sentence() -> None:
    with pytest.raises(Unfit, match="nothing to search"):
        search_space({"properties": {"loose": {"type": "number"}}}, {}, {})


def test_every_shipped_strategy_has_a_space_or_no_parameter_with_bounds() -> None:
    for info in FakeStrategyHost().list():
        bounded = any("minimum" in str(one) for one in info.parameters["properties"].values())
        if bounded:
            assert search_space(info.parameters, {}, {}).corners()
