"""Makes .venv and installs the requirements, once for each state of the requirement files."""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tooling.place import ROOT, StartError, say

OLDEST = (3, 11)
NEWEST = (3, 13)  # not every package has a release for a newer one
RUNTIME = ("requirements.txt",)
DEVELOPMENT = ("requirements.txt", "requirements-dev.txt")
PROGRESS = re.compile(
    r"Downloading \S+(\.whl|\.tar\.gz| \(.+\))|Building (wheel|\S+==)|Installing collected"
)
UV = "uv>=0.9,<1"
OWN_SOURCES = re.compile(r"(?<!extra-)index-url|no-index|proxy|trusted-host|client-cert")


class Environment:
    """The virtual environment of one project folder."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self.folder = root / ".venv"
        program = "Scripts/python.exe" if os.name == "nt" else "bin/python"
        self.python = str(self.folder / program)

    def install(self, names: Sequence[str]) -> None:
        """Install requirement files unless their stamp says it is done. Raises StartError.

        Each file includes the one before it, so the last is given to pip and all are stamped.
        """
        if self.is_stamped(names):
            return
        if self.version() > NEWEST or not self.has_pip():
            self.make()
        say(f"Installing the packages of {names[-1]} (a few minutes the first time) ...")
        try:
            for name in names:
                self._stamp_file(name).unlink(missing_ok=True)
            requirements = str(self.root / names[-1])
            if not self._install_by_uv(requirements):
                self._install_by_pip(requirements)
            self.stamp(names)
        except OSError as error:
            raise StartError(
                f"The environment {self.folder} cannot be written to ({error.strerror}); make "
                "the project's folder writable and run again."
            ) from error
        say("The packages are installed.")

    def is_stamped(self, names: Sequence[str]) -> bool:
        """Were these files, as they are now, installed for the Python that .venv has?"""
        stamp = self._stamp_file(names[-1])
        return (
            self.version() >= OLDEST
            and stamp.exists()
            and stamp.read_text(encoding="ascii") == self.fingerprint(names)
        )

    def stamp(self, names: Sequence[str]) -> None:
        """Note that these files, as they are now, are installed."""
        for count, name in enumerate(names, start=1):
            self._stamp_file(name).write_text(self.fingerprint(names[:count]), encoding="ascii")

    def fingerprint(self, names: Sequence[str]) -> str:
        """SHA-256 over the Python version and the files' lines; line endings do not count."""
        digest = hashlib.sha256(repr(self.version()).encode())
        for name in names:
            text = (self.root / name).read_text(encoding="utf-8")
            digest.update("\n".join(text.splitlines()).encode())
        return digest.hexdigest()

    def version(self) -> tuple[int, int]:
        """The Python that .venv was made with; (0, 0) when there is no usable .venv."""
        try:
            config = (self.folder / "pyvenv.cfg").read_text(encoding="utf-8")
        except OSError:
            return (0, 0)
        found = re.search(r"^version(?:_info)?\s*=\s*(\d+)\.(\d+)", config, re.MULTILINE)
        if found is None or not Path(self.python).exists():
            return (0, 0)
        return (int(found[1]), int(found[2]))

    def has_pip(self) -> bool:
        """Is there a Python, new enough, whose pip starts?"""
        if self.version() < OLDEST:
            return False
        command = [self.python, "-m", "pip", "--version"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def make(self) -> None:
        """Make .venv afresh. Raises StartError."""
        say("Making the environment .venv ...")
        made = subprocess.run(
            [sys.executable, "-m", "venv", "--clear", str(self.folder)],
            capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
        if made.returncode != 0:
            words = (made.stdout + made.stderr).strip()
            hint = (
                "on Debian or Ubuntu install the package python3-venv"
                if "ensurepip" in words
                else "check that the folder is writable and the disk has room"
            )
            reason = words.splitlines()[-1] if words else "no reason given"
            raise StartError(
                f"The environment .venv could not be made; {hint}, then run again ({reason})."
            )

    def _stamp_file(self, name: str) -> Path:
        return self.folder / f"{name}.sha256"

    def _install_by_uv(self, requirements: str) -> bool:
        """Install by uv, which takes a third of pip's time. False, and pip says why, if it fails.

        Not where pip is configured to fetch from elsewhere: uv does not read that.
        """
        pip = [self.python, "-m", "pip"]
        told = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=False)
        if told.returncode != 0 or OWN_SOURCES.search(told.stdout):
            return False
        log = self.folder / "uv.log"
        fetch = [*pip, "install", "--no-input", "--no-compile", "--retries", "1", UV]
        install = [self.python, "-m", "uv", "pip", "install", "--python", self.python]
        return all(
            self._run(command, log)[0] == 0 for command in (fetch, [*install, "-r", requirements])
        )

    def _install_by_pip(self, requirements: str) -> None:
        """Install by pip. Raises StartError."""
        log = self.folder / "pip.log"
        pip = [self.python, "-m", "pip", "--disable-pip-version-check", "--no-input"]
        # Python compiles what it imports: all of it would take 40 s, most of it for nothing.
        code, last_error = self._run([*pip, "install", "--no-compile", "-r", requirements], log)
        if code:
            hint = "check the internet connection and run again"
            if self.version() > NEWEST:
                hint = "use Python {}.{}, some have no release for {}.{} yet".format(
                    *NEWEST, *self.version()
                )
            raise StartError(
                f"The packages could not be installed; {hint}, pip's own words are in {log} "
                f"({last_error or f'exit code {code}'})."
            )

    def _run(self, command: Sequence[str], log: Path) -> tuple[int, str]:
        """Run with one short line of progress a package; the exit code and the last error."""
        last_error = ""
        with (
            log.open("w", encoding="utf-8") as output,
            subprocess.Popen(
                command, cwd=self.root, text=True, encoding="utf-8", errors="replace",
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            ) as process,
        ):  # fmt: skip
            try:
                for line in process.stdout or ():
                    output.write(line)
                    text = line.strip()
                    if PROGRESS.match(text):
                        say(f"  {text if len(text) <= 76 else text[:73] + '...'}")
                    if text.lower().startswith("error:"):
                        last_error = text[6:].strip()
            except BaseException:
                process.kill()  # nobody waits for it any more
                raise
        return process.returncode, last_error
