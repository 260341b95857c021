"""What signals would have done on past candles, one position at a time, without money."""

from dataclasses import dataclass

import numpy as np

from engine.domain.bots import Direction
from engine.domain.cycle import choose_action, entry_of
from engine.domain.decisions import Action, Intent
from engine.domain.positions import PositionSide
from engine.domain.strategy import Signals


@dataclass(frozen=True, slots=True)
class Turn:
    """A position was opened or closed at the close of the candle at ``index``."""

    index: int
    is_entry: bool
    side: PositionSide


def turns_of(signals: Signals, first: int = 0) -> list[Turn]:
    """Entries and exits from the candle ``first`` on, beginning without a position, by the same
    table of cases that a bot of both directions follows.

    Stops, costs and further entries are left out: this is to see where rules speak; a backtest
    tells what they earn.
    """
    columns = signals.enter_long, signals.exit_long, signals.enter_short, signals.exit_short
    turns: list[Turn] = []
    held: PositionSide | None = None
    for index in np.flatnonzero(np.logical_or.reduce(columns)[first:]) + first:
        enter_long, exit_long, enter_short, exit_short = (bool(one[index]) for one in columns)
        intent = Intent(enter_long=enter_long, exit_long=exit_long,
                        enter_short=enter_short, exit_short=exit_short)  # fmt: skip
        action = choose_action(intent, Direction.BOTH, held)
        side = entry_of(action, held)
        if held is not None and action in (Action.EXIT, Action.REVERSE):
            turns.append(Turn(int(index), False, held))
            held = None
        if side is not None and held is None:
            turns.append(Turn(int(index), True, side))
            held = side
    return turns
