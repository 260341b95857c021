"""A model that says what a test tells it to, in this process."""

import threading
from collections.abc import Callable

from engine.ports.ai import Question, Reply
from tests.fakes.model_server import answer

LONGEST_WAIT_S = 30.0


class ScriptedModel:
    """Implements ``Model``. ``script`` is taken from first (a text, a reply, or an error to raise),
    then every question gets ``text``. ``questions`` is all that was asked. While ``is_held``,
    answers wait until ``release``; ``most_at_once`` is how many waited together."""

    provider = "fake"

    def __init__(self, text: str | Callable[[Question], str] = "") -> None:
        self.text = text or answer()
        self.script: list[str | Reply | Exception] = []
        self.questions: list[Question] = []
        self.tokens = (1_000, 100)
        self.most_at_once = 0
        self.is_held = False
        self._released = threading.Event()
        self._lock = threading.Lock()
        self._waiting = 0

    def ask(self, question: Question) -> Reply:
        """See Model."""
        with self._lock:
            self.questions.append(question)
            self._waiting += 1
            self.most_at_once = max(self.most_at_once, self._waiting)
            said = self.script.pop(0) if self.script else None
        if self.is_held:
            self._released.wait(LONGEST_WAIT_S)
        with self._lock:
            self._waiting -= 1
        if isinstance(said, Exception):
            raise said
        if isinstance(said, Reply):
            return said
        text = said if said is not None else self.text
        return Reply(text if isinstance(text, str) else text(question), *self.tokens)

    def release(self) -> None:
        """Let all that wait answer."""
        self.is_held = False
        self._released.set()
