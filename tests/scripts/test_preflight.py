"""Tests what try.sh, test.sh and soak.sh print on machines where something is missing.

A machine here is a PATH: a folder with links to a few real programs and with fakes of others.
Nothing is built: the fake cargo only prints its version, and every call is recorded.
"""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUST = re.search(r'^rust-version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]
RUSTUP = "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"

# Programs of every Linux and macOS, which the scripts use before they look for anything.
REAL = ["awk", "bash", "cat", "cut", "dirname", "env", "grep", "sed", "sh", "tr", "true"]

FAKES = {
    "id": "echo 1000",
    "uname": "echo Linux",
    "cargo": '[ "$*" = --version ] && echo "cargo 1.99.0 (abc 2026-01-01)"',
    "cargo-clippy": "", "cargo-fmt": "",
    "cc": "", "git": "", "flock": "", "shellcheck": "", "ip": "", "openssl": "", "zsh": "",
    "unshare": "", "nginx": "", "caddy": "",
    "python3": 'case $2 in *version_info*) echo 3.13;; esac',
    "apt-get": "exit 1",
    "apt-cache": 'echo "  Candidate: (none)"',
    "sudo": "",
}


def python(version, venv="exit 0"):
    return f'case $2 in *version_info*) echo {version};; *) {venv};; esac'


class Machine:
    """A PATH, and the calls of the programs on it."""

    def __init__(self, folder, **changes):
        self.bin = Path(folder) / "bin"
        self.bin.mkdir()
        self.calls = Path(folder) / "calls"
        for name in REAL:
            (self.bin / name).symlink_to(shutil.which(name))
        changes = {key.replace("_", "-"): body for key, body in changes.items()}
        for name, body in (FAKES | changes).items():
            if body is None:
                continue
            path = self.bin / name
            path.write_text(f'#!/bin/sh\necho "{name} $*" >>"{self.calls}"\n{body}\n')
            path.chmod(0o755)

    def run(self, script, *arguments, **environment):
        # Starts bash by its path, because this machine's /usr/bin must not be on PATH.
        return subprocess.run(
            [self.bin / "bash", ROOT / "scripts" / script, *arguments],
            env={"PATH": str(self.bin), "HOME": str(self.bin.parent)} | environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    def called(self, *names):
        """Returns the calls of these programs, without --version and harmless queries."""
        calls = self.calls.read_text().splitlines() if self.calls.exists() else []
        return [call for call in calls if call.split()[0] in names
                and not call.endswith(" --version") and " download --print-uris " not in call]


class Preflight(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def machine(self, **changes):
        folder = tempfile.mkdtemp(dir=self.folder)
        return Machine(folder, **changes)

    def assert_missing(self, script, expected, environment=None, **changes):
        """Asserts that the script prints one line on stderr, and builds and installs nothing."""
        machine = self.machine(**changes)
        result = machine.run(script, **(environment or {}))
        self.assertEqual((result.returncode, result.stdout, result.stderr),
                         (1, "", f"{script}: missing: {expected}\n"))
        self.assertEqual(machine.called("cargo", "sudo", "apt-get", "curl", "rustup"), [])

    def test_complete_machine_passes_preflight(self):
        for script in ("try.sh", "test.sh", "soak.sh"):
            machine = self.machine()
            result = machine.run(script, "--preflight")
            self.assertEqual((result.returncode, result.stdout, result.stderr),
                             (0, f"{script}: nothing is missing\n", ""))
            self.assertEqual(machine.called("cargo", "sudo"), [])

    def test_help_works_without_any_dependency(self):
        for script in ("try.sh", "test.sh", "soak.sh"):
            machine = self.machine(cargo=None, python3=None, uname="echo Darwin")
            result = machine.run(script, "--help")
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertTrue(result.stdout.startswith(f"usage: scripts/{script} "), result.stdout)

    def test_unknown_option_exits_2(self):
        for script in ("try.sh", "test.sh"):
            result = self.machine().run(script, "--fast")
            self.assertEqual((result.returncode, result.stdout, result.stderr), (
                2, "", f"{script}: there is no option --fast; see scripts/{script} --help\n"))

    def test_macos_is_listed_with_everything_missing(self):
        mac = {"uname": "echo Darwin", "apt_get": None, "apt_cache": None, "flock": None,
               "sudo": None}
        script = ROOT / "scripts" / "try.sh"
        linux = "Linux (this is macOS: run it in a Linux virtual machine or container)"
        self.assert_missing("try.sh", f"{linux}, flock", **mac)
        self.assert_missing(
            "try.sh",
            f"{linux}, Rust {RUST} or later, Python 3.11 or later (python3 is 3.9), flock; "
            f"install: {RUSTUP} && PYTHON=/path/to/python3.12 {script}",
            **mac, cargo=None, python3=python("3.9"))

    def test_missing_or_old_rust_is_reported(self):
        self.assert_missing("try.sh", f"Rust {RUST} or later; install: {RUSTUP}", cargo=None)
        old = 'echo "cargo 1.63.0"'
        self.assert_missing("try.sh", f"Rust {RUST} or later (this is 1.63.0); install: {RUSTUP}",
                            cargo=old)
        self.assert_missing(
            "try.sh", f"Rust {RUST} or later (this is 1.63.0); install: rustup update stable && "
            "rustup default stable",
            cargo=old, rustup="")
        self.assert_missing("test.sh", "Rust's clippy; install: rustup component add clippy",
                            cargo_clippy="exit 1", rustup="")

    def test_old_python_is_reported_with_command_for_newer_one(self):
        old = python("3.9")
        script = ROOT / "scripts" / "try.sh"
        self.assert_missing(
            "try.sh", "Python 3.11 or later (python3 is 3.9); install: "
            f"PYTHON=/path/to/python3.12 {script}", python3=old)
        self.assert_missing(
            "try.sh", "Python 3.11 or later (python3 is 3.9); install: "
            "sudo apt-get install python3.11 python3.11-venv",
            python3=old, apt_cache='[ "$2" = python3.11 ] && echo "  Candidate: 3.11.9-1"')
        self.assert_missing(
            "try.sh", "Python 3.11 or later; install: sudo apt-get install python3 python3-venv",
            python3=None, apt_cache='[ "$2" = python3 ] && echo "  Candidate: 3.13.5-1"')

    def test_newer_python_on_path_is_used(self):
        machine = self.machine(python3=python("3.9"))
        for name, body in (("python3.12", python("3.12")),):
            (machine.bin / name).write_text(f"#!/bin/sh\n{body}\n")
            (machine.bin / name).chmod(0o755)
        self.assertEqual(machine.run("try.sh", "--preflight").returncode, 0)

    def test_python_variable_rules_out_other_pythons(self):
        self.assert_missing(
            "try.sh", "Python 3.11 or later (/nowhere/python does not run); install: "
            f"PYTHON=/path/to/python3.12 {ROOT / 'scripts' / 'try.sh'}",
            environment={"PYTHON": "/nowhere/python"})

    def test_python_without_venv_is_reported(self):
        self.assert_missing(
            "soak.sh", "Python's venv; install: sudo apt-get install python3-venv",
            python3=python("3.13", "exit 1"))

    def test_missing_packages_give_one_command_for_this_user(self):
        some = {"shellcheck": None, "zsh": None, "openssl": None}
        named = "shellcheck, openssl, zsh; install: "
        command = "apt-get install shellcheck openssl zsh"
        self.assert_missing("test.sh", f"{named}sudo {command}", **some)
        self.assert_missing("test.sh", f"{named}su -c '{command}'", **some, sudo=None)
        self.assert_missing(
            "test.sh", f"{named}(your package manager's names for: shellcheck openssl zsh)",
            **some, apt_get=None)

    def test_only_package_installation_uses_sudo(self):
        self.assert_missing(
            "test.sh", f"Rust {RUST} or later (this is 1.63.0), cc, Rust's clippy, zsh; install: "
            "sudo apt-get install gcc zsh && rustup update stable && rustup default stable && "
            "rustup component add clippy",
            cargo='echo "cargo 1.63.0"', cargo_clippy="exit 1", cc=None, zsh=None, rustup="")

    def test_folders_that_cannot_be_made_are_reported(self):
        # Not even root can make a folder below a file.
        folder = "/dev/null/folder"
        self.assert_missing(
            "try.sh",
            f"a cache folder that 1000 can write ({folder}/cache), a build folder that 1000 can "
            f"write ({folder}/target); install: export AUTODNS_CACHE=/tmp/autodns-1000 && "
            "export CARGO_TARGET_DIR=/tmp/autodns-target-1000",
            environment={
                "AUTODNS_CACHE": f"{folder}/cache", "CARGO_TARGET_DIR": f"{folder}/target"})

    def test_test_sh_as_root_installs_packages(self):
        machine = self.machine(
            id="echo 0", shellcheck=None, apt_get="exit 0", sudo="exit 1")
        result = machine.run("test.sh", "--preflight")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (
            0, "test.sh: nothing is missing\n", "test.sh: installing shellcheck\n"))
        self.assertEqual(machine.called("apt-get", "sudo"), [
            "apt-get update -qq",
            "apt-get install -y -qq --no-install-recommends shellcheck"])

    def test_try_sh_as_root_installs_nothing(self):
        machine = self.machine(id="echo 0", cc=None, apt_get="exit 0")
        result = machine.run("try.sh")
        self.assertEqual((result.returncode, result.stderr), (
            1, "try.sh: missing: cc; install: apt-get install gcc\n"))
        self.assertEqual(machine.called("apt-get"), [])


if __name__ == "__main__":
    unittest.main()
