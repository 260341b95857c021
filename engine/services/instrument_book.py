"""The rules of each bot's instrument, as they were kept when the bot was checked."""

from engine.domain.bots import Bot
from engine.domain.instruments import Instrument
from engine.errors import NotFound
from engine.ports import Store


class InstrumentBook:
    """Reads an instrument once from the store; works with the venue down."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[str, str], Instrument] = {}

    def of(self, bot: Bot) -> Instrument:
        """The instrument a bot trades. Raises NotFound when none was ever kept."""
        key = (bot.market, bot.symbol)
        if key not in self._known:
            with self._store.reading() as tx:
                found = tx.find_instrument(*key)
            if found is None:
                raise NotFound(f"The rules of {key[1]} on {key[0]} were never kept.")
            self._known[key] = found
        return self._known[key]
