#!/usr/bin/env python3
"""Prints the licences of everything in a released binary: THIRD-PARTY-NOTICES.txt.

The libraries are those that Cargo.lock pins for the released targets. Their texts come from their
sources. The compiler also links Rust's standard library, musl and others, which are not in
Cargo.lock: RUNTIME names them, and packaging/licenses has their texts. tests/release checks both
against the compiler's plan of a build. Fails if a text is missing, and must not guess one.

cargo-about and cargo-bundle-licenses are not used: they do not know the standard library and musl,
they must build hundreds of crates first, and two libraries here have no text in their packages.

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

# The packages of these libraries contain no text. It is from their repository.
WITHOUT_TEXT = {
    ("base64-simd", "MIT"): "simd.txt",
    ("vsimd", "MIT"): "simd.txt",
}

# The compiler and the linker add these to every program: name, licence, files with the texts.
RUNTIME = [
    ("Rust's standard library: alloc, core, panic_abort, panic_unwind, proc_macro, std, "
     "std_detect, unwind, rustc-literal-escaper, and the versions of cfg-if and libc that it uses",
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
    """Returns the packages that the program needs on any target, sorted by name and version.

    Macros are included, because they write a part of the program's code.
    """
    found = {}
    for target in TARGETS:
        command = [os.environ.get("CARGO", "cargo"), "metadata", "--locked",
                   "--format-version=1", f"--filter-platform={target}"]
        answer = subprocess.run(command, cwd=REPO, stdout=subprocess.PIPE, check=False)
        if answer.returncode != 0:
            fail("cargo metadata failed; its error is above")
        metadata = json.loads(answer.stdout)
        packages = {package["id"]: package for package in metadata["packages"]}
        needs = {node["id"]: node["deps"] for node in metadata["resolve"]["nodes"]}
        root = metadata["resolve"]["root"]
        seen, rest = {root}, [root]
        while rest:
            for dependency in needs[rest.pop()]:
                name = dependency["pkg"]
                # The kind is null for a normal dependency, not for one of tests or build scripts.
                if name not in seen and any(not k["kind"] for k in dependency["dep_kinds"]):
                    seen.add(name)
                    rest.append(name)
        for name in seen - {root}:
            package = packages[name]
            found[package["name"], package["version"]] = package
    return [found[key] for key in sorted(found)]


def texts_of(package):
    """Returns the package's licence texts, or only MIT if the licence offers a choice with MIT."""
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
        fail(f"{package['name']} {package['version']} ({licence}) has no licence text in its"
             " package; put the text into packaging/licenses and its name into WITHOUT_TEXT")
    return texts


def read(file):
    """Returns a text without invisible differences, so that equal texts are printed once."""
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
    lines = ["The program autodns contains the work of others. Each line below names such a work,",
             "its licence, and the number of the licence's text, which is further down. autodns",
             "itself is under the MIT licence.", "",
             "Libraries, and macros that wrote code into it:", "", *rows, "",
             "Added by the compiler:", "", *runtime]
    for text, number in numbers.items():
        lines += ["", "-" * 80, f"[{number}]", "", text]
    sys.stdout.buffer.write(("\n".join(lines) + "\n").encode())


main()
