"""Rule sets as ``NAME.rules.json`` in the strategies folder."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path

from engine.adapters.strategies.host import ID_PATTERN
from engine.adapters.strategies.loader import CODE_SUFFIX, RULES_SUFFIX, read_rules, strategy_id_of
from engine.domain.rules import RuleSet
from engine.errors import ConfigError, Conflict, NotFound, StoreError

LONGEST_ID = 64
FIELD = "id"


class RuleFiles:
    """``ports.RuleBook`` over a folder; thread-safe. A file is replaced as a whole: a crash leaves
    the old one or the new one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._lock = threading.Lock()

    def ids(self) -> Sequence[str]:
        """Every rule file, sorted."""
        return sorted(strategy_id_of(path) for path in self._folder.glob(f"[!_]*{RULES_SUFFIX}"))

    def read(self, rules_id: str) -> RuleSet:
        """Raises NotFound, or StrategyError when the file is broken."""
        try:
            content = self._find(rules_id).read_bytes()
        except FileNotFoundError:
            raise _not_found(rules_id) from None
        return read_rules(content)

    def write(self, rules_id: str, rules: RuleSet, *, is_new: bool) -> None:
        """Raises ConfigError, Conflict, StoreError."""
        if not ID_PATTERN.fullmatch(rules_id) or len(rules_id) > LONGEST_ID:
            words = f"must be letters, digits and _, a letter first, at most {LONGEST_ID}"
            raise ConfigError(words, field=FIELD)
        content = rules.model_dump_json(indent=2, exclude_defaults=True) + "\n"
        with self._lock:
            try:
                self._check_free(rules_id, is_new=is_new)
                self._replace(self._folder / f"{rules_id}{RULES_SUFFIX}", content)
            except OSError as error:
                raise StoreError(
                    f"The rules could not be written to {self._folder}: {error.strerror or error}."
                ) from error

    def delete(self, rules_id: str) -> None:
        """Raises NotFound, StoreError."""
        try:
            self._find(rules_id).unlink()
        except FileNotFoundError:
            raise _not_found(rules_id) from None
        except OSError as error:
            raise StoreError(
                f"The rules could not be removed from {self._folder}: {error.strerror or error}."
            ) from error

    def _find(self, rules_id: str) -> Path:
        if not ID_PATTERN.fullmatch(rules_id):
            raise _not_found(rules_id)
        return self._folder / f"{rules_id}{RULES_SUFFIX}"

    def _check_free(self, rules_id: str, *, is_new: bool) -> None:
        """No two strategies whose names differ in nothing but their letters' size: on some file
        systems they would be one file."""
        own, code = f"{rules_id}{RULES_SUFFIX}", f"{rules_id}{CODE_SUFFIX}".casefold()
        for path in self._folder.iterdir():
            if path.name.casefold() == code:
                raise Conflict(f"{path.name} is a strategy already: choose another name.",
                               field=FIELD)  # fmt: skip
            is_other = is_new or path.name != own
            if path.name.casefold() == own.casefold() and is_other:
                raise Conflict(f"There are rules named '{strategy_id_of(path)}' already.",
                               field=FIELD)  # fmt: skip

    def _replace(self, path: Path, content: str) -> None:
        fresh = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            with fresh.open("w", encoding="utf-8") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise


def _not_found(rules_id: str) -> NotFound:
    return NotFound(f"There are no rules named '{rules_id}'.", field=FIELD)
