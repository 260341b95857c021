"""The Expert Advisor in Python: what deploy/metatrader/*.mq5 does, function by function, over the
stand-in of a terminal, and speaks JSON to whoever answers ``Engine``."""

from tests.fakes.expert_advisor.advisor import ExpertAdvisor
from tests.fakes.expert_advisor.wire import DeskWire, HttpWire, Wire

__all__ = ["DeskWire", "ExpertAdvisor", "HttpWire", "Wire"]
