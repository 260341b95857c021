"""The rule builder's draft: what it shows of kept rules is what it would save again."""

import pytest

from engine.api.rule_desk import catalogue_view
from engine.domain.rule_words import sentences
from engine.domain.rules import RuleSet
from panel.rules_draft import EXAMPLE, Shape, body_of, condition_values, draft_of, name_from
from tests.unit.test_rules import DIP

CATALOGUE = catalogue_view()


TWICE = {
    "title": "Twice",
    "long_entry": {"conditions": [
        {"left": {"source": "close", "ago": 4},
         "right": {"source": "number", "params": {"value": 5}, "factor": 2}},
    ]},
}  # fmt: skip


@pytest.mark.parametrize("rules", [EXAMPLE, DIP, TWICE], ids=["example", "dip", "twice"])
def test_kept_rules_come_back_as_they_were(rules: dict[str, object]) -> None:
    kept = RuleSet.model_validate(rules)
    shape, values = draft_of(kept, "dip")
    again = RuleSet.model_validate(body_of(shape, values, CATALOGUE))
    assert sentences(again) == sentences(kept)
    assert again.parameters == kept.parameters
    assert draft_of(again, "dip")[0] == shape


def test_ids_are_never_used_twice_and_what_is_removed_takes_its_parts_along() -> None:
    shape, first = Shape().with_condition("long_entry")
    shape, group = shape.with_group("long_entry")
    shape, inner = shape.with_condition(group)
    shape, parameter = shape.with_parameter()
    assert len({first, group, inner, parameter}) == 4
    shape = shape.without(first).without(group)
    assert (shape.conditions, shape.inner) == ({"long_entry": ()}, {"long_entry": ()})
    shape, fresh = shape.with_condition("long_exit")
    assert fresh not in (first, group, inner, parameter)
    assert shape.without(parameter).parameters == ()


def test_what_is_no_number_is_sent_as_it_was_typed() -> None:
    shape, node = Shape().with_condition("long_entry")
    values = condition_values(node) | {
        f"{node}_right_sma_period": "soon", f"{node}_left_factor": "", f"{node}_left_more": True,
        f"{node}_right_factor": "9", f"{node}_test": "between",
    }  # fmt: skip
    (condition,) = body_of(shape, values, CATALOGUE)["long_entry"]["conditions"]
    assert condition["right"]["params"] == {"period": "soon"}
    assert condition["left"]["factor"] == ""
    assert condition["right"]["factor"] == "1"  # not asked for
    assert condition["upper"]["source"] == "number"


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Dip in a trend", "dip_in_a_trend"), ("  50/200 cross! ", "cross"), ("Über", "ber"),
        ("", ""), ("123", ""), ("a" * 80, "a" * 64),
    ],
)  # fmt: skip
def test_a_title_suggests_a_name(title: str, name: str) -> None:
    assert name_from(title) == name
