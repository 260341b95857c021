"""TA-Lib without pandas and polars, which it would load, where they are installed, only to take
their series too: that doubles the time and the memory with which a strategy worker starts.

What is loaded already stays so, and the rest may be loaded later.
"""

import sys

__all__ = ["talib"]

_hidden = [name for name in ("pandas", "polars") if name not in sys.modules]
for _name in _hidden:
    sys.modules[_name] = None  # type: ignore[assignment]  # to an import: it is not installed
try:
    import talib
finally:
    for _name in _hidden:
        del sys.modules[_name]
