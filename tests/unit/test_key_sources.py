"""Where the key of the secrets comes from: in order, never from a file that others may read, and
never made anew while something is sealed by another."""

import base64
import os
import stat
import threading
from pathlib import Path

import keyring
import pytest
from pydantic import SecretStr

from engine.adapters.secrets import key_sources
from engine.adapters.secrets.key_sources import KeySources, system_keyring
from engine.bootstrap_accounts import build_vault
from engine.errors import ConfigError
from engine.settings import Settings
from tests.fakes.memory_store import MemoryStore

OURS, THEIRS = b"o" * 32, b"t" * 32
posix_only = pytest.mark.skipif(os.name == "nt", reason="Windows keeps no such bits")


def text(key: bytes) -> str:
    return base64.b64encode(key).decode()


class FakeKeyring:
    """A keyring in memory. ``fails``: as one without a backend; ``forgets``: keeps nothing."""

    def __init__(self, *, fails: bool = False, forgets: bool = False) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.fails, self.forgets = fails, forgets

    def get_password(self, service_name: str, username: str) -> str | None:
        if self.fails:
            raise RuntimeError("no backend")
        return self.kept.get((service_name, username))

    def set_password(self, service_name: str, username: str, password: str) -> None:
        if self.fails:
            raise RuntimeError("no backend")
        if not self.forgets:
            self.kept[service_name, username] = password


def sources(
    folder: Path, given: str | None = None, ring: FakeKeyring | None = None, *,
    has_secrets: bool = False,
) -> KeySources:  # fmt: skip
    asked = None if ring is None else (lambda: ring)
    return KeySources(folder, given, asked, lambda: has_secrets)


def test_the_environment_goes_before_the_keyring_and_that_before_the_file(tmp_path: Path) -> None:
    ring = FakeKeyring()
    made = sources(tmp_path, ring=ring).find()
    assert not (tmp_path / "secret.key").exists()
    (tmp_path / "secret.key").write_text(text(OURS))
    (tmp_path / "secret.key").chmod(0o600)
    assert sources(tmp_path, ring=ring).find() == made
    assert sources(tmp_path, text(THEIRS), ring).find() == THEIRS
    assert sources(tmp_path).find() == OURS


@pytest.mark.parametrize(
    "ring", [None, FakeKeyring(fails=True), FakeKeyring(forgets=True)],
    ids=["switched off", "without a backend", "forgetful"],
)  # fmt: skip
def test_without_a_keyring_the_key_is_a_file_of_the_owners(
    tmp_path: Path, ring: FakeKeyring | None
) -> None:
    made = sources(tmp_path, ring=ring).find()
    path = tmp_path / "secret.key"
    assert path.read_text() == text(made) + "\n"
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sources(tmp_path, ring=ring, has_secrets=True).find() == made


def test_two_folders_have_two_keys_in_one_keyring(tmp_path: Path) -> None:
    ring = FakeKeyring()
    one, two = sources(tmp_path / "a", ring=ring), sources(tmp_path / "b", ring=ring)
    assert one.find() != two.find()
    assert (one.find(), two.find()) == (one.find(), two.find())


@posix_only
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o606])
def test_a_file_that_others_may_read_is_refused_and_not_replaced(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secret.key"
    path.write_text(text(OURS))
    path.chmod(mode)
    with pytest.raises(ConfigError, match="run 'chmod 600"):
        sources(tmp_path).find()
    path.chmod(0o600)
    assert sources(tmp_path).find() == OURS


def test_no_new_key_is_made_while_something_is_sealed_by_another(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not there any more"):
        sources(tmp_path, ring=FakeKeyring(), has_secrets=True).find()
    assert not (tmp_path / "secret.key").exists()


@pytest.mark.parametrize("given", ["", "short", "not base64!", text(b"x" * 31), text(b"x" * 33)])
def test_what_is_no_key_is_said_to_be_none_and_not_repeated(tmp_path: Path, given: str) -> None:
    with pytest.raises(ConfigError, match=r"QUARTERDECK_SECRET_KEY.*32 bytes in base64") as caught:
        sources(tmp_path, given).find()
    assert not given or given not in caught.value.message


def test_a_key_file_that_is_junk_or_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_bytes(b"\xff\xfe junk")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="cannot be read"):
        sources(tmp_path).find()
    with pytest.raises(ConfigError, match="cannot be made"):
        sources(tmp_path / "no such folder").find()


def test_a_keyring_that_waits_for_its_owner_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_sources, "KEYRING_PATIENCE_S", 0.02)
    release = threading.Event()

    class Locked(FakeKeyring):
        def get_password(self, service_name: str, username: str) -> str | None:
            release.wait(10)
            return None

    try:
        assert len(sources(tmp_path, ring=Locked()).find()) == 32
        assert (tmp_path / "secret.key").exists()
    finally:
        release.set()


def test_the_systems_keyring_is_the_package_of_that_name() -> None:
    assert system_keyring() is keyring


def test_the_vault_of_the_engine_uses_the_settings(tmp_path: Path) -> None:
    store = MemoryStore()
    settings = Settings(data=tmp_path, keyring=False)
    sealed = build_vault(settings, store).seal("a1", "key", "secret")
    assert (tmp_path / "secret.key").exists()
    assert build_vault(settings, store).open("a1", "key", sealed) == "secret"
    other = Settings(data=tmp_path, keyring=False, secret_key=SecretStr(text(THEIRS)))
    assert text(THEIRS) in other.secrets
    empty = Settings(data=tmp_path, keyring=False, secret_key=SecretStr(" "))
    assert build_vault(empty, store).open("a1", "key", sealed) == "secret"
    with pytest.raises(ConfigError, match="does not open"):
        build_vault(other, store).open("a1", "key", sealed)
