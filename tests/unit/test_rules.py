"""Rules: each comparison, nesting, warm-up, no look-ahead, what is refused, and the words."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from engine.adapters.strategies.loader import build, describe, read_rules
from engine.domain import indicators
from engine.domain.candles import BoolArray, Candles
from engine.domain.catalogue import NUMBER, SOURCES
from engine.domain.comparisons import COMPARISONS
from engine.domain.rule_preview import Turn, turns_of
from engine.domain.rule_strategy import RuleStrategy, strategy_of
from engine.domain.rule_words import sentences
from engine.domain.rules import GROUPS, RuleSet
from engine.domain.strategy import Signals
from engine.errors import ConfigError, StrategyError
from tests.fakes.candles import flat_candles, random_candles
from tests.unit.test_strategies_of_the_trade import candles_of, moments

Rule = dict[str, Any]


def number(value: float | str) -> Rule:
    return {"source": "number", "params": {"value": value}}


def source(name: str, /, *, output: str = "", ago: int = 0, factor: float | str = 1.0,
           **params: float | str) -> Rule:  # fmt: skip
    return {"source": name, "output": output, "ago": ago, "factor": factor, "params": params}


def condition(left: Rule, test: str, right: Rule | None = None, **more: Any) -> Rule:
    return {"left": left, "test": test, **({"right": right} if right else {}), **more}


def rules(*conditions: Rule, join: str = "all", **more: Any) -> RuleSet:
    """Rules that enter long by these conditions."""
    entry = {"join": join, "conditions": conditions, "groups": more.pop("groups", ())}
    return RuleSet.model_validate({"title": "Of the tests", "long_entry": entry, **more})


def strategy(found: RuleSet, **params: float) -> RuleStrategy:
    made = build(strategy_of("tested", found), params)
    assert isinstance(made, RuleStrategy)
    return made


def entries(found: RuleSet, candles: Candles, **params: float) -> list[int]:
    return moments(strategy(found, **params).signals(candles).enter_long)


# --- comparisons and groups -----------------------------------------------------------------------

SERIES = [5.0, 6.0, 7.0, 6.0, 6.0, 5.0, 8.0, 9.0, 10.0, 4.0]


@pytest.mark.parametrize(
    ("test", "more", "expected"),
    [
        ("above", {"right": number(6)}, [2, 6, 7, 8]),
        ("below", {"right": number(6)}, [0, 5, 9]),
        ("crosses_above", {"right": number(6)}, [2, 6]),
        ("crosses_below", {"right": number(6)}, [5, 9]),
        ("between", {"right": number(6), "upper": number(8)}, [1, 2, 3, 4, 6]),
        ("rising", {"count": 2}, [2, 7, 8]),
        ("rising", {"count": "3"}, [8]),
        ("falling", {"count": 1}, [3, 5, 9]),
    ],
)
def test_each_comparison_holds_where_it_should(test: str, more: Rule, expected: list[int]) -> None:
    assert entries(rules(condition(source("close"), test, **more)), candles_of(SERIES)) == expected


def test_the_table_has_a_case_for_every_comparison() -> None:
    assert set(COMPARISONS) == {
        "above", "below", "crosses_above", "crosses_below", "between", "rising", "falling",
    }  # fmt: skip
    assert RuleSet.model_json_schema()["$defs"]["Condition"]["properties"]["test"]["enum"] == [
        *COMPARISONS
    ]


def test_operands_may_be_earlier_and_scaled() -> None:
    found = rules(condition(source("close"), "above", source("close", ago=2, factor=1.2)))
    assert entries(found, candles_of(SERIES)) == [2, 6, 7, 8]


def test_all_any_and_one_level_of_groups() -> None:
    low = condition(source("close"), "below", number(6))
    high = condition(source("close"), "above", number(8))
    rising = condition(source("close"), "rising", count=1)
    candles = candles_of(SERIES)
    assert entries(rules(low, high), candles) == []
    assert entries(rules(low, high, join="any"), candles) == [0, 5, 7, 8, 9]
    nested = rules(rising, groups=[{"join": "any", "conditions": [low, high]}])
    assert entries(nested, candles) == [7, 8]
    alone = rules(groups=[{"join": "all", "conditions": [high, rising]}, {"conditions": []}])
    assert entries(alone, candles) == [7, 8]


def test_a_candle_that_exits_does_not_enter_and_two_entries_cancel_each_other() -> None:
    high, low = (condition(source("close"), test, number(6)) for test in ("above", "below"))
    peak = condition(source("close"), "above", number(9))
    found = rules(high, long_exit={"conditions": [peak]}, short_entry={"conditions": [low]})
    signals = strategy(found).signals(candles_of(SERIES))
    assert moments(signals.enter_long) == [2, 6, 7]
    assert moments(signals.exit_long) == [8]
    assert moments(signals.enter_short) == [0, 5, 9]
    assert not signals.exit_short.any()
    both = rules(high, short_entry={"conditions": [high]})
    signals = strategy(both).signals(candles_of(SERIES))
    assert not (signals.enter_long | signals.enter_short).any()


# --- every source ---------------------------------------------------------------------------------


def operands() -> list[tuple[str, str]]:
    return [(row.id, output) for row in SOURCES.values() for output in row.outputs]


@pytest.mark.parametrize(("name", "output"), operands())
def test_every_source_warms_up_as_it_says_and_sees_no_future(name: str, output: str) -> None:
    row = SOURCES[name]
    candles = random_candles(260, 3)
    numbers = [int(slot.default) if slot.is_whole else slot.default for slot in row.slots]
    whole = row.compute(candles, *numbers)[row.outputs.index(output)]
    assert whole.shape == (260,)
    warm = row.warmup(*numbers)
    assert np.isfinite(whole[warm - 1 :]).all()
    if output == row.outputs[-1] and name != "adx":  # +DI and -DI are there before the ADX
        assert np.isnan(whole[: warm - 1]).all()
    part = row.compute(candles[:200], *numbers)[row.outputs.index(output)]
    np.testing.assert_array_equal(part, whole[:200])


@pytest.mark.parametrize(
    "name", [row.id for row in SOURCES.values() if row.slots and row.id != NUMBER]
)
def test_a_value_depends_on_no_more_candles_than_its_memory(name: str) -> None:
    row = SOURCES[name]
    numbers = [int(slot.default) if slot.is_whole else slot.default for slot in row.slots]
    memory = row.memory(*numbers)
    assert memory >= row.warmup(*numbers)
    candles = random_candles(memory + 700, 8)
    whole = row.compute(candles, *numbers)
    for until in (memory, memory + 333, memory + 700):
        part = row.compute(candles[until - memory : until], *numbers)
        for all_values, values in zip(whole, part, strict=True):
            assert values[-1] == pytest.approx(all_values[until - 1], rel=1e-9, abs=1e-12)


def test_sources_are_the_indicators_themselves() -> None:
    candles = random_candles(300, 4)
    index = indicators.rsi(candles.close, 7)
    assert entries(rules(condition(source("rsi", period=7), "below", number(25))), candles) == (
        moments(index < 25)
    )
    bands = indicators.bollinger(candles.close, 10, 1.5)
    touch = condition(source("low"), "below",
                      source("bollinger", output="lower", period=10, width=1.5))  # fmt: skip
    assert entries(rules(touch), candles) == moments(candles.low < bands.lower)


# --- as a strategy --------------------------------------------------------------------------------

DIP = {
    "title": "Dip",
    "description": "Buys dips.",
    "long_entry": {
        "conditions": [
            condition(source("rsi", period="length"), "below", number("level")),
            condition(source("close"), "above", source("sma", period=30, factor=0.95)),
        ],
        "groups": [
            {"join": "any", "conditions": [
                condition(source("macd"), "crosses_above", source("macd", output="signal")),
                condition(source("low"), "rising", count=2),
            ]}
        ],
    },
    "long_exit": {"conditions": [condition(source("rsi", period="length"), "above", number(60))]},
    "short_entry": {
        "conditions": [condition(source("supertrend", output="direction"), "crosses_below",
                                 number(0))]
    },
    "short_exit": {
        "conditions": [condition(source("close"), "above", source("highest", period=10, ago=1))]
    },
    "parameters": [
        {"name": "length", "title": "RSI period", "default": 14, "least": 5, "most": 40,
         "is_whole": True},
        {"name": "level", "default": 45.5, "least": 10, "most": 50},
    ],
}  # fmt: skip


@pytest.fixture
def dip() -> RuleStrategy:
    return strategy(RuleSet.model_validate(DIP))


def table(signals: Signals) -> BoolArray:
    return np.array(
        [signals.enter_long, signals.exit_long, signals.enter_short, signals.exit_short]
    )


def test_rules_are_a_strategy_with_tunable_fields() -> None:
    chosen = strategy_of("dip", RuleSet.model_validate(DIP))
    info = describe("dip", Path("dip.rules.json"), chosen)
    assert info["title"] == "Dip"
    assert "What it does." in info["doc"]
    assert "Buys dips." in info["doc"]
    fields = info["parameters"]["properties"]
    assert (fields["length"]["type"], fields["length"]["title"]) == ("integer", "RSI period")
    assert (fields["length"]["minimum"], fields["length"]["maximum"]) == (5, 40)
    assert (fields["level"]["type"], fields["level"]["default"]) == ("number", 45.5)
    assert build(chosen, {}).model_dump() == {"length": 14, "level": 45.5}
    with pytest.raises(ConfigError, match="length: must be at most 40"):
        build(chosen, {"length": 41})


def test_parameters_change_what_the_rules_say(dip: RuleStrategy) -> None:
    candles = random_candles(3000, 5, volatility=0.02)
    found = RuleSet.model_validate(DIP)
    strict = strategy(found, level=42).signals(candles).enter_long
    usual = dip.signals(candles).enter_long
    assert 0 < strict.sum() < usual.sum()
    assert "RSI 21" in strategy(found, length=21).signals(candles).plots


def test_it_warms_up_for_its_slowest_condition() -> None:
    assert strategy(rules(condition(source("close"), "above", number(1)))).warmup == 1
    slow = condition(source("close"), "above", source("sma", period=30, ago=5))
    assert strategy(rules(slow)).warmup == 35
    cross = condition(source("close"), "crosses_above", source("sma", period=30))
    assert strategy(rules(cross)).warmup == 31
    steps = condition(source("sma", period=30), "rising", count=4)
    assert strategy(rules(cross, steps)).warmup == 34
    recursive = condition(source("ema", period=100), "rising", count=1)
    assert strategy(rules(recursive)).history == 4001
    assert strategy(rules(cross)).history == 500


def test_nothing_is_said_before_the_warm_up(dip: RuleStrategy) -> None:
    always = condition(source("close"), "above", number(-1))
    found = rules(always, condition(source("sma", period=50), "above", number(1e9)), join="any")
    assert entries(found, random_candles(120, 2))[0] == 49
    assert not table(dip.signals(random_candles(400, 3)))[:, : dip.warmup - 1].any()


@pytest.mark.parametrize("seed", [1, 2])
def test_rules_see_no_future_and_a_live_decision_equals_the_whole(
    dip: RuleStrategy, seed: int
) -> None:
    candles = random_candles(dip.history + 900, seed, volatility=0.02)
    signals = dip.signals(candles)
    whole = table(signals)
    assert whole.any(axis=1).all()
    for until in range(dip.warmup, len(candles), 487):
        part = dip.signals(candles[:until])
        assert table(part).tolist() == whole[:, :until].tolist()
        assert part.reason(until - 1) == signals.reason(until - 1)
    for until in range(dip.history, len(candles), 31):
        recent = dip.decide(candles[until - dip.history : until])
        said = recent.enter_long, recent.exit_long, recent.enter_short, recent.exit_short
        assert said == tuple(whole[:, until - 1])


@pytest.mark.parametrize(
    "candles",
    [flat_candles(0), flat_candles(1), flat_candles(300), random_candles(300, 1, price=1e-10),
     random_candles(300, 1, price=1e13)],
    ids=["none", "one", "flat", "tiny", "huge"],
)  # fmt: skip
def test_odd_markets_are_answered(dip: RuleStrategy, candles: Candles) -> None:
    signals = dip.signals(candles)
    signals.check(len(candles))
    assert all(signals.reason(index) for index in range(len(candles)))
    assert dip.decide(candles).reason


# --- what is refused ------------------------------------------------------------------------------

CLOSE_ABOVE_ONE = condition(source("close"), "above", number(1))
REFUSED: list[tuple[Rule, str, str]] = [
    ({"long_entry": {}}, "long_entry", "add at least one condition"),
    ({"conditions": [condition(source("moon"), "above", number(1))]},
     "long_entry.conditions.0.left.source", "there is no such indicator"),
    ({"conditions": [condition(source("rsi", period=1), "above", number(1))]},
     "long_entry.conditions.0.left.params.period", "must be from 2 to 1000"),
    ({"conditions": [condition(source("rsi", period=2.5), "above", number(1))]},
     "long_entry.conditions.0.left.params.period", "must be a whole number"),
    ({"conditions": [condition(source("rsi", speed=2), "above", number(1))]},
     "long_entry.conditions.0.left.params.speed", "is not a number that this indicator takes"),
    ({"conditions": [condition(source("rsi", output="up"), "above", number(1))]},
     "long_entry.conditions.0.left.output", "must be one of value"),
    ({"conditions": [condition(source("macd", fast=30), "above", number(1))]},
     "long_entry.conditions.0.left.params.fast", "must be shorter"),
    ({"conditions": [CLOSE_ABOVE_ONE, condition(source("close"), "above")]},
     "long_entry.conditions.1.right", "must be given"),
    ({"conditions": [condition(source("close"), "between", number(1))]},
     "long_entry.conditions.0.upper", "must be given"),
    ({"conditions": [condition(source("close"), "rising", count=0)]},
     "long_entry.conditions.0.count", "must be from 1 to 100"),
    ({"conditions": [condition(source("close"), "above", number("period"))]},
     "long_entry.conditions.0.right.params.value", "there is none of this name"),
    ({"conditions": [condition(source("close", factor=""), "above", number(1))]},
     "long_entry.conditions.0.left.factor", "must be a number, or a parameter"),
    ({"conditions": [condition(source("close"), "above", number(float("inf")))]},
     "long_entry.conditions.0.right.params.value", "must be a finite number"),
    ({"groups": [{"conditions": [condition(source("ema", period=0), "above", number(1))]}]},
     "long_entry.groups.0.conditions.0.left.params.period", "must be from 1 to 1000"),
    ({"parameters": [{"name": "warmup", "default": 1, "least": 0, "most": 2}]},
     "parameters.0.name", "taken by every strategy"),
    ({"parameters": [{"name": "Ab c", "default": 1, "least": 0, "most": 2}]},
     "parameters.0.name", "must be small letters"),
    ({"parameters": [{"name": "a", "default": 3, "least": 0, "most": 2}]},
     "parameters.0.default", "must lie between"),
    ({"parameters": [{"name": "a", "default": 1, "least": 0.5, "most": 2, "is_whole": True}]},
     "parameters.0.default", "a whole number needs whole bounds"),
    ({"conditions": [condition(source("rsi", period="a"), "above", number(1))],
      "parameters": [{"name": "a", "default": 5, "least": 1, "most": 9, "is_whole": True}]},
     "long_entry.conditions.0.left.params.period", "the parameter 'a' must be from 2 to 1000"),
    ({"conditions": [condition(source("rsi", period="a"), "above", number(1))],
      "parameters": [{"name": "a", "default": 5, "least": 2, "most": 9}]},
     "long_entry.conditions.0.left.params.period", "make the parameter 'a' whole"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "field", "words"), REFUSED)
def test_what_is_wrong_is_said_at_its_field(wrong: Rule, field: str, words: str) -> None:
    entry = {"conditions": wrong.pop("conditions", [CLOSE_ABOVE_ONE]),
             "groups": wrong.pop("groups", [])}  # fmt: skip
    with pytest.raises(ValidationError) as caught:
        RuleSet.model_validate({"title": "Wrong", "long_entry": entry, **wrong})
    found = {".".join(map(str, one["loc"])): one["msg"] for one in caught.value.errors()}
    assert words in found[field]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    bad = [condition(source("rsi", period=0), "above"), condition(source("sun"), "rising")]
    with pytest.raises(ValidationError) as caught:
        rules(*bad)
    assert len(caught.value.errors()) == 4


def test_parameters_that_contradict_each_other_are_refused_at_the_bot() -> None:
    both = [{"name": name, "default": value, "least": 3, "most": 50, "is_whole": True}
            for name, value in (("fast", 10), ("slow", 20))]  # fmt: skip
    line = source("macd", fast="fast", slow="slow")
    chosen = strategy_of("x", rules(condition(line, "above", number(0)), parameters=both))
    with pytest.raises(ConfigError, match="the fast average must be shorter"):
        build(chosen, {"fast": 30})


def test_a_broken_file_is_told_in_a_line() -> None:
    with pytest.raises(StrategyError, match="title: must be given"):
        read_rules(b"{}")
    with pytest.raises(StrategyError, match="Invalid JSON"):
        read_rules(b"{")
    content = rules(CLOSE_ABOVE_ONE).model_dump_json(exclude_defaults=True).encode()
    assert read_rules(content) == rules(CLOSE_ABOVE_ONE)
    odd = json.loads(content)
    odd["long_entry"]["conditions"][0]["left"]["source"] = "moon"
    with pytest.raises(StrategyError, match=r"left\.source: there is no such indicator"):
        read_rules(json.dumps(odd).encode())


# --- words ----------------------------------------------------------------------------------------


def test_rules_are_said_in_sentences() -> None:
    told = sentences(RuleSet.model_validate(DIP))
    assert list(told) == list(GROUPS)
    assert told["long_entry"] == (
        "Enter long when RSI(length) < level and close > 0.95 × SMA(30) and (MACD(12, 26, 9) line"
        " crosses above MACD(12, 26, 9) signal or low has risen for 2 candles)."
    )
    assert told["short_exit"] == "Exit short when close > Highest(10) 1 candle ago."
    one = condition(source("close"), "between", number(1), upper=number(2.5))
    assert sentences(rules(one)) == {"long_entry": "Enter long when close is between 1 and 2.5."}


def test_the_reason_says_what_holds_and_what_does_not() -> None:
    found = rules(
        condition(source("close"), "above", number(6)),
        condition(source("close"), "rising", count=1),
    )
    reason = strategy(found).signals(candles_of(SERIES)).reason
    assert reason(2) == "enter long: close 7 > 6 and close 7 has risen for 1 candle"
    assert reason(5) == "no long entry: close 5 is not > 6 and close 5 has not risen for 1 candle"


def test_indicators_are_drawn_with_the_levels_they_are_compared_with(dip: RuleStrategy) -> None:
    plots = dip.signals(random_candles(200, 1)).plots
    assert list(plots) == ["RSI 14", "SMA 30", "MACD 12, 26, 9 line", "MACD 12, 26, 9 signal",
                           "Supertrend 10, 3 direction", "Highest 10"]  # fmt: skip
    assert plots["RSI 14"].levels == (45.5, 60.0)
    assert [name for name, plot in plots.items() if plot.is_overlay] == ["SMA 30", "Highest 10"]


# --- the preview ----------------------------------------------------------------------------------


def test_turns_follow_the_table_of_cases_that_bots_follow() -> None:
    def flags(*indices: int) -> BoolArray:
        return np.isin(np.arange(10), indices)

    signals = Signals(flags(1, 2, 6), flags(0, 4), flags(5, 8), flags(9))
    told = [(one.index, one.is_entry, one.side.value) for one in turns_of(signals)]
    assert told == [
        (1, True, "long"), (4, False, "long"), (5, True, "short"), (6, False, "short"),
        (6, True, "long"), (8, False, "long"), (8, True, "short"), (9, False, "short"),
    ]  # fmt: skip
    assert turns_of(signals, first=9) == []
    assert isinstance(turns_of(signals)[0], Turn)
