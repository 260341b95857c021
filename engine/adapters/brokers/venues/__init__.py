"""One module a venue, each with an ``ADAPTER``; a new file here is a new venue in the form."""

import importlib
import pkgutil
import sys
from collections.abc import Mapping
from types import ModuleType

from engine.ports import VenueAdapter


def find_adapters(package: ModuleType | None = None) -> Mapping[str, VenueAdapter]:
    """All venues of this package (or another) by their id, in order of their titles; files that
    begin with ``_`` are none.

    Raises ValueError for a module without an adapter, and for two of one id: both are mistakes of
    whoever wrote the file.
    """
    folder = package or sys.modules[__name__]
    found: dict[str, VenueAdapter] = {}
    for module in pkgutil.iter_modules(folder.__path__):
        if module.name.startswith("_"):
            continue
        adapter = getattr(
            importlib.import_module(f"{folder.__name__}.{module.name}"), "ADAPTER", None
        )
        if not isinstance(adapter, VenueAdapter):
            raise ValueError(f"{module.name}.py in {folder.__name__} has no ADAPTER.")
        if adapter.id in found:
            raise ValueError(f"There are two venues '{adapter.id}'.")
        found[adapter.id] = adapter
    return dict(sorted(found.items(), key=lambda item: item[1].title.casefold()))
