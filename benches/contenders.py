"""The measured programs: autodns and its peers, with their commands, versions and sizes.

Builds or installs missing peers in the cache folder. Each command takes a configuration as its last
argument.
"""

import dataclasses
import hashlib
import os
import pathlib
import re
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
PEERS = HERE / "peers"

# The parts of a Python installation that a program of this kind does not need.
NOT_NEEDED = re.compile(
    r"/(?:test|tests|idlelib|tkinter|lib2to3|turtledemo|ensurepip|config-[^/]*|dist-packages"
    r"|site-packages|pip(?:-[^/]*)?|setuptools(?:-[^/]*)?|pkg_resources|_distutils_hack)/"
)


@dataclasses.dataclass
class Contender:
    """A measured program. The command is without the configuration."""

    name: str
    command: list
    bytes_on_disk: int
    versions: str


def autodns(program):
    version = output([program, "--version"]).strip()
    return Contender("autodns", [str(program)], program.stat().st_size, version)


def peers(cache):
    """Returns all peers, ready to run."""
    return [boto3(cache), curl(), sdk(cache, "aws-lc"), sdk(cache, "ring"), bare(cache)]


def boto3(cache):
    """Installs requests and boto3 in a separate environment, with Debian's Python if possible."""
    python = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else "python3"
    requirements = PEERS / "boto3" / "requirements.txt"
    key = hashlib.sha256(requirements.read_bytes() + python.encode()).hexdigest()[:16]
    environment = cache / f"boto3-{key}"
    inside = environment / "bin" / "python"
    if not (environment / "complete").exists():
        shutil.rmtree(environment, ignore_errors=True)
        quietly([python, "-m", "venv", environment])
        quietly([inside, "-m", "pip", "install", "--quiet", "--no-input"]
                + ["--disable-pip-version-check", "--require-hashes"]
                + ["--requirement", requirements])
        (environment / "complete").touch()
    library, executable = output(
        [inside, "-c", "import os,sys;print(os.path.dirname(os.__file__));"
         "print(os.path.realpath(sys.executable))"]
    ).split()
    size = tree(environment / "lib", keep="site-packages") + tree(pathlib.Path(library))
    size += files([executable])
    versions = output([inside, "-c", "import boto3, requests, platform as p;"
                       "print(f'Python {p.python_version()}, boto3 {boto3.__version__}, '"
                       "f'requests {requests.__version__}')"]).strip()
    return Contender("boto3", [str(inside), str(PEERS / "boto3" / "quiet_run.py")], size, versions)


def curl():
    """Counts curl and jq with the libraries that they load. Every system has a shell."""
    versions = ", ".join(
        (output(["curl", "--version"]).split("\n")[0].split(" (")[0], output(["jq", "--version"]))
    ).strip()
    size = files([shutil.which("curl"), shutil.which("jq")])
    return Contender("curl", [str(PEERS / "curl" / "quiet-run.sh")], size, versions)


def sdk(cache, crypto):
    """Builds the Rust program with the AWS SDK and one of the two libraries for cryptography."""
    options = ["--no-default-features", "--features", crypto]
    program = in_rust(cache, "sdk", f"sdk-{crypto}", options)
    version = f"aws-sdk-route53 {locked('sdk', 'aws-sdk-route53')}"
    return Contender(f"AWS SDK, {crypto}", [str(program)], files([program]), version)


def bare(cache):
    """Builds the smallest Rust program with rustls and ring."""
    program = in_rust(cache, "bare", "bare", [])
    version = f"rustls {locked('bare', 'rustls')}"
    return Contender("bare", [str(program)], files([program]), version)


def in_rust(cache, peer, name, options):
    """Returns a peer's program. Builds it first, with these options for cargo, if necessary."""
    folder = PEERS / peer
    made_of = [folder / file for file in ("Cargo.toml", "Cargo.lock", "src/main.rs")]
    key = hashlib.sha256(b"".join(file.read_bytes() for file in made_of)).hexdigest()[:16]
    program = cache / f"{name}-{key}"
    if not program.exists():
        target = cache / f"{peer}-target"
        quietly(
            ["cargo", "build", "--release", "--locked", "--quiet", *options]
            + ["--target-dir", target, "--manifest-path", folder / "Cargo.toml"]
        )
        shutil.copy2(target / "release" / f"autodns-peer-{peer}", program)
    return program


def locked(peer, crate):
    """Returns the version of the crate in a peer's lock file."""
    lock = (PEERS / peer / "Cargo.lock").read_text(encoding="utf-8")
    return re.search(rf'name = "{crate}"\nversion = "([^"]*)"', lock)[1]


# --- sizes ----------------------------------------------------------------------------------------


def tree(folder, keep=""):
    """Returns the bytes of the files in a folder, without those that match NOT_NEEDED.

    A folder `keep` is not excluded by its name.
    """
    total = 0
    for file in folder.rglob("*"):
        path = str(file)[len(str(folder)):]
        if keep:
            path = path.replace(f"/{keep}/", "/", 1)
        if file.is_file() and not file.is_symlink() and not NOT_NEEDED.search(path):
            total += file.stat().st_size
    return total


def files(programs):
    """Returns the bytes of programs and of the shared libraries that they load, without libc."""
    loaded = set()
    for program in programs:
        loaded.add(os.path.realpath(program))
        said = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
        for library in re.findall(r"(/\S+) \(0x", said):
            if not re.search(r"/(?:ld-linux|lib(?:c|m|dl|rt|pthread|resolv)\.so)", library):
                loaded.add(os.path.realpath(library))
    return sum(os.path.getsize(file) for file in loaded)


# --- commands -------------------------------------------------------------------------------------


def output(command):
    """Runs a command and returns its stdout."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False
    )
    if done.returncode:
        failed(command, done.stdout + done.stderr)
    return done.stdout


def quietly(command):
    """Runs a command, and prints its output only if it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd=HERE,
    )
    if done.returncode:
        failed(command, done.stdout)


def failed(command, said):
    raise SystemExit(f"{said.strip()}\nbench.sh: failed: {' '.join(map(str, command))}")
