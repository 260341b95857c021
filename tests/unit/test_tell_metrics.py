"""Metrics: what is counted, how many there can be, and what a failing source costs."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal as D

import pytest

from engine.api.metrics_page import OFF, MetricsPage
from engine.domain import gauges
from engine.domain.gauges import BOUNDS_S, Sample, Spread
from engine.domain.records import Level
from engine.errors import NotFound
from engine.services import tell_metrics
from engine.services.candle_feed import PriceBoard
from engine.services.instrument_book import InstrumentBook
from engine.services.pulse import CYCLES_KEPT, Pulse
from engine.services.tell_metrics import BookMetrics, CommitCounts, MetricsBook
from engine.services.track_equity import EquityKeeper
from tests.contract.store_samples import decision, order, signal
from tests.fakes.clock import START
from tests.unit.conftest import Room
from tests.unit.samples import bot, config, fill

TEXT = "text/plain"


def value_of(samples: Iterable[Sample], metric: gauges.Metric, *labels: str) -> object:
    """The one value of a metric with these labels."""
    [found] = [one.value for one in samples if (one.metric, one.labels) == (metric, labels)]
    return found


def page_of(*samples: Sample) -> list[str]:
    """The engine's lines of the page, without comments."""
    content, content_type = MetricsPage(lambda: samples).page(TEXT)
    assert content_type.startswith("text/plain; version=0.0.4")
    return [line for line in content.decode().splitlines() if line.startswith("quarterdeck_")]


def test_a_page_is_in_prometheus_words() -> None:
    spread = Spread()
    for seconds in (0.0005, 0.3, 100.0):
        spread.add(seconds)
    lines = page_of(
        Sample(gauges.BOT_EQUITY, D("100.10"), ('a "b"\n\\', "USDT", "paper")),
        Sample(gauges.FILLS, 3, ("buy",)),
        Sample(gauges.LATENESS, spread),
    )
    assert lines[0] == (
        r'quarterdeck_bot_equity{bot="a \"b\"\n\\",mode="paper",quote="USDT"} 100.1'
    )
    assert lines[1] == 'quarterdeck_fills_total{side="buy"} 3.0'
    buckets = [line for line in lines if "_bucket" in line]
    assert len(buckets) == len(BOUNDS_S) + 1
    assert [line.rpartition(" ")[2] for line in buckets] == sorted(
        line.rpartition(" ")[2] for line in buckets
    )
    assert 'quarterdeck_job_lateness_seconds_bucket{le="0.25"} 1.0' in lines
    assert 'quarterdeck_job_lateness_seconds_bucket{le="0.5"} 2.0' in lines
    assert "quarterdeck_job_lateness_seconds_count 3.0" in lines
    assert "quarterdeck_job_lateness_seconds_sum 100.3005" in lines


def test_a_sample_has_the_labels_of_its_metric() -> None:
    with pytest.raises(ValueError, match="quarterdeck_fills_total has the labels"):
        Sample(gauges.FILLS, 1)


def test_a_page_that_is_switched_off_says_how_to_switch_it_on() -> None:
    with pytest.raises(NotFound, match="QUARTERDECK_METRICS_ENABLED=true") as raised:
        MetricsPage(None).page(TEXT)
    assert raised.value.message == OFF


def test_a_source_that_fails_is_counted_and_hides_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    book = MetricsBook()

    def broken() -> Iterable[Sample]:
        yield Sample(gauges.UP, 1)
        raise RuntimeError("out of order")

    book.register(broken)
    book.register(lambda: [Sample(gauges.POSITIONS, 2)])
    samples = book.read()
    assert value_of(samples, gauges.FAILED) == 1
    assert value_of(samples, gauges.POSITIONS) == 2
    assert "out of order" in caplog.text


def test_what_is_committed_is_counted_and_what_is_rolled_back_is_not(room: Room) -> None:
    counts = CommitCounts()
    room.books.listen(counts.on_commit)
    with room.books.writing() as writing:
        writing.add_order(order(client_id="one"))
        writing.add_fill(fill(1))
        writing.add_fill(fill(2))
        writing.add_decision(decision())
        writing.event(Level.ERROR, "test", "words")
    with pytest.raises(ValueError, match="no"), room.books.writing() as writing:
        writing.add_fill(fill(3))
        raise ValueError("no")
    found = list(counts())
    assert value_of(found, gauges.FILLS, "buy") == 2
    assert value_of(found, gauges.ORDERS, "open") == 1
    assert value_of(found, gauges.DECISIONS, "hold") == 1
    assert value_of(found, gauges.EVENTS, "error") == 1


def test_only_so_many_bots_have_metrics_of_their_own(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tell_metrics, "MOST_BOTS", 2)
    with room.books.writing() as writing:
        for number in range(1, 4):
            writing.add_bot(
                bot(config(name=f"bot {number}"), id=f"x{number}",
                    created_at=START + timedelta(days=number))
            )  # fmt: skip
    instruments = InstrumentBook(room.books.store)
    keeper = EquityKeeper(room.books, PriceBoard(), instruments, room.venues)
    found = list(BookMetrics(room.books, keeper, instruments)())
    named = {one.labels[0] for one in found if one.metric is gauges.BOT_EQUITY}
    assert named == {room.bot.config.name, "bot 1"}
    assert value_of(found, gauges.LEFT_OUT) == 2
    assert value_of(found, gauges.EQUITY, "USDT") == sum(
        one.capital for one in room.books.bots.values()
    )


def test_the_pulse_counts_signals_and_remembers_some_cycles() -> None:
    pulse = Pulse(START, START)
    pulse.note_signal(signal(sent_at=START - timedelta(seconds=2)))
    pulse.note_signal(signal(sent_at=None))
    assert (pulse.signals["tradingview"], pulse.signal_lag.sum_s) == (2, 2.0)
    for minute in range(CYCLES_KEPT + 1):
        begun = START + timedelta(minutes=minute)
        pulse.note_cycle("b", begun, begun + timedelta(seconds=3))
    assert pulse.duration_s("b", START) is None  # too long ago
    assert pulse.duration_s("b", begun + timedelta(seconds=1)) == 3
    assert pulse.duration_s("b", begun + timedelta(seconds=4)) is None
    assert sum(pulse.durations.counts) == CYCLES_KEPT + 1
    pulse.forget("b")
    assert pulse.duration_s("b", begun) is None
