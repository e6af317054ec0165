#!/usr/bin/env python3
"""Prints the licences of all that is linked into a released binary: THIRD-PARTY-NOTICES.txt.

The libraries are those that Cargo.lock pins for the released targets, with the texts out of their
own sources. What the compiler links besides (Rust's standard library, musl, …) is in no lock file
of this repository: RUNTIME names it, and packaging/licenses has its texts. tests/release holds both
against the compiler's own plan of a build. It fails where a text is missing, and must not guess one.

cargo-about and cargo-bundle-licenses were not taken: neither knows the standard library and musl,
both need hundreds of crates built first, and two libraries here come without a text of their own.

usage: scripts/lib/third-party.py >THIRD-PARTY-NOTICES.txt
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
TEXTS = REPO / "packaging" / "licenses"
TARGETS = [
    "aarch64-unknown-linux-musl",
    "arm-unknown-linux-musleabihf",
    "armv7-unknown-linux-musleabihf",
    "x86_64-unknown-linux-musl",
]
FILE_NAME = re.compile(r"(un)?licen[cs]e|copying|copyright|notice", re.IGNORECASE)

# Libraries whose packages have no text: it is in the repository that they come from.
WITHOUT_TEXT = {
    ("base64-simd", "MIT"): "simd.txt",
    ("vsimd", "MIT"): "simd.txt",
}

# What the compiler and the linker add to every program. Each with its texts.
RUNTIME = [
    ("Rust's standard library: alloc, core, panic_abort, panic_unwind, proc_macro, std, std_detect, "
     "unwind, rustc-literal-escaper, and the versions of cfg-if and libc that it uses",
     "MIT OR Apache-2.0", ["rust.txt"]),
    ("hashbrown, for the standard library", "MIT OR Apache-2.0", ["hashbrown.txt"]),
    ("rustc-demangle, for the standard library", "MIT OR Apache-2.0", ["rustc-demangle.txt"]),
    ("compiler_builtins and libm, for the standard library",
     "MIT AND Apache-2.0 WITH LLVM-exception", ["compiler-builtins.txt"]),
    ("musl, the C library", "MIT", ["musl.txt"]),
    ("zig's part of the C library and of the compiler's run-time library", "MIT", ["zig.txt"]),
    ("LLVM's libunwind and compiler-rt", "Apache-2.0 WITH LLVM-exception", ["llvm.txt"]),
]


def fail(words):
    sys.exit(f"third-party.py: {words}")


def libraries():
    """The packages of the program for any of the targets, by name and version.

    Macros count as well: a part of the program's code comes from them.
    """
    found = {}
    for target in TARGETS:
        command = [os.environ.get("CARGO", "cargo"), "metadata", "--locked",
                   "--format-version=1", f"--filter-platform={target}"]
        answer = subprocess.run(command, cwd=REPO, stdout=subprocess.PIPE, check=False)
        if answer.returncode != 0:
            fail("cargo metadata failed; its message is above")
        metadata = json.loads(answer.stdout)
        packages = {package["id"]: package for package in metadata["packages"]}
        needs = {node["id"]: node["deps"] for node in metadata["resolve"]["nodes"]}
        root = metadata["resolve"]["root"]
        seen, rest = {root}, [root]
        while rest:
            for dependency in needs[rest.pop()]:
                name = dependency["pkg"]
                # A kind of null is a normal dependency, neither of tests nor of a build script.
                if name not in seen and any(not k["kind"] for k in dependency["dep_kinds"]):
                    seen.add(name)
                    rest.append(name)
        for name in seen - {root}:
            package = packages[name]
            found[package["name"], package["version"]] = package
    return [found[key] for key in sorted(found)]


def texts_of(package):
    """The package's licence texts. Where one may choose, and MIT is a choice, that is all."""
    folder = Path(package["manifest_path"]).parent
    licence = package["license"] or ""
    files = sorted(f for f in folder.iterdir() if f.is_file() and FILE_NAME.match(f.name))
    if package.get("license_file"):
        files.append(folder / package["license_file"])
    if re.search(r"\bMIT\b", licence) and not re.search(r"\bAND\b|\(", licence):
        files = [f for f in files if re.search(r"MIT|NOTICE", f.name, re.IGNORECASE)] or files
    if not files and (package["name"], licence) in WITHOUT_TEXT:
        files = [TEXTS / WITHOUT_TEXT[package["name"], licence]]
    texts = [read(f) for f in files]
    if not any(texts):
        fail(f"{package['name']} {package['version']} ({licence}) comes without the text of its"
             " licence; put the text into packaging/licenses, and its name into WITHOUT_TEXT")
    return texts


def read(file):
    """A text without differences that nobody sees, so that equal ones are printed once."""
    text = file.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n")
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


def main():
    if len(sys.argv) > 1:
        print(__doc__)
        sys.exit(0 if sys.argv[1:] in (["-h"], ["--help"]) else 1)
    numbers = {}

    def row(name, licence, texts):
        marks = [numbers.setdefault(text, len(numbers) + 1) for text in texts]
        return f"  {name} ({licence}): " + ", ".join(f"[{mark}]" for mark in marks)

    rows = [row(f"{p['name']} {p['version']}", p["license"], texts_of(p)) for p in libraries()]
    runtime = [row(name, licence, [read(TEXTS / file) for file in files])
               for name, licence, files in RUNTIME]
    lines = ["The program autodns contains the work of others. Each line below names it, its licence "
             "and, by",
             "number, the text of that licence further down. autodns itself is under the MIT licence."
             "",
             "Libraries, and macros that wrote code into it:", "", *rows, "",
             "Added by the compiler:", "", *runtime]
    for text, number in numbers.items():
        lines += ["", "-" * 80, f"[{number}]", "", text]
    sys.stdout.buffer.write(("\n".join(lines) + "\n").encode())


main()
