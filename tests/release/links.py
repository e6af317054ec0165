#!/usr/bin/env python3
"""Reports every broken reference in the texts of an unpacked archive.

A reference is a link in a page, the `$schema` of a configuration, or a path in a text. With --root
it is also an absolute path below /usr/share. In THIRD-PARTY-NOTICES.txt and in changelogs only
links count, because others wrote the former and the latter name removed files. Must not look
outside the folder.

usage: tests/release/links.py [--root] FOLDER      (--root: FOLDER is the root of a file system)
"""

import gzip
import re
import sys
from pathlib import Path

LINK = re.compile(r"\]\(([^)\s]+)\)|\bhref=\"([^\"]+)\"|\"\$schema\":\s*\"([^\"]+)\"")
# A relative path to a file with an extension, or the name of a page.
PATH = re.compile(r"(?<![\w./~$@:%-])((?:[\w.-]+/)+[\w-]+\.[\w.]*\w|[\w.-]+\.(?:md|txt))\b(?!/)")
ABSOLUTE = re.compile(r"(?<![\w.])(/usr/share/[\w./-]*\w)")
# The texts in which paths count. Scripts are tested by running them.
PAGES = (".txt", ".md", ".json", ".yaml", ".1", ".5", ".service", ".timer", "README.Debian",
         "copyright", "LICENSE", "credentials")
ONLY_LINKS = ("THIRD-PARTY-NOTICES.txt", "changelog", "changelog.Debian")


def text_of(file):
    data = file.read_bytes()
    if file.suffix == ".gz":
        data = gzip.decompress(data)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def leads_somewhere(reference, file, top, root):
    reference = reference.split("#")[0]
    if re.match(r"[a-z]+:", reference) or not reference:
        return True
    if reference.startswith("/"):
        return root and (top / reference[1:]).exists()
    places = [file.parent, top]
    return any((place / reference).resolve().is_relative_to(top) and (place / reference).exists()
               for place in places)


def main():
    arguments = sys.argv[1:]
    root = arguments[:1] == ["--root"]
    top = Path(arguments[-1]).resolve()
    count = 0
    broken = []
    for file in sorted(f for f in top.rglob("*") if f.is_file()):
        text = text_of(file)
        if text is None:
            continue
        name = file.name.removesuffix(".gz")
        # A pattern in a schema can look like a link in a page.
        found = [next(filter(None, match)) for match in LINK.findall(text)
                 if not (match[0] and name.endswith(".json"))]
        if name.endswith(PAGES) and name not in ONLY_LINKS:
            found += PATH.findall(text)
            found += ABSOLUTE.findall(text) if root else []
        count += len(found)
        broken += [f"{file.relative_to(top)}: {reference}" for reference in found
                   if not leads_somewhere(reference, file, top, root)]
    print("\n".join(broken) if broken else f"{count} references")
    sys.exit(1 if broken or not count else 0)


main()
