"""From a strategy file to its class, its description, and an instance with checked parameters.

Runs strategy code, therefore only ever called inside a worker (or in tests).
"""

import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeGuard

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from engine.domain.strategy import Strategy
from engine.errors import ConfigError, StrategyError

if TYPE_CHECKING:  # only those who have rules need them: a worker starts a seventh sooner
    from engine.domain.rules import RuleSet

CODE_SUFFIX, RULES_SUFFIX = ".py", ".rules.json"
MODULE_PREFIX = "quarterdeck_strategy_"
MOST_CANDLES = 200_000
MOST_WORDS = 300  # characters of an error that are shown

SENTENCES = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "finite_number": "must be a finite number",
    "extra_forbidden": "is not a parameter of this strategy",
    "literal_error": "must be one of {expected}",
    "enum": "must be one of {expected}",
    "value_error": "{error}",
    "missing": "must be given",
}
KINDS = {
    "int": "must be a whole number",
    "float": "must be a number",
    "bool": "must be true or false",
    "string": "must be text",
}


def strategy_id_of(path: Path) -> str:
    """A strategy file's name without its ending."""
    return path.name.removesuffix(RULES_SUFFIX).removesuffix(CODE_SUFFIX)


def load(path: Path) -> type[Strategy]:
    """The strategy class of a file of code or of rules, read afresh. Raises StrategyError, one
    line, or whatever the code raises."""
    return load_source(str(path), path.read_bytes())


def load_source(path: str, source: bytes) -> type[Strategy]:
    """The same of a file's content, for a machine that does not have the file. Raises alike."""
    if path.endswith(RULES_SUFFIX):
        from engine.domain.rule_strategy import strategy_of

        return strategy_of(strategy_id_of(Path(path)), read_rules(source))
    return _load_code(path, source)


def read_rules(content: bytes) -> "RuleSet":
    """The rules of a file's content. Raises StrategyError naming what is wrong."""
    from engine.domain.rules import RuleSet

    try:
        return RuleSet.model_validate_json(content)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise StrategyError(f"{_in_words(problems[0]).message}{more}") from error


def _load_code(path: str, source: bytes) -> type[Strategy]:
    """The one public strategy class of a file.

    Compiled here and not by Python's import system, whose bytecode cache can miss an edit made
    within one second.
    """
    module = ModuleType(MODULE_PREFIX + Path(path).stem)
    module.__file__ = path
    sys.modules[module.__name__] = module
    exec(compile(source, path, "exec"), module.__dict__)  # noqa: S102  its purpose
    things = list(vars(module).items())
    classes: list[type[Strategy]] = [
        thing for name, thing in things if _is_strategy(name, thing, module)
    ]
    if len(classes) != 1:
        names = ", ".join(found.__name__ for found in classes) or "none"
        raise StrategyError(f"a file must define exactly one strategy class; found {names}")
    chosen = classes[0]
    for member in ("warmup", "signals"):
        if getattr(chosen, member) is getattr(Strategy, member):
            raise StrategyError(f"the class {chosen.__name__} does not define '{member}'")
    return chosen


def describe(strategy_id: str, path: Path, chosen: type[Strategy]) -> dict[str, Any]:
    """What the form and the Strategies page need, as JSON values. Raises StrategyError."""
    schema = chosen.model_json_schema()
    if schema.get("required"):
        raise StrategyError(f"every parameter needs a default: {', '.join(schema['required'])}")
    instance = build(chosen, {})
    is_code = chosen.__module__.startswith(MODULE_PREFIX)
    module_doc = sys.modules[chosen.__module__].__doc__ if is_code else None
    doc = (module_doc or chosen.__doc__ or "").strip()
    return {
        "id": strategy_id,
        "title": str(getattr(chosen, "title", strategy_id)),
        "summary": str(getattr(chosen, "summary", doc.partition("\n")[0])),
        "doc": doc,
        "path": str(path),
        "parameters": schema,
        "warmup": instance.warmup,
        "history": instance.history,
    }


def build(chosen: type[Strategy], params: Mapping[str, Any]) -> Strategy:
    """An instance with ``params``; numbers may come as text.

    Raises ConfigError naming the parameter (``params.period``), StrategyError for a warmup or
    history that makes no sense.
    """
    fields = chosen.model_json_schema().get("properties", {})
    for name, value in params.items():
        kind = fields.get(name, {}).get("type")
        # pydantic would take True for 1.
        if isinstance(value, bool) and kind in ("integer", "number"):
            expected = KINDS["int" if kind == "integer" else "float"]
            raise ConfigError(f"{name}: {expected}", field=f"params.{name}")
    try:
        instance = chosen.model_validate(dict(params))
    except ValidationError as error:
        raise _in_words(error.errors(include_url=False)[0]) from error
    for member in ("warmup", "history"):
        count = getattr(instance, member)
        if type(count) is not int or not 0 <= count <= MOST_CANDLES:
            raise StrategyError(
                f"'{member}' must be a whole number from 0 to {MOST_CANDLES:,}, not {count!r:.50}"
            )
    return instance


def explain(error: BaseException, path: Path) -> str:
    """One line about what went wrong in a strategy file, with the line number where it did."""
    if isinstance(error, StrategyError):
        return error.message[:MOST_WORDS]
    if isinstance(error, SyntaxError) and error.filename == str(path):
        line, words = error.lineno, f"{type(error).__name__}: {error.msg}"
    else:
        frames = traceback.extract_tb(error.__traceback__)
        line = next((f.lineno for f in reversed(frames) if f.filename == str(path)), None)
        words = "".join(traceback.format_exception_only(error)).strip()
    words = " ".join(words.split())[:MOST_WORDS]
    return f"line {line}: {words}" if line else words


def _is_strategy(name: str, thing: object, module: ModuleType) -> TypeGuard[type[Strategy]]:
    return (
        isinstance(thing, type)
        and issubclass(thing, Strategy)
        and thing.__module__ == module.__name__
        and not name.startswith("_")
    )


def _in_words(problem: ErrorDetails) -> ConfigError:
    kind, context = problem["type"], problem.get("ctx", {})
    sentence = SENTENCES.get(kind) or KINDS.get(kind.partition("_")[0])
    words = sentence.format(**context) if sentence else problem["msg"]
    name = ".".join(str(part) for part in problem["loc"])
    if not name:
        return ConfigError(words, field="params")
    return ConfigError(f"{name}: {words}", field=f"params.{name}")
