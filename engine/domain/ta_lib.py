"""TA-Lib, without loading pandas.

``talib`` imports pandas only so as to take its Series and frames too: half of a strategy worker's
start, and 60 MB in each. Here it finds stand-ins that know one when they see one. There is none
before somebody has loaded pandas, so that nothing is lost: Series in, Series out, as ever.
"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

__all__ = ["talib"]

PANDAS = "pandas"
STOOD_IN_FOR = ("DataFrame", "Series")


class _FromPandas(type):
    """A class that stands for the one of its name in pandas, whenever that comes."""

    def __instancecheck__(cls, value: object) -> bool:
        real = getattr(sys.modules.get(PANDAS), cls.__name__, None)
        return real is not None and isinstance(value, real)

    def __call__(cls, *values: Any, **options: Any) -> Any:
        return getattr(sys.modules[PANDAS], cls.__name__)(*values, **options)


def _load() -> Any:
    if PANDAS in sys.modules:
        return importlib.import_module("talib")
    sys.modules[PANDAS] = stand_in = ModuleType(PANDAS)
    for name in STOOD_IN_FOR:
        setattr(stand_in, name, _FromPandas(name, (), {}))
    try:
        return importlib.import_module("talib")
    finally:
        del sys.modules[PANDAS]


if TYPE_CHECKING:
    import talib
else:
    talib = _load()
