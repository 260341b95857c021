"""What is in deploy/: linted by its own tools, and in agreement with the program it starts."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from jsonschema import Draft202012Validator
from yamllint import linter
from yamllint.config import YamlLintConfig

from engine.api.app import all_routes
from engine.bootstrap_watcher import build_watcher
from engine.cli.entry import build
from engine.settings import Settings, load_settings
from tooling.place import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
DOCKERFILE = DEPLOY / "docker" / "Dockerfile"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
START = DEPLOY / "windows" / "start.ps1"
INSTALLED = "/opt/quarterdeck"
MOST_EXPOSED = {"quarterdeck-engine": 30, "quarterdeck-panel": 30, "quarterdeck-watcher": 25}
"""What systemd-analyze may say of each, in tenths: 100 is a service without any bounds."""

YAML_RULES = """
extends: default
rules:
  line-length: {max: 120}
  document-start: disable
  comments: {min-spaces-from-content: 1}
"""
NOT_SETTINGS = {"QUARTERDECK_NO_BROWSER"}
"""Variables of run.py."""

WRITTEN_BY_THE_USER = {"./secrets", ".env"}


# --- compose


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text("utf-8"))
    return found


def services(compose: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = compose["services"]
    return found


def test_compose_is_what_its_specification_says(compose: dict[str, Any]) -> None:
    schema = get_builtin_schema("vendor.compose-spec")
    assert [one.message for one in Draft202012Validator(schema).iter_errors(compose)] == []
    broken = {**compose, "services": {"engine": {"portz": []}}}
    assert list(Draft202012Validator(schema).iter_errors(broken)), "the schema would find a mistake"


@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("*.y*ml")), ids=lambda path: path.name)
def test_yaml_is_tidy(path: Path) -> None:
    problems = linter.run(path.read_text("utf-8"), YamlLintConfig(YAML_RULES), str(path))
    assert [str(one) for one in problems] == []


def test_nothing_is_published_but_on_this_machine(compose: dict[str, Any]) -> None:
    published = [port for one in services(compose).values() for port in one.get("ports", ())]
    assert len(published) == 2
    for port in published:
        assert re.fullmatch(r"127\.0\.0\.1:\$\{\w+_PORT:-\d+\}:\d+", port), port
    modes = {one.get("network_mode") for one in services(compose).values()}
    assert modes <= {None, "service:pod"}, "no network of the host's"
    assert not any(one.get("privileged") for one in services(compose).values())


def test_who_speaks_to_the_engine_shares_a_network_that_outlives_it(
    compose: dict[str, Any],
) -> None:
    """Its API listens on 127.0.0.1 alone, and stays so. A container that ends takes its network
    with it, and those that share it are cut off for good: so it belongs to one that does nothing.
    """
    pod = services(compose)["pod"]
    for name in ("engine", "panel", "watcher", "prometheus"):
        one = services(compose)[name]
        assert one["network_mode"] == "service:pod"
        assert one["depends_on"]["pod"] == {"condition": "service_started", "restart": True}
        assert not {"ports", "networks"} & set(one)
    assert pod["command"][0] == "sleep"
    assert "profiles" not in pod
    [panel_port] = pod["ports"]
    assert f"--server.port={panel_port.rpartition(':')[2]}" in services(compose)["panel"]["command"]
    assert services(compose)["grafana"]["networks"] == pod["networks"]
    assert services(compose)["grafana"]["environment"]["PROMETHEUS_URL"] == "http://pod:9090"


def test_the_example_starts_as_it_is(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Copied and nothing filled in; and no folder or port in it moves what compose counts on."""
    example = (DEPLOY / ".env.example").read_text("utf-8")
    given = dict(re.findall(r"^(\w+)=(.*)$", example, re.MULTILINE))
    moved = {"QUARTERDECK_DATA": "./data", "QUARTERDECK_API_PORT": "9999"}
    for name in ("engine", "watcher"):
        one = services(compose)[name]
        assert one["env_file"] == [{"path": ".env", "required": False}]
        for key, value in (given | moved | one["environment"]).items():
            monkeypatch.setenv(key, value)
        settings = load_settings()
        assert (settings.data, settings.backups) == (Path("/data"), Path("/backups"))
        assert str(settings.api_port) in str(services(compose)["engine"]["healthcheck"]["test"])
        assert settings.store_url == "sqlite:////data/state.db"
    assert services(compose)["panel"]["env_file"] == [], "it has no keys"
    monkeypatch.setenv("QUARTERDECK_DATA", str(tmp_path))
    build_watcher(load_settings(), lambda _secret: None)


def test_every_image_is_pinned(compose: dict[str, Any]) -> None:
    for name, one in services(compose).items():
        _, _, tag = one["image"].partition(":")
        assert re.match(r"v?\d+\.\d+", tag), f"{name}: {one['image']}"


def test_profiles_are_those_of_the_documentation(compose: dict[str, Any]) -> None:
    profiles = {name: tuple(one.get("profiles", ())) for name, one in services(compose).items()}
    assert profiles == {
        "pod": (), "engine": (), "panel": (), "watcher": ("watcher",), "postgres": ("postgres",),
        "influxdb": ("monitoring",), "prometheus": ("monitoring",), "grafana": ("monitoring",),
    }  # fmt: skip
    text = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    for profile in ("watcher", "postgres", "monitoring"):
        assert f"--profile {profile}" in text


def test_every_service_is_bounded_and_comes_back(compose: dict[str, Any]) -> None:
    for name, one in services(compose).items():
        assert one["restart"] == "unless-stopped", name
        assert "no-new-privileges:true" in one["security_opt"], name
        assert "healthcheck" in one, name
        assert one["logging"] == {
            "driver": "local",
            "options": {"max-size": "10m", "max-file": "5"},
        }
    for name in ("pod", "engine", "panel", "watcher", "prometheus"):
        assert services(compose)[name]["read_only"] is True
        assert services(compose)[name]["cap_drop"] == ["ALL"]


def test_volumes_and_folders_are_there(compose: dict[str, Any]) -> None:
    used = set()
    for one in services(compose).values():
        for volume in one.get("volumes", ()):
            source = volume.partition(":")[0]
            if source.startswith("."):
                is_there = (DEPLOY / source).exists()
                assert is_there or source in WRITTEN_BY_THE_USER, source
            else:
                used.add(source)
    assert used == set(compose["volumes"])


def test_no_secret_is_written_down(compose: dict[str, Any]) -> None:
    example = (DEPLOY / ".env.example").read_text("utf-8")
    values = dict(re.findall(r"^(\w+)=(.*)$", example, re.MULTILINE))
    secret = re.compile(r"PASSWORD|TOKEN|SECRET|KEY|DATABASE_URL")
    assert [name for name, value in values.items() if secret.search(name) and value] == []
    asked = set()
    for one in services(compose).values():
        for name, value in one.get("environment", {}).items():
            asked |= set(re.findall(r"\$\{(\w+)", value))
            if secret.search(name):
                assert re.fullmatch(r"\$\{\w+:-\}", value), name
        for port in one.get("ports", ()):
            asked |= set(re.findall(r"\$\{(\w+)", port))
    assert asked <= values.keys(), "what compose asks for is in the example"
    ignored = (ROOT / ".gitignore").read_text("utf-8").split()
    assert {"deploy/.env", "deploy/secrets/"} <= set(ignored)


# --- what they start


def texts() -> Iterator[tuple[str, str]]:
    docs = [ROOT / "docs" / f"{name}.md" for name in ("backup", "deploy", "upgrading")]
    for path in (COMPOSE, DOCKERFILE, DEPLOY / ".env.example", START, *UNITS, *docs):
        yield path.name, path.read_text("utf-8")


def test_every_setting_that_is_named_is_one() -> None:
    known = {f"QUARTERDECK_{name.upper()}" for name in Settings.model_fields} | NOT_SETTINGS
    named = {name for _, text in texts() for name in re.findall(r"QUARTERDECK_[A-Z_]+", text)}
    assert "QUARTERDECK_DATA" in named
    assert named <= known


def test_every_command_that_is_started_is_one() -> None:
    group: Any = typer.main.get_command(build())
    words = re.compile(r"-m[, ]+engine[, \"]+(\w+)")
    named = {word for _, text in texts() for word in words.findall(text)}
    assert "run" in named
    assert named <= set(group.commands)


def probes(compose: Mapping[str, Any]) -> Iterator[list[str]]:
    for one in services(compose).values():
        if "test" in one["healthcheck"]:
            yield one["healthcheck"]["test"]
    [docker] = re.findall(r"CMD (\[\"python\", \"-c\".*\])", DOCKERFILE.read_text("utf-8"))
    yield ["CMD", *yaml.safe_load(docker)]


def test_health_is_asked_for_where_it_is_told(compose: dict[str, Any]) -> None:
    ours = [one for one in probes(compose) if one[1] == "python"]
    assert len(ours) == 3
    addresses = set()
    for _, _, flag, code in ours:
        assert flag == "-c"
        ast.parse(code)
        addresses |= set(re.findall(r"http://127\.0\.0\.1:(\d+)(/[\w/]+)", code))
    engine, panel = str(Settings.model_fields["api_port"].default), "8501"
    assert addresses == {(engine, "/health"), (panel, "/_stcore/health")}
    assert "/health" in {route.path for route in all_routes()}


# --- the image


def test_the_dockerfile_is_linted() -> None:
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [program, "--no-color", DOCKERFILE], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def instructions() -> list[tuple[str, str]]:
    text = DOCKERFILE.read_text("utf-8").replace("\\\n", " ")
    return re.findall(r"^([A-Z]+) +(.*)$", text, re.MULTILINE)


def test_the_image_has_what_it_runs_and_no_more() -> None:
    copied = [
        word
        for name, rest in instructions()
        if name == "COPY" and "--from" not in rest
        for word in rest.split()[:-1]
        if not word.startswith("--")
    ]
    assert set(copied) == {
        "requirements.txt", "app.py", "run.py", ".streamlit", "tooling", "pages", "panel", "engine",
        "static", "strategies",
    }  # fmt: skip
    allowed = {
        line[1:].partition("/")[0]
        for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
        if line.startswith("!")
    }
    assert allowed == set(copied)
    for name in copied:
        assert (ROOT / name).exists(), name


def test_the_image_runs_as_nobody_in_particular_and_holds_no_secret() -> None:
    found = instructions()
    users = [rest for name, rest in found if name == "USER"]
    assert users == ["10001:10001"]
    for _, rest in (one for one in found if one[0] == "FROM"):
        assert re.match(r"python:3\.11\.\d+-slim", rest), rest
    named = " ".join(rest for name, rest in found if name in ("ENV", "ARG"))
    assert not re.search(r"TOKEN|PASSWORD|SECRET", named)


# --- systemd


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units, as if the project were installed where they say."""
    if not sys.platform.startswith("linux"):
        pytest.skip("systemd is Linux's")
    assert shutil.which("systemd-analyze"), "install systemd; `python run.py test` does it"
    folder = tmp_path_factory.mktemp("units")
    for unit in UNITS:
        text = unit.read_text("utf-8").replace(f"{INSTALLED}/.venv/bin/python", sys.executable)
        (folder / unit.name).write_text(text.replace(INSTALLED, str(ROOT)), "utf-8")
    return folder


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(shutil.which("systemd-analyze")), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_systemd_takes_the_units(installed: Path) -> None:
    assert {unit.stem for unit in UNITS} == set(MOST_EXPOSED)
    done = analyze("verify", "--man=no", *map(str, sorted(installed.glob("*.service"))))
    assert (done.returncode, done.stderr) == (0, "")
    broken = installed / "broken.service"
    broken.write_text("[Service]\nExecStart=/nowhere/python\nProtectEverything=yes\n")
    assert analyze("verify", str(broken)).returncode != 0, "it would find a mistake"
    broken.unlink()


@pytest.mark.parametrize("name", MOST_EXPOSED)
def test_a_unit_is_bounded(installed: Path, name: str) -> None:
    path = str(installed / f"{name}.service")
    done = analyze(
        "security", "--offline=true", f"--threshold={MOST_EXPOSED[name]}", "--no-pager", path
    )
    assert done.returncode == 0, done.stdout


def test_the_engine_is_watched_and_not_started_again_when_it_cannot_start() -> None:
    text = (DEPLOY / "systemd" / "quarterdeck-engine.service").read_text("utf-8")
    for line in ("Type=notify", "WatchdogSec=60", "RestartPreventExitStatus=2"):
        assert line in text
    # A server that is still coming up after the machine's start would be such a refusal.
    [after] = re.findall(r"^After=(.*)$", text, re.MULTILINE)
    assert "postgresql.service" in after.split()
    assert "\nMemoryDenyWriteExecute=" not in text, "numba could not compile"


# --- Windows


def test_the_windows_script_starts_what_there_is() -> None:
    text = START.read_text("utf-8")
    assert "run.py" in text
    assert (ROOT / "run.py").exists()
    for version in re.findall(r"'-3\.(\d+)'", text):
        assert 11 <= int(version) <= 13
    batch = START.with_name("start.cmd").read_bytes()
    assert b"\r\n" in batch
    assert b"\n" not in batch.replace(b"\r\n", b"")
    assert b'"%~dp0start.ps1" %*' in batch


def test_the_windows_script_can_be_parsed() -> None:
    """By PowerShell where it is installed, by its brackets and quotes where it is not."""
    text = START.read_text("utf-8")
    pwsh = shutil.which("pwsh")
    if pwsh is not None:
        code = (
            "$problems = $null; [System.Management.Automation.Language.Parser]::ParseFile("
            f"'{START}', [ref]$null, [ref]$problems) | Out-Null; $problems; exit $problems.Count"
        )
        done = subprocess.run(
            [pwsh, "-NoProfile", "-Command", code], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout.strip()) == (0, "")
    bare = re.sub(r"(?m)#.*$", "", re.sub(r"(?s)<#.*?#>", "", text))
    stack = []
    for letter in re.sub(r"'[^'\n]*'", "", bare):
        if letter in "([{":
            stack.append(letter)
        elif letter in ")]}":
            assert stack
            assert stack.pop() + letter in ("()", "[]", "{}")
    assert stack == []
    assert bare.count("'") % 2 == 0
