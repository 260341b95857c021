"""From one asset to another by live rates: the shortest chain of pairs, of those the freshest.

Nothing is guessed: an asset without a chain is said to be unknown, a stablecoin is worth what it
trades at, and an equality that a person has declared shows in every figure made with it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.money import ONE, ZERO, UtcDatetime

EXACT = Context(prec=60)
"""Digits kept while a chain is multiplied out; there is one division, at its end."""
SHOWN = Decimal("1e-8")
STALE_AFTER = timedelta(minutes=10)
AGELESS = datetime.max.replace(tzinfo=UTC)


class Rate(BaseModel):
    """What one ``base`` costs in ``quote``. ``time`` None: it was declared, and does not age."""

    model_config = ConfigDict(frozen=True)

    base: str
    quote: str
    price: Decimal = Field(gt=0)
    time: UtcDatetime | None
    source: str = Field(default="", description="the market it was seen on")
    is_simulated: bool = Field(default=False, description="of an invented market")

    @property
    def is_declared(self) -> bool:
        """Whether a person's setting, no market, says so."""
        return self.time is None


@dataclass(frozen=True, slots=True)
class Step:
    """One pair of a chain, read forward (base to quote) or backward."""

    rate: Rate
    is_forward: bool

    @property
    def start(self) -> str:
        """The asset it begins with."""
        return self.rate.base if self.is_forward else self.rate.quote

    @property
    def end(self) -> str:
        """The asset it leads to."""
        return self.rate.quote if self.is_forward else self.rate.base


@dataclass(frozen=True, slots=True)
class Chain:
    """How ``asset`` becomes ``target``; no steps when they are the same."""

    asset: str
    target: str
    steps: tuple[Step, ...] = ()

    @property
    def ratio(self) -> tuple[Decimal, Decimal]:
        """Numerator and denominator of what one ``asset`` is worth; exact to 60 digits."""
        over, under = ONE, ONE
        for step in self.steps:
            if step.is_forward:
                over = EXACT.multiply(over, step.rate.price)
            else:
                under = EXACT.multiply(under, step.rate.price)
        return over, under

    def convert(self, amount: Decimal) -> Decimal:
        """``amount`` of the asset in the target, to 60 digits; unrounded otherwise."""
        over, under = self.ratio
        product = EXACT.multiply(amount, over)
        return product if under == ONE else EXACT.divide(product, under)

    @property
    def as_of(self) -> datetime | None:
        """The time of its oldest rate; None when no market was asked."""
        return min((step.rate.time for step in self.steps if step.rate.time), default=None)

    @property
    def is_simulated(self) -> bool:
        """Whether an invented price is part of it."""
        return any(step.rate.is_simulated for step in self.steps)

    @property
    def declared(self) -> tuple[str, ...]:
        """The equalities in it that a person has declared, in words."""
        return tuple(
            f"{step.rate.base} counted as {step.rate.quote}"
            for step in self.steps
            if step.rate.is_declared
        )

    def is_stale(self, now: datetime) -> bool:
        """Whether its oldest rate is older than ``STALE_AFTER``."""
        return self.as_of is not None and now - self.as_of > STALE_AFTER


class Rates:
    """A graph of rates. Chains of live prices come first; those that a person declared, and then
    those of invented markets, serve only where there is no other."""

    def __init__(self, rates: Iterable[Rate]) -> None:
        known = list(rates)
        real = [one for one in known if not one.is_simulated and not one.is_declared]
        declared = [one for one in known if one.is_declared]
        self._graphs = [_graph(real), _graph(real + declared), _graph(known)]

    def find(self, asset: str, target: str) -> Chain | None:
        """The chain from ``asset`` to ``target``; None when no rates lead there."""
        if asset == target:
            return Chain(asset, target)
        for graph in self._graphs:
            steps = _shortest(graph, asset, target)
            if steps is not None:
                return Chain(asset, target, steps)
        return None


@dataclass(frozen=True, slots=True)
class Sum:
    """Amounts of many assets in one. ``left_out`` is what no rate is known for; ``value`` None
    when that is everything there is."""

    target: str
    value: Decimal | None
    chains: tuple[Chain, ...] = ()
    left_out: tuple[tuple[str, Decimal], ...] = ()

    @property
    def as_of(self) -> datetime | None:
        """The time of the oldest rate in it."""
        return min((chain.as_of for chain in self.chains if chain.as_of), default=None)


def add_in(amounts: Mapping[str, Decimal], target: str, rates: Rates) -> Sum:
    """The sum of ``amounts`` (by asset) in ``target``, rounded once, to eight places. What is
    zero needs no rate."""
    total, chains, left_out = ZERO, [], []
    for asset, amount in sorted(amounts.items()):
        if not amount:
            continue
        chain = rates.find(asset, target)
        if chain is None:
            left_out.append((asset, amount))
        else:
            chains.append(chain)
            total = EXACT.add(total, chain.convert(amount))
    is_unknown = bool(left_out) and not chains
    value = None if is_unknown else EXACT.quantize(total, SHOWN)
    return Sum(target, value, tuple(chains), tuple(left_out))


def find_pairs(
    assets: Iterable[str],
    target: str,
    pairs: Iterable[tuple[str, str, str]],
    rates: Iterable[Rate],
) -> tuple[str, ...]:
    """The symbols to ask for, of ``pairs`` (symbol, base, quote) that a market lists, so that
    they and the ``rates`` known lead from each of ``assets`` to ``target``, as far as they do."""
    listed = [
        Rate(base=base, quote=quote, price=ONE, time=None, source=symbol)
        for symbol, base, quote in pairs
    ]
    graph = _graph([*(one.model_copy(update={"source": ""}) for one in rates), *listed])
    found = (step for asset in assets for step in _shortest(graph, asset, target) or ())
    return tuple(dict.fromkeys(step.rate.source for step in found if step.rate.source))


def read_equals(text: str) -> tuple[tuple[str, str], ...]:
    """Pairs written as ``USDT=USD, USDC=USD``. Raises ValueError for anything else."""
    pairs = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        base, _, quote = (piece.strip().upper() for piece in part.partition("="))
        if not base.isalnum() or not quote.isalnum() or base == quote:
            raise ValueError(f"'{part}' is not written like USDT=USD")
        pairs.append((base, quote))
    return tuple(pairs)


Graph = Mapping[str, Sequence[Step]]


def _graph(rates: Iterable[Rate]) -> Graph:
    """The best rate of each pair, from both of its ends: of a real market, then the freshest."""
    best: dict[frozenset[str], Rate] = {}
    for rate in rates:
        pair = frozenset((rate.base, rate.quote))
        if len(pair) == 2 and (pair not in best or _rank(rate) > _rank(best[pair])):
            best[pair] = rate
    graph: dict[str, list[Step]] = {}
    for rate in best.values():
        for step in (Step(rate, is_forward=True), Step(rate, is_forward=False)):
            graph.setdefault(step.start, []).append(step)
    return graph


def _rank(rate: Rate) -> tuple[bool, bool, datetime, str, str]:
    """A live price before a declared one before an invented one; then the newest."""
    return (
        not rate.is_simulated, not rate.is_declared, rate.time or AGELESS, rate.source, rate.base,
    )  # fmt: skip


def _shortest(graph: Graph, start: str, target: str) -> tuple[Step, ...] | None:
    """The fewest steps; among those the chain whose oldest rate is the newest, then by name."""
    Best = tuple[datetime, tuple[str, ...], tuple[Step, ...]]  # noqa: N806 - a type
    level: dict[str, Best] = {start: (AGELESS, (), ())}
    seen = {start}
    while level and target not in level:
        following: dict[str, Best] = {}
        for age, names, steps in level.values():
            here = steps[-1].end if steps else start
            for step in graph.get(here, ()):
                if step.end in seen:
                    continue
                found = (
                    min(age, step.rate.time or AGELESS), (*names, step.end), (*steps, step)
                )  # fmt: skip
                known = following.get(step.end)
                if known is None or (found[0], known[1]) > (known[0], found[1]):
                    following[step.end] = found
        seen |= following.keys()
        level = following
    return level[target][2] if target in level else None
