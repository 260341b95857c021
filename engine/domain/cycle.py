"""From what a strategy wants to what a bot does: one pure table of cases."""

from engine.domain.bots import Direction
from engine.domain.decisions import Action, Intent
from engine.domain.positions import PositionSide

MAY_LONG = frozenset({Direction.LONG, Direction.BOTH})
MAY_SHORT = frozenset({Direction.SHORT, Direction.BOTH})


def choose_action(intent: Intent, direction: Direction, held: PositionSide | None) -> Action:
    """What a strategy's intent means for what the bot holds.

    An exit comes before everything; contradictory entries cancel each other out. An entry in the
    held direction is a further entry, which the risk gate may refuse.
    """
    wants_long = intent.enter_long and not intent.enter_short and direction in MAY_LONG
    wants_short = intent.enter_short and not intent.enter_long and direction in MAY_SHORT
    if held is PositionSide.LONG:
        if intent.exit_long or wants_short:
            return Action.REVERSE if wants_short else Action.EXIT
        return Action.ENTER_LONG if wants_long else Action.HOLD
    if held is PositionSide.SHORT:
        if intent.exit_short or wants_long:
            return Action.REVERSE if wants_long else Action.EXIT
        return Action.ENTER_SHORT if wants_short else Action.HOLD
    if wants_long:
        return Action.ENTER_LONG
    return Action.ENTER_SHORT if wants_short else Action.HOLD


def entry_of(action: Action, held: PositionSide | None) -> PositionSide | None:
    """The side an action opens or adds to, if any."""
    if action is Action.ENTER_LONG:
        return PositionSide.LONG
    if action is Action.ENTER_SHORT:
        return PositionSide.SHORT
    if action is Action.REVERSE:
        return PositionSide.SHORT if held is PositionSide.LONG else PositionSide.LONG
    return None
