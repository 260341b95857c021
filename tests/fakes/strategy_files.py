"""Strategy files for tests: a good one to drop in, and every way of being bad."""

from pathlib import Path

HEADER = '''"""A strategy of the tests."""
import ctypes, os, sys, threading, time
import numpy as np
from engine.domain.decisions import Intent
from engine.domain.strategy import Plot, Signals, Strategy

class Subject(Strategy):
    title = "Subject"
    summary = "Of the tests."
    level: float = 1.5

    @property
    def warmup(self):
        return 1

    def signals(self, candles):
        above = candles.close > self.level
        {act}
        return Signals(enter_long=above, exit_long=~above, enter_short=~above, exit_short=above,
                       plots={{"Close": Plot(candles.close)}}, reason=lambda i: {reason})
'''


def write_strategy(folder: Path, name: str, act: str = "pass", reason: str = "'calm'") -> Path:
    """A strategy that runs the statement ``act`` and gives the expression ``reason``."""
    path = folder / f"{name}.py"
    path.write_text(HEADER.format(act=act, reason=reason))
    return path


BROKEN = {
    "syntax": ("def signals(:\n", "line 1: SyntaxError: invalid syntax"),
    "missing_import": (
        "import math\nimport nowhere_to_be_found\n",
        "line 2: ModuleNotFoundError: No module named 'nowhere_to_be_found'",
    ),
    "no_class": ("x = 1\n", "a file must define exactly one strategy class; found none"),
    "two_classes": (
        "from engine.domain.strategy import Strategy\n"
        "class A(Strategy): ...\nclass B(Strategy): ...\n",
        "a file must define exactly one strategy class; found A, B",
    ),
    "no_warmup": (
        "from engine.domain.strategy import Strategy\n"
        "class A(Strategy):\n    def signals(self, candles): ...\n",
        "the class A does not define 'warmup'",
    ),
    "no_signals": (
        "from engine.domain.strategy import Strategy\n"
        "class A(Strategy):\n    @property\n    def warmup(self): return 1\n",
        "the class A does not define 'signals'",
    ),
    "no_default": (
        "from engine.domain.strategy import Strategy\n"
        "class A(Strategy):\n    period: int\n    def signals(self, candles): ...\n"
        "    @property\n    def warmup(self): return 1\n",
        "every parameter needs a default: period",
    ),
    "bad_default": (
        "from engine.domain.strategy import Strategy\nfrom pydantic import Field\n"
        "class A(Strategy):\n    period: int = Field(default=1, ge=2)\n"
        "    def signals(self, candles): ...\n    @property\n    def warmup(self): return 1\n",
        "the defaults do not fit: period: must be at least 2",
    ),
    "odd_warmup": (
        "from engine.domain.strategy import Strategy\n"
        "class A(Strategy):\n    def signals(self, candles): ...\n"
        "    @property\n    def warmup(self): return 'ten'\n",
        "'warmup' must be a whole number from 0 to 200,000, not 'ten'",
    ),
    "warmup_raises": (
        "from engine.domain.strategy import Strategy\n"
        "class A(Strategy):\n    def signals(self, candles): ...\n"
        "    @property\n    def warmup(self):\n        return 1 // 0\n",
        "line 6: ZeroDivisionError: integer division or modulo by zero",
    ),
    "exits": ("import sys\nsys.exit(3)\n", "line 2: SystemExit: 3"),
    "dies": ("import os\nos._exit(3)\n", "its process ended with exit code 3"),
    "hangs": ("while True: pass\n", "did not answer within 1 s"),
    "bad-name": ("x = 1\n", "the file's name must be letters, digits and _, a letter first"),
}
"""File name: its text, and the error that is shown."""
