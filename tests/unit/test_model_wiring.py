"""Which model the settings set up, and what is said when they set up none."""

from typing import Any

import pytest
from pydantic import SecretStr

from engine.bootstrap_ai import build_advisor
from engine.services.advise import ModelAdvisor
from engine.services.books import Books
from engine.services.lanes import Lanes
from engine.settings import Settings
from tests.fakes.clock import FakeClock
from tests.fakes.memory_store import MemoryStore


def advisor(**changes: Any) -> ModelAdvisor:
    clock = FakeClock()
    return build_advisor(Settings(**changes), Books(MemoryStore(clock.now), clock), Lanes())


@pytest.mark.parametrize("key", [None, SecretStr(""), SecretStr("  ")])
def test_without_a_key_it_is_said_what_to_do(key: SecretStr | None) -> None:
    status = advisor(gemini_key=key).status()
    assert (status.provider, status.is_configured) == ("gemini", False)
    for word in ("aistudio.google.com", "QUARTERDECK_GEMINI_KEY", "QUARTERDECK_AI_PROVIDER=openai"):
        assert word in status.objection


def test_a_key_sets_up_gemini() -> None:
    status = advisor(gemini_key=SecretStr("a-key"), gemini_model="gemini-2.5-pro").status()
    assert (status.model, status.is_configured, status.objection) == ("gemini-2.5-pro", True, "")


def test_a_model_on_this_machine_needs_no_key() -> None:
    status = advisor(ai_provider="openai", openai_model="llama3.1").status()
    assert (status.provider, status.model) == ("openai", "llama3.1")
    assert status.is_configured
