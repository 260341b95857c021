"""Conversion: chains of rates, what they are worth, and what is said when there is none."""

from datetime import timedelta
from decimal import Decimal as D
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.conversion import (
    STALE_AFTER,
    Chain,
    Rate,
    Rates,
    add_in,
    find_pairs,
    read_equals,
)
from tests.fakes.clock import START

ASSETS = ("AAA", "BBB", "CCC", "DDD", "EEE")


def rate(base: str, quote: str, price: object, *, age_s: float = 0, **changes: object) -> Rate:
    fields = {"time": START - timedelta(seconds=age_s), "source": "m", **changes}
    return Rate(base=base, quote=quote, price=D(str(price)), **fields)  # type: ignore[arg-type]


def worth(amount: object, asset: str, target: str, *rates: Rate) -> D:
    chain = Rates(rates).find(asset, target)
    assert chain is not None
    return chain.convert(D(str(amount)))


def names(chain: Chain | None) -> list[str]:
    assert chain is not None
    return [chain.asset, *(step.end for step in chain.steps)]


def test_an_amount_of_the_target_itself_needs_no_rate() -> None:
    chain = Rates([]).find("USD", "USD")
    assert chain is not None
    assert (chain.convert(D("12.345")), chain.as_of, chain.steps) == (D("12.345"), None, ())


def test_a_pair_is_read_in_both_directions() -> None:
    pair = rate("EUR", "USD", "1.25")
    assert worth(8, "EUR", "USD", pair) == D(10)
    assert worth(10, "USD", "EUR", pair) == D(8)


def test_a_chain_multiplies_forward_and_divides_backward_exactly() -> None:
    rates = [rate("BTC", "USDT", "60000.01"), rate("USDT", "USD", "0.9998"), rate("EUR", "USD", 3)]
    assert worth(2, "BTC", "USD", *rates) == D("119976.019996")
    third = worth(1, "USD", "EUR", *rates)  # rounded, at the 60th digit
    assert abs(third * 3 - 1) <= D("1e-59")


def test_the_shortest_chain_wins_over_a_fresher_longer_one() -> None:
    rates = [rate("A", "B", 2, age_s=500), rate("A", "X", 1), rate("X", "B", 3)]
    assert worth(1, "A", "B", *rates) == 2


def test_of_chains_as_short_the_one_whose_oldest_rate_is_newest_wins() -> None:
    rates = [
        rate("A", "X", 1, age_s=1), rate("X", "B", 5, age_s=90),
        rate("A", "Y", 1, age_s=40), rate("Y", "B", 7, age_s=40),
    ]  # fmt: skip
    chain = Rates(rates).find("A", "B")
    assert names(chain) == ["A", "Y", "B"]
    assert chain is not None
    assert chain.as_of == START - timedelta(seconds=40)


def test_of_several_markets_the_newest_price_of_a_pair_counts() -> None:
    old, new = rate("A", "B", 2, age_s=9), rate("B", "A", D("0.25"), age_s=1)
    assert worth(1, "A", "B", old, new) == worth(1, "A", "B", new, old) == 4


def test_a_stablecoin_is_worth_what_it_trades_at_whatever_was_declared() -> None:
    declared = Rate(base="USDT", quote="USD", price=D(1), time=None)
    assert worth(100, "USDT", "USD", declared, rate("USDT", "USD", "0.97", age_s=3600)) == 97
    longer = [rate("USDT", "EUR", "0.5"), rate("EUR", "USD", "1.9")]
    assert worth(100, "USDT", "USD", declared, *longer) == 95
    chain = Rates([declared]).find("USDT", "USD")
    assert chain is not None
    assert (chain.convert(D(7)), chain.declared) == (7, ("USDT counted as USD",))
    assert not chain.is_stale(START + timedelta(days=9))


def test_invented_prices_serve_only_where_there_are_no_real_ones() -> None:
    invented = rate("BTC", "USD", 5, is_simulated=True)
    real = [rate("BTC", "USDT", 7, age_s=60), rate("USDT", "USD", 1, age_s=60)]
    assert worth(1, "BTC", "USD", invented, *real) == 7
    chain = Rates([invented]).find("BTC", "USD")
    assert chain is not None
    assert (chain.convert(D(1)), chain.is_simulated) == (5, True)


def test_what_has_no_rate_is_left_out_and_named() -> None:
    rates = Rates([rate("BTC", "USD", 10)])
    total = add_in({"BTC": D(2), "XYZ": D("0.3"), "GONE": D(0), "USD": D(1)}, "USD", rates)
    assert (total.value, total.left_out) == (D(21), (("XYZ", D("0.3")),))
    assert total.as_of == START


def test_a_sum_of_which_nothing_is_known_is_unknown_and_not_zero() -> None:
    assert add_in({"XYZ": D(1)}, "USD", Rates([])).value is None
    assert add_in({}, "USD", Rates([])).value == 0


def test_a_sum_is_rounded_once_at_its_end() -> None:
    rates = Rates([rate("USD", "A", 3), rate("USD", "B", 3), rate("USD", "C", 3)])
    total = add_in({"A": D(1), "B": D(1), "C": D(1)}, "USD", rates)
    assert total.value == D("1.00000000")


def test_a_chain_is_stale_once_its_oldest_rate_is() -> None:
    chain = Rates([rate("A", "X", 1), rate("X", "B", 1, age_s=300)]).find("A", "B")
    assert chain is not None
    assert not chain.is_stale(START + STALE_AFTER - timedelta(seconds=300))
    assert chain.is_stale(START + STALE_AFTER - timedelta(seconds=299))


def test_only_the_pairs_that_are_missing_are_asked_for() -> None:
    pairs = [("BTC/USDT", "BTC", "USDT"), ("USDT/USD", "USDT", "USD"), ("ETH/BTC", "ETH", "BTC")]
    assert find_pairs(["ETH"], "USD", pairs, []) == ("ETH/BTC", "BTC/USDT", "USDT/USD")
    known = [rate("BTC", "USDT", 5)]
    assert find_pairs(["ETH", "BTC"], "USD", pairs, known) == ("ETH/BTC", "USDT/USD")
    assert find_pairs(["XYZ", "USD"], "USD", pairs, known) == ()


def test_declared_pairs_are_read_strictly() -> None:
    assert read_equals(" usdt=USD, USDC = USD,") == (("USDT", "USD"), ("USDC", "USD"))
    assert read_equals("") == ()
    for bad in ("USDT", "USDT=", "=USD", "USD=USD", "A=B=C", "U$=USD"):
        with pytest.raises(ValueError, match="written like"):
            read_equals(bad)


prices = st.decimals(min_value=D("1e-8"), max_value=D("1e8"), places=8)
ages = st.integers(0, 3600)
graphs = st.lists(
    st.tuples(st.sampled_from(ASSETS), st.sampled_from(ASSETS), prices, ages), max_size=14
).map(lambda rows: [rate(base, quote, price, age_s=age) for base, quote, price, age in rows])


@given(graphs)
def test_there_and_back_are_as_long_and_as_old(rates: list[Rate]) -> None:
    known = Rates(rates)
    for target in ASSETS:
        there, back = known.find(ASSETS[0], target), known.find(target, ASSETS[0])
        assert (there is None) == (back is None)
        if there is not None and back is not None:
            assert len(there.steps) == len(back.steps)
            assert there.as_of == back.as_of


@given(graphs, prices)
def test_a_chain_and_its_mirror_cancel_out(rates: list[Rate], amount: D) -> None:
    for target in ASSETS:
        chain = Rates(rates).find(ASSETS[0], target)
        if chain is not None:
            over, under = chain.ratio
            again = chain.convert(amount) * under / over
            assert abs(again - amount) <= amount * D("1e-25")


@given(graphs, st.randoms(use_true_random=False))
def test_the_order_in_which_rates_are_known_changes_nothing(
    rates: list[Rate], luck: object
) -> None:
    shuffled = list(rates)
    luck.shuffle(shuffled)  # type: ignore[attr-defined]
    for target in ASSETS:
        found, again = Rates(rates).find("AAA", target), Rates(shuffled).find("AAA", target)
        assert (found is None) == (again is None)
        if found is not None and again is not None:
            assert [(s.start, s.end) for s in found.steps] == [
                (s.start, s.end) for s in again.steps
            ]
            assert found.as_of == again.as_of


@given(graphs)
def test_chains_are_connected_simple_and_of_known_rates(rates: list[Rate]) -> None:
    for target in ASSETS:
        chain = Rates(rates).find("AAA", target)
        if chain is None:
            continue
        passed = names(chain)
        assert (passed[0], passed[-1]) == ("AAA", target)
        assert len(set(passed)) == len(passed)  # no asset twice, whatever cycles there are
        assert all(one.end == two.start for one, two in pairwise(chain.steps))
        assert all(step.rate in rates for step in chain.steps)


@given(st.dictionaries(st.sampled_from(ASSETS[1:]), prices, min_size=1), prices)
def test_consistent_prices_give_the_same_worth_along_every_path(
    values: dict[str, D], amount: D
) -> None:
    """Where pairs agree with one another, the path that is taken does not show."""
    worths = {"AAA": D(1), **values}
    assets = sorted(worths)
    loop = [
        rate(one, two, worths[one] / worths[two]) for one, two in pairwise([*assets, assets[0]])
        if worths[one] / worths[two] > 0
    ]  # fmt: skip
    for skipped in range(len(loop)):
        rates = Rates(loop[:skipped] + loop[skipped + 1 :])
        for asset in assets:
            chain = rates.find(asset, "AAA")
            if chain is not None:
                expected = amount * worths[asset]
                assert abs(chain.convert(amount) - expected) <= expected * D("1e-24")
