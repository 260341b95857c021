"""What every vault keeps: a secret comes back where it belongs, and nowhere else."""

import base64
from collections.abc import Callable

import pytest

from engine.adapters.secrets.aes_vault import AesVault
from engine.errors import ConfigError
from engine.ports import Vault
from tests.fakes.vault import FakeVault

KEY = bytes(range(32))
SECRETS = ("s", "a key with spaces", "Schlüssel 🔑", "line\nbreak", "xy" * 5_000, "a|b|c")
MAKERS: dict[str, Callable[[], Vault]] = {"aes": lambda: AesVault(lambda: KEY), "fake": FakeVault}


@pytest.fixture(params=MAKERS)
def vault(request: pytest.FixtureRequest) -> Vault:
    return MAKERS[request.param]()


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: repr(secret)[:12])
def test_what_is_sealed_opens_and_does_not_show(vault: Vault, secret: str) -> None:
    sealed = vault.seal("a1", "key", secret)
    assert vault.open("a1", "key", sealed) == secret
    assert len(secret) == 1 or secret not in sealed


def test_the_same_secret_is_never_sealed_the_same_way(vault: Vault) -> None:
    assert len({vault.seal("a1", "key", "secret") for _ in range(100)}) == 100


@pytest.mark.parametrize(("account", "name"), [("a2", "key"), ("a1", "secret")])
def test_a_ciphertext_of_another_place_does_not_open(vault: Vault, account: str, name: str) -> None:
    sealed = vault.seal("a1", "key", "canary")
    with pytest.raises(ConfigError, match="does not open") as caught:
        vault.open(account, name, sealed)
    assert "canary" not in caught.value.message


def test_another_vault_of_the_same_key_opens_it(vault: Vault) -> None:
    maker = next(make for make in MAKERS.values() if isinstance(make(), type(vault)))
    assert maker().open("a1", "key", vault.seal("a1", "key", "secret")) == "secret"


# --- AES only ---------------------------------------------------------------------------------


def test_one_changed_bit_anywhere_is_noticed() -> None:
    vault = AesVault(lambda: KEY)
    written, _, content = vault.seal("a1", "key", "canary").partition(":")
    raw = base64.b64decode(content)
    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= 1
        with pytest.raises(ConfigError, match="does not open"):
            vault.open("a1", "key", f"{written}:{base64.b64encode(changed).decode()}")


@pytest.mark.parametrize("damaged", ["v1:", "v1:AAAA", "v1:%%%", "v1:" + "A" * 15])
def test_a_cut_ciphertext_is_a_sentence_and_no_crash(damaged: str) -> None:
    with pytest.raises(ConfigError, match="enter the secret again"):
        AesVault(lambda: KEY).open("a1", "key", damaged)


@pytest.mark.parametrize("unknown", ["", "secret", "v2:AAAA"])
def test_another_format_is_said_to_be_one(unknown: str) -> None:
    with pytest.raises(ConfigError, match="newer version"):
        AesVault(lambda: KEY).open("a1", "key", unknown)


def test_the_wrong_key_says_what_to_do() -> None:
    sealed = AesVault(lambda: KEY).seal("a1", "key", "canary")
    with pytest.raises(ConfigError, match="does not open with this engine's key") as caught:
        AesVault(lambda: bytes(32)).open("a1", "key", sealed)
    assert "docs/accounts.md" in caught.value.message


def test_a_key_is_looked_for_when_needed_and_again_until_there_is_one() -> None:
    asked: list[int] = []

    def find() -> bytes:
        asked.append(1)
        if len(asked) == 1:
            raise ConfigError("There is no key yet.")
        return KEY

    vault = AesVault(find)
    assert asked == []
    with pytest.raises(ConfigError, match="no key yet"):
        vault.seal("a1", "key", "secret")
    assert vault.open("a1", "key", vault.seal("a1", "key", "secret")) == "secret"
    assert len(asked) == 2
