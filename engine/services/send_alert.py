"""Alerts that another program, or a person, sends through the engine."""

from engine.domain.records import Event, Level
from engine.services.books import Books

KIND = "alert.manual"


class SendAlert:
    """Records an event, which the Logs page shows and channels pass on."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def send(self, level: Level, text: str, actor: str, bot: str = "") -> Event:
        """``bot``: the id or name of one it is about. Raises NotFound."""
        bot_id = self._books.get_bot(bot).id if bot else None
        with self._books.writing() as writing:
            writing.event(level, KIND, text, bot_id, actor=actor)
            writing.audit(actor, KIND, bot or "engine", level=str(level), text=text)
        return writing.written_events[0]
