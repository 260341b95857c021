"""One module a venue, each with an ``ADAPTER``; a new file here is a new venue in the form."""

import importlib
import pkgutil
from collections.abc import Mapping

from engine.ports import VenueAdapter


def find_adapters() -> Mapping[str, VenueAdapter]:
    """All venues by their id, in order of their titles; files that begin with ``_`` are none.

    Raises ValueError for a module without an adapter, and for two of one id: both are mistakes of
    whoever wrote the file.
    """
    found: dict[str, VenueAdapter] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name.startswith("_"):
            continue
        adapter = getattr(importlib.import_module(f"{__name__}.{module.name}"), "ADAPTER", None)
        if not isinstance(adapter, VenueAdapter):
            raise ValueError(f"{module.name}.py in {__name__} has no ADAPTER.")
        if adapter.id in found:
            raise ValueError(f"There are two venues '{adapter.id}'.")
        found[adapter.id] = adapter
    return dict(sorted(found.items(), key=lambda item: item[1].title.casefold()))
