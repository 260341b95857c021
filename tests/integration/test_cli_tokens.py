"""``tokens list|create|revoke`` over the real API."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.api.auth import ensure_token
from engine.cli import main
from tests.fakes.serve import serving
from tests.fakes.services import FakeServices

Run = Callable[..., Any]


@pytest.fixture
def services() -> FakeServices:
    return FakeServices(0)


@pytest.fixture
def run(
    services: FakeServices,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Run]:
    """Run a command in this process; its document, or its text."""
    with serving(services, ensure_token(tmp_path / "api.token")) as served:
        monkeypatch.setenv("QUARTERDECK_DATA", str(tmp_path))
        monkeypatch.setenv("QUARTERDECK_API_PORT", str(served.port))

        def run(*arguments: str, code: int = 0) -> Any:
            assert main(["tokens", *arguments]) == code
            out, err = capsys.readouterr()
            if "--json" in arguments:
                assert err == ""
                return json.loads(out)
            return out + err

        yield run


def test_the_life_of_a_token(run: Run, services: FakeServices) -> None:
    assert run("list", "--json") == []
    assert "tokens create NAME" in run("list")
    made = run(
        "create", "tablet", "--scope", "read", "--scope", "trade", "--scope", "read",
        "--days", "90", "--rate", "50", "--json",
    )  # fmt: skip
    token = made["token"]
    assert (token["name"], token["scopes"], token["rate_per_minute"]) == (
        "tablet", ["read", "trade"], 50,
    )  # fmt: skip
    assert services.tokens.find(made["text"]) is not None
    assert run("list", "--json") == [token]
    assert "tablet  valid  read trade" in run("list")
    assert run("revoke", "TABLET", "--json") == {"revoked": "TABLET"}
    assert "revoked" in run("list")
    with services.programs.books.store.reading() as tx:
        assert all(entry.actor.startswith("cli:") for entry in tx.audit.select())


def test_the_text_is_printed_once_with_a_word_of_warning(run: Run, services: FakeServices) -> None:
    told = run("create", "phone", "--scope", "read")
    text = next(word for word in told.split() if word.startswith("qd_"))
    assert services.tokens.find(text) is not None
    assert "not shown again" in told
    assert text not in run("list")


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "a b", "--scope", "read"),
        ("create", "phone"),
        ("create", "phone", "--scope", "root"),
        ("create", "phone", "--scope", "read", "--days", "0"),
        ("revoke", "nobody"),
        ("revoke", ".."),
        ("revoke", " "),
    ],
    ids=" ".join,
)
def test_bad_input_is_one_sentence_and_2(run: Run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments, code=2).count("\n") == 1
