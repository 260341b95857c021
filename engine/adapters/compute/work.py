"""What every worker does with an item, whichever process it is in."""

import pickle
from collections.abc import Callable
from typing import Any

from engine.ports.compute import Outcome

MOST_WORDS = 300
MOST_DEATHS = 3
"""An item whose worker dies so often is given up: it is what kills them."""

DEADLY = f"its worker died {MOST_DEATHS} times; it may need more memory or time than a worker has"


def carry_out(function: Callable[[Any, Any], Any], shared: Any, item: Any) -> Outcome[Any]:
    """One item's outcome; whatever the function raises becomes an error in one line."""
    try:
        return Outcome(function(shared, item))
    except MemoryError:
        return Outcome(error="ran out of memory")
    except Exception as error:  # noqa: BLE001  a strategy may raise anything; it is told, not hidden
        words = getattr(error, "message", f"{type(error).__name__}: {error}")
        return Outcome(error=" ".join(str(words).split())[:MOST_WORDS])


def packed(shared: Any) -> bytes:
    """The shared input as it goes to each worker once."""
    return pickle.dumps(shared, protocol=5)
