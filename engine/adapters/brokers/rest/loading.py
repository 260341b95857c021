"""Descriptions from YAML: safely, and with every mistake at its line, in a sentence of its own."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from engine.adapters.brokers.rest.description import Description
from engine.errors import ConfigError

MOST_BYTES = 256 * 1024
MOST_PROBLEMS = 50
DEEPEST = 20
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
EXAMPLE = "example"
EXAMPLE_FILE = Path(__file__).with_name("example.yaml")
Loc = tuple[int | str, ...]


@dataclass(frozen=True)
class Problem:
    """One mistake: its line, the path of its key, and what to do about it."""

    line: int
    path: str
    words: str

    def __str__(self) -> str:
        where = f"line {self.line}"
        return f"{where}, {self.path}: {self.words}" if self.path else f"{where}: {self.words}"


class BadDescription(ConfigError):
    """A description that cannot be used, with all that is wrong with it."""

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        first, more = problems[0], len(problems) - 1
        count = f" (and {more} more)" if more else ""
        super().__init__(f"{file}, {first}.{count}", field="description")
        self.problems = tuple(problems)


def find_description(name: str, folder: Path) -> Path:
    """The file of a name: in the user's folder, or the example that comes with Quarterdeck.

    Raises ConfigError, with the names there are.
    """
    if NAME.fullmatch(name):
        for suffix in (".yaml", ".yml"):
            if (folder / f"{name}{suffix}").is_file():
                return folder / f"{name}{suffix}"
        if name == EXAMPLE:
            return EXAMPLE_FILE
    there = ", ".join(list_descriptions(folder)) or "none yet"
    raise ConfigError(
        f"There is no description '{name}' in {folder} ({there}): write one there as NAME.yaml, "
        "see docs/rest-broker.md.",
        field="description",
    )


def list_descriptions(folder: Path) -> list[str]:
    """The names of the user's own."""
    if not folder.is_dir():
        return []
    return sorted(path.stem for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))


def load_description(path: Path) -> Description:
    """Read and check a file. Raises BadDescription, ConfigError when it cannot be read."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ConfigError(f"{path.name} is larger than {MOST_BYTES // 1024} KB.")
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path.name} is no text in UTF-8; save it as that.") from error
    return read_description(text, path.name)


class _PlainLoader(yaml.SafeLoader):
    """YAML's safe loader, without anchors: a few lines of them can grow to gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Raises _Anchored for an anchor or an alias."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "anchor", None) is not None:
            raise _Anchored(problem_mark=event.start_mark)
        return super().compose_node(parent, index)


class _Anchored(yaml.MarkedYAMLError):
    """There is an anchor or an alias."""


def read_description(text: str, file: str) -> Description:
    """A description from its text; ``file`` is what errors call it. Raises BadDescription."""
    try:
        root, told = _loaded(text, file)
        return Description.model_validate(told)
    except ValidationError as error:
        problems = [_problem(one, root) for one in error.errors(include_url=False)[:MOST_PROBLEMS]]
        raise BadDescription(file, sorted(problems, key=lambda one: one.line)) from None
    except yaml.YAMLError as error:
        raise BadDescription(file, [_unreadable(error)]) from error
    except RecursionError as error:
        raise BadDescription(file, [Problem(1, "", "it is nested too deeply")]) from error


def _loaded(text: str, file: str) -> tuple[yaml.MappingNode, Any]:
    """The file as YAML's own tree, which knows lines, and as what it says. Raises BadDescription
    and YAMLError."""
    loader = _PlainLoader(text)
    try:
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            words = "it is no mapping; begin with 'version: 1' and 'name: ...', as the example does"
            raise BadDescription(file, [Problem(1, "", words)])
        problems = list(_odd_nodes(root, ()))
        if problems:
            raise BadDescription(file, problems)
        return root, loader.construct_document(root)
    except ValueError as error:  # of YAML's own, as for the 31st of February
        raise BadDescription(file, [Problem(1, "", f"it cannot be read: {error}")]) from error
    finally:
        loader.dispose()


def _unreadable(error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    if isinstance(error, _Anchored):
        words = "anchors and aliases ('&', '*') are not read; write it out, or quote it"
        return Problem(mark.line + 1 if mark else 1, "", words)
    reason = getattr(error, "problem", None) or "it cannot be read"
    hint = "use spaces to indent, and quotes around text that begins with '{', '[', '@' or has ': '"
    return Problem(mark.line + 1 if mark else 1, "", f"this is no YAML: {reason}; {hint}")


def _odd_nodes(node: yaml.Node, loc: Loc) -> Iterator[Problem]:
    """Keys that are there twice, tags, and what is nested deeper than any description."""
    line = node.start_mark.line + 1
    if not node.tag.startswith("tag:yaml.org,2002:") or "python" in node.tag:
        yield Problem(line, _dotted(loc), f"the tag '{node.tag}' is not read; leave it out")
    elif len(loc) > DEEPEST:
        yield Problem(line, _dotted(loc), "it is nested too deeply")
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                words = f"'{name}' is there twice; only the last would count"
                yield Problem(key.start_mark.line + 1, _dotted((*loc, name)), words)
            seen.add(name)
            yield from _odd_nodes(value, (*loc, name))
    elif isinstance(node, yaml.SequenceNode):
        for place, value in enumerate(node.value):
            yield from _odd_nodes(value, (*loc, place))


# --- pydantic's errors in words ------------------------------------------------------------------


def _problem(error: ErrorDetails, root: yaml.MappingNode) -> Problem:
    loc, line = _placed(error["loc"], root)
    return Problem(line, _dotted(loc), _sentence(error))


def _placed(loc: Loc, root: yaml.Node) -> tuple[Loc, int]:
    """Where in the file an error is: pydantic's path without the names of alternatives, which are
    in no file, and the line of what there is of it."""
    node, line, path = root, root.start_mark.line + 1, []
    for place, part in enumerate(loc):
        is_last = place == len(loc) - 1
        found = _child(node, part)
        if found is not None:
            node, line = found
            path.append(part)
        elif is_last and not _is_alternative(part):
            path.append(part)  # it is missing
    return tuple(path), line


def _child(node: yaml.Node, part: int | str) -> tuple[yaml.Node, int] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if str(key.value) == str(part):
                return value, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part].start_mark.line + 1
    return None


def _is_alternative(part: int | str) -> bool:
    """Names that pydantic gives to the branches of a union, and to the key of a mapping."""
    return str(part).startswith(("tuple[", "function-", "[key]"))


def _sentence(error: ErrorDetails) -> str:
    """What is wrong, and what to write instead."""
    kind, context, loc = error["type"], error.get("ctx") or {}, error["loc"]
    model, field = _described(loc)
    hint = f": {field}" if field else ""
    told = str(error.get("input"))[:40]
    if kind == "missing":
        return f"it is missing; add it{hint}"
    if kind == "extra_forbidden":
        return _unknown_key(str(loc[-1]), model)
    if kind == "union_tag_not_found":
        return "'method' is missing; add method: none, header, bearer, basic, query or hmac"
    if kind == "union_tag_invalid":
        return f"there is no method '{context['tag']}'; there is {context['expected_tags']}"
    if kind in ("literal_error", "enum"):
        return f"it cannot be '{told}'; it is {context['expected']}"
    if kind == "value_error":
        return str(context["error"])
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"there have to be keys below it, indented; '{told}' has none{hint}"
    return f"{error['msg'][0].lower()}{error['msg'][1:]}, not '{told}'{hint}"


def _unknown_key(name: str, model: type[BaseModel] | None) -> str:
    known = sorted(model.model_fields) if model is not None else []
    close = get_close_matches(name, known, 1)
    meant = f"did you mean '{close[0]}'? " if close else ""
    return f"there is no such key; {meant}there is {', '.join(known)}"


def _described(loc: Loc) -> tuple[type[BaseModel] | None, str]:
    """The model that has the last key of a path, and what that key is for."""
    model: type[BaseModel] | None = None
    inner: Any = Description
    words = ""
    for part in loc:
        models = _models(inner)
        chosen = [one for one in models if _method(one) == part]
        if chosen:  # the name of an alternative, which is no key
            [inner] = chosen
            continue
        model = next((one for one in models if part in one.model_fields), next(iter(models), None))
        field = model.model_fields.get(str(part)) if model is not None else None
        inner, words = (field.annotation, field.description or "") if field else (inner, "")
    return model, words


def _method(model: type[BaseModel]) -> str:
    """The authentication method that a model stands for."""
    field = model.model_fields.get("method")
    told = get_args(field.annotation) if field is not None else ()
    return told[0] if len(told) == 1 else ""


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models in a type, whatever is around them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for one in get_args(annotation) for model in _models(one)]


def _dotted(loc: Loc) -> str:
    """endpoints.place.body, errors.rules[2]."""
    words = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in loc)
    return words.lstrip(".")
