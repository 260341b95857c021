"""Models in words and figures: costs, calibration, what was held back. Pure."""

from datetime import timedelta
from decimal import Decimal

import pytest

from engine.contracts.ai import Accuracy, CounselVerdict, HeldBack, Interval
from engine.domain.advice_statistics import calibration
from panel.ai_charts import (
    MOST_NAMES,
    OTHERS,
    calibration_figure,
    cost_figure,
    held_back_figure,
    held_back_lines,
)
from panel.ai_figures import interval_words, judged_of, quotes_of, share_words, veto_words
from panel.ai_words import dollars
from tests.fakes.ai import advice, line_of
from tests.fakes.clock import START

LINES = [
    line_of(advice(number, f"b{number % 3}", f"bot {number % 3}", "BTC/USDT",
                   START + timedelta(hours=number)))
    for number in range(48)
]  # fmt: skip
QUOTES = {line.id: "USDT" for line in LINES}


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("0", "$0.0000"),
        ("0.00001", "< $0.0001"),
        ("1234.5", "$1,234.5000"),
        ("-2", "\u2212$2.0000"),
    ],
)
def test_a_cost_that_is_not_nothing_never_reads_as_nothing(amount: str, words: str) -> None:
    assert dollars(Decimal(amount)) == words
    assert dollars(None) == "\u2013"


def test_calibration_shows_counts_and_intervals_of_the_buckets_that_have_answers() -> None:
    found = calibration([(0.75, True)] * 30 + [(0.75, False)] * 10 + [(0.92, False)] * 2)
    _, points = calibration_figure(found, is_dark=True).data
    assert [text.strip() for text in points.text] == ["40", "2"]
    assert list(points.y) == [75.0, 0.0]
    assert points.error_y.arrayminus[1] == 0.0
    assert 0 < points.error_y.array[0] < points.error_y.array[1]
    assert points.marker.color[1] != points.marker.color[0], "few answers are drawn faintly"


def test_costs_of_many_bots_are_the_dearest_and_the_others() -> None:
    lines = [line.model_copy(update={"bot_name": f"<b>{number}", "cost": Decimal(number + 1)})
             for number, line in enumerate(LINES[:20])]  # fmt: skip
    figure = cost_figure(lines, is_dark=False)
    assert len(figure.data) == MOST_NAMES
    assert figure.data[0].name == "&lt;b&gt;19"
    assert figure.data[-1].name == OTHERS
    assert sum(sum(bar.y) for bar in figure.data) == sum(range(1, 21))


def test_what_was_held_back_sums_up_in_the_order_of_time() -> None:
    shown = held_back_lines(LINES[::-1], QUOTES, "USDT")
    assert shown == sorted(shown, key=lambda line: line.asked_at)
    assert {line.verdict for line in shown} == {CounselVerdict.VETO, CounselVerdict.REDUCE}
    curve = held_back_figure(LINES, QUOTES, "USDT", is_dark=True).data[0].y
    total = sum(line.outcome.value for line in shown if line.outcome and line.outcome.value)
    assert curve[-1] == float(total)
    assert held_back_lines(LINES, QUOTES, "USD") == []


def test_a_row_whose_quote_nobody_knows_is_in_no_sum() -> None:
    stock = LINES[0].model_copy(update={"symbol": "AAPL"})
    assert quotes_of([LINES[0], stock.model_copy(update={"id": "x"})], []) == {LINES[0].id: "USDT"}


def held(**changes: object) -> HeldBack:
    fields = {"quote": "USDT", "vetoed": 40, "reduced": 2, "waiting": 2, "unknown": 1, "mean": None,
              "value": Decimal(-12), "passed": 0, "passed_value": Decimal(0)}  # fmt: skip
    return HeldBack.model_validate(fields | changes)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (held(), "Holding back has saved about 12.00 USDT."),
        (
            held(value=Decimal(3)),
            "Holding back has cost about 3.00 USDT of gains that were missed.",
        ),
        (held(value=Decimal(0)), "Holding back has neither saved nor cost anything."),
        (held(vetoed=3), "Holding back has saved about 12.00 USDT. 2 are few: it may be chance."),
        (held(vetoed=1, reduced=0, waiting=1, unknown=0), "None of them can be judged yet."),
        (held(vetoed=0, reduced=0, waiting=0, unknown=0), "No entry was held back."),
    ],
)
def test_what_holding_back_was_worth_is_said_with_its_doubt(one: HeldBack, words: str) -> None:
    assert veto_words(one) == words
    assert judged_of(held()) == 39


def test_a_share_is_told_with_its_number_and_interval() -> None:
    found = Accuracy(count=20, right=12, share=0.6, interval=Interval(low=0.387, high=0.781))
    assert share_words(found) == "60.00 % (12 of 20)"
    assert interval_words(found) == "39 and 78 %"
    assert share_words(Accuracy()) == interval_words(Accuracy()) == "\u2013"
