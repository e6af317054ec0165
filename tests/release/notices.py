#!/usr/bin/env python3
"""Checks that THIRD-PARTY-NOTICES.txt names every crate that a build links.

The crates come from cargo's plan of the build (its unit graph), with the options of
scripts/build-pi.sh and with the standard library. Nothing is compiled. Each crate for the target
must be named, with its version if it is in Cargo.lock, and with a text that looks like its licence.
Must not use scripts/lib/third-party.py.

usage: tests/release/notices.py FILE RUSTC TARGET…     (RUSTC: one with its library's source)
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
# A sentence that every text of the licence contains.
WORDS = {
    "MIT": "permission is hereby granted, free of charge, to any person obtaining a copy",
    "Apache-2.0": "apache license version 2.0, january 2004",
    "ISC": "permission to use, copy, modify, and/or distribute this software",
    "BSD-3-Clause": "redistribution and use in source and binary forms",
    "BSL-1.0": "boost software license - version 1.0",
    "CDLA-Permissive-2.0": "community data license agreement - permissive - version 2.0",
    "Unicode-3.0": "unicode license v3",
    "Unlicense": "this is free and unencumbered software released into the public domain",
}


def linked(rustc, target):
    """Yields name and version of every crate in the program for the target."""
    environment = os.environ | {"RUSTC_BOOTSTRAP": "1", "RUSTC": rustc}
    cargo = str(Path(rustc).with_name("cargo")) if "/" in rustc else "cargo"
    plan = subprocess.run(
        [cargo, "build", "--unit-graph", "-Zunstable-options", "-Zbuild-std=std,panic_abort",
         "-Zbuild-std-features=optimize_for_size", "--release", "--locked", f"--target={target}"],
        cwd=REPO, env=environment, stdout=subprocess.PIPE, check=True)
    for unit in json.loads(plan.stdout)["units"]:
        # A unit without a platform is for this machine: a macro or a build script.
        if unit["platform"] and unit["target"]["kind"] != ["custom-build"]:
            path, _, tail = unit["pkg_id"].rpartition("#")
            name, _, version = tail.rpartition("@")
            yield name or path.rsplit("/", 1)[-1], version or tail


def main():
    file, rustc, *targets = sys.argv[1:]
    crates = {crate for target in targets for crate in linked(rustc, target)}
    lock = (REPO / "Cargo.lock").read_text()
    pinned = set(re.findall(r'name = "(.+)"\nversion = "(.+)"', lock))
    head, *texts = re.split(r"\n-{80}\n\[(\d+)\]\n", Path(file).read_text())
    texts = {number: " ".join(text.lower().split())
             for number, text in zip(texts[::2], texts[1::2], strict=True)}
    rows = re.findall(r"^  (.+) \((.+)\): ((?:\[\d+\](?:, )?)+)$", head, re.MULTILINE)
    named = " ".join(name for name, _, _ in rows)
    errors = []
    for name, version in sorted(crates):
        if name in ("autodns", "rustc-std-workspace-core", "rustc-std-workspace-alloc"):
            continue
        own = (name, version) in pinned
        if own and not any(row == f"{name} {version}" for row, _, _ in rows):
            errors.append(f"{name} {version} of Cargo.lock is not named")
        if not own and not re.search(rf"\b{re.escape(name)}\b", named):
            errors.append(f"{name}, which the standard library uses, is not named")
    for name, licence, marks in rows:
        text = " ".join(texts.get(number, "") for number in re.findall(r"\d+", marks))
        wanted = re.findall(r"[A-Z][\w.-]+\d?", re.sub(r"WITH LLVM-exception|AND|OR", "", licence))
        hits = [WORDS[one] in text for one in wanted]
        enough = all(hits) if "AND" in licence and "(" not in licence else any(hits)
        if not enough:
            errors.append(f"the texts of {name} do not look like {licence}")
    if len(crates) < 50:
        errors.append(f"the plan of the build has only {len(crates)} crates")
    print("\n".join(errors) if errors else f"{len(crates)} crates are named")
    sys.exit(1 if errors else 0)


main()
