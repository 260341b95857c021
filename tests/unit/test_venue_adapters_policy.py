"""Every venue in the form has a contract module, a page of docs, and fields that are explained."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel

from engine.adapters.brokers import venues
from engine.adapters.brokers.venues import find_adapters
from engine.domain.venue_accounts import Mode
from engine.ports import AccountAccess, VenueAdapter
from tests.contract import venues as contract_venues
from tests.fakes.clock import FakeClock
from tooling.place import ROOT

ADAPTERS = find_adapters()
TEMPLATE = Path(venues.__path__[0]) / "_template.py"
CONTRACTS = Path(contract_venues.__path__[0])
SECRET_WORDS = ("secret", "passw", "passphrase", "token", "api_key", "apikey", "private", "pin")
CONTRACT_OF = {"binance": "ccxt", "mt5_gateway": "mt5"}
"""Venues that are tested with another one, through the same code."""
PAGE_OF = {
    "binance": "crypto.md", "ccxt": "crypto.md", "mt5": "metatrader.md",
    "mt5_ea": "metatrader.md", "mt5_gateway": "metatrader.md", "rest": "rest-broker.md",
}  # fmt: skip
"""Where the page of docs is not called as the venue is."""


@pytest.fixture(params=list(ADAPTERS))
def adapter(request: pytest.FixtureRequest) -> VenueAdapter:
    found: VenueAdapter = ADAPTERS[request.param]
    return found


def module_of(adapter: VenueAdapter) -> str:
    """The file that has it, which its contract module is named after."""
    names = [path.stem for path in Path(venues.__path__[0]).glob("*.py") if path.stem[0] != "_"]
    found = [
        name for name in names
        if importlib.import_module(f"{venues.__name__}.{name}").ADAPTER.id == adapter.id
    ]  # fmt: skip
    assert len(found) == 1
    return found[0]


def test_the_contract_suite_runs_over_it(adapter: VenueAdapter) -> None:
    name = CONTRACT_OF.get(module_of(adapter), module_of(adapter))
    assert (CONTRACTS / f"{name}.py").is_file(), f"tests/contract/venues/{name}.py is missing"
    found = importlib.import_module(f"{contract_venues.__name__}.{name}")
    assert found.VENUES
    listed = [trouble for troubles in found.TROUBLES.values() for trouble in troubles]
    assert len(listed) >= 4
    assert all(trouble.words for trouble in listed)


def test_it_has_a_page_that_the_user_guide_leads_to(adapter: VenueAdapter) -> None:
    name = PAGE_OF.get(module_of(adapter), f"{module_of(adapter)}.md")
    assert (ROOT / "docs" / name).is_file(), f"docs/{name} is missing"
    assert name in (ROOT / "docs" / "user-guide.md").read_text("utf-8")


def test_every_field_of_its_form_is_explained(adapter: VenueAdapter) -> None:
    assert adapter.title
    assert adapter.summary.endswith(".")
    assert adapter.kinds
    assert adapter.modes
    assert Mode.PAPER not in adapter.modes  # paper is what the engine makes of its prices
    model: type[BaseModel] = adapter.options
    assert model.model_config.get("frozen")
    assert model.model_config.get("extra") == "forbid"
    for name, field in model.model_fields.items():
        assert field.title, name
        assert field.description, name
    for secret in adapter.secrets:
        assert secret.title
    names = [secret.name for secret in adapter.secrets]
    assert len(names) == len(set(names))


def test_no_secret_is_an_option(adapter: VenueAdapter) -> None:
    fields = set(adapter.options.model_fields)
    assert not fields & {secret.name for secret in adapter.secrets}
    for name in fields:
        assert not [word for word in SECRET_WORDS if word in name.lower().split("_")], name


class Options(BaseModel):
    """None."""


def test_secrets_are_in_no_repr() -> None:
    access = AccountAccess(
        "test:a", "account:a", Mode.TEST, Options(), {"key": "canary"}, FakeClock()
    )
    assert "canary" not in repr(access)


# --- one file is a venue -------------------------------------------------------------------------


def package(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, *files: str) -> ModuleType:
    """A package with copies of the template, each with an id of its own."""
    (folder / name).mkdir()
    (folder / name / "__init__.py").touch()
    for file in files:
        text = TEMPLATE.read_text("utf-8")
        own = text.replace('id="template"', f'id="{file.lstrip("_")}"')
        assert own != text
        (folder / name / f"{file}.py").write_text(own)
    monkeypatch.syspath_prepend(str(folder))
    return importlib.import_module(name)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Modules that a test dropped in are dropped again."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("dropped_"):
            del sys.modules[name]


def test_a_copy_of_the_template_is_offered_and_trades(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = package(tmp_path, monkeypatch, "dropped_one", "my_broker", "_not_mine")
    found = find_adapters(folder)
    assert list(found) == ["my_broker"]
    adapter = found["my_broker"]
    access = AccountAccess(
        "test:mine", "account:mine", Mode.TEST, adapter.check_options({"fee_bps": "5"}),
        {"key": str(tmp_path)}, FakeClock(),
    )  # fmt: skip
    connection = adapter.open(access)
    assert connection.inspect().is_usable
    assert connection.broker.account_id == "test:mine"
    assert connection.broker.capabilities.fee_bps == 5
    assert [one.symbol for one in connection.market.instruments()] == ["ACME/USD"]
    connection.close()


def test_a_file_without_an_adapter_and_two_of_one_id_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = package(tmp_path, monkeypatch, "dropped_twice", "first")
    (tmp_path / "dropped_twice" / "second.py").write_text("from .first import ADAPTER\n")
    with pytest.raises(ValueError, match="two venues 'first'"):
        find_adapters(twice)
    empty = package(tmp_path, monkeypatch, "dropped_empty")
    (tmp_path / "dropped_empty" / "nothing.py").touch()
    with pytest.raises(ValueError, match=r"nothing\.py in dropped_empty has no ADAPTER"):
        find_adapters(empty)


def test_the_template_itself_is_not_offered_and_imports_no_service_before_it_is_opened() -> None:
    assert "template" not in ADAPTERS
    text = TEMPLATE.read_text("utf-8")
    top = [line for line in text.splitlines() if line.startswith(("import ", "from "))]
    assert not [line for line in top if "_template_service" in line]
