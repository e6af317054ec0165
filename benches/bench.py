"""Measures autodns and its peers in turn and prints a table. Started by scripts/bench.sh.

docs/benchmarks.md explains the rows. All figures must come from one run of this script, and only
from programs that did the quiet run.
"""

import argparse
import datetime
import os
import pathlib
import platform
import statistics
import sys
import textwrap

import contenders
import gauges
import place

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent
RTT = 0.040
BEGIN, END = "<!-- bench: written by scripts/bench.sh --pages -->", "<!-- end of bench -->"


def main():
    options = parse()
    place.exit_on_sigterm()
    cache = options.cache.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    log("preparing the peers")
    everyone = [contenders.autodns(options.program.resolve())]
    if not options.alone:
        everyone += contenders.peers(cache)
    with place.Place() as where:
        try:
            found = measure(where, everyone, options.rounds)
            armv7 = measure_armv7(where, options, cache)
        except place.NotQuiet as error:
            raise SystemExit(f"bench.sh: {error}") from error
    table = [*make_table(everyone, found, [row[0] for row in ROWS])]
    report = [*notes(everyone, options.rounds, armv7)]
    print("\n".join([*table, "", *report]))
    if options.record:
        record(table, report)
    if options.pages:
        write_into("README.md", make_table(everyone, found, README_ROWS))
        write_into("docs/benchmarks.md", make_table(everyone, found, PAGE_ROWS))


def parse():
    parser = argparse.ArgumentParser(prog="scripts/bench.sh")
    parser.add_argument("--program", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--armv7", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument(
        "--rounds", type=int, default=15, metavar="N", help="timed runs per program; default 15"
    )
    parser.add_argument("--alone", action="store_true", help="autodns only, without its peers")
    parser.add_argument(
        "--no-record",
        dest="record",
        action="store_false",
        help="do not add the table to benches/results.md",
    )
    parser.add_argument(
        "--pages",
        action="store_true",
        help="also write the table into README.md and docs/benchmarks.md",
    )
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds needs 1 or more")
    if options.alone and options.pages:
        parser.error("--pages needs the peers; leave out --alone")
    return options


def log(words):
    print(f"bench.sh: {words}", file=sys.stderr)


# --- measuring ------------------------------------------------------------------------------------


def measure(where, everyone, rounds):
    """Returns the medians as {name of the contender: {key of ROWS: number}}."""
    samples = {each.name: {} for each in everyone}

    def note(each, **values):
        for what, value in values.items():
            samples[each.name].setdefault(what, []).append(value)

    commands = [(each, [*each.command, str(where.config)]) for each in everyone]
    log("one run of each program to warm up")
    for _, command in commands:
        gauges.run(where, command)

    log(f"time: {rounds} rounds")
    for _ in range(rounds):
        for each, command in commands:
            near, busy = gauges.seconds(where, command, 0)
            far, _ = gauges.seconds(where, command, RTT)
            note(each, near=near, far=far, busy=busy)

    log("memory, system calls and bytes")
    for _ in range(5):
        for each, command in commands:
            seen = gauges.run(where, command)
            calls, written = gauges.system_calls(where, command)
            note(
                each,
                rss=gauges.peak_rss(where, command),
                calls=calls,
                written=written,
                bytes_from=seen.bytes_from,
                bytes_to=seen.bytes_to,
                request_bytes=seen.request_bytes,
                connections=seen.connections,
                handshakes=seen.handshakes,
            )

    log("instructions")
    for turn in range(3):
        for each, command in commands:
            # Large programs run once: they take long, and their runs differ by less than the table
            # shows.
            if turn == 0 or samples[each.name]["instructions"][0] < 100e6:
                note(each, instructions=gauges.instructions(where, command))

    found = {
        name: {what: statistics.median(values) for what, values in sample.items()}
        for name, sample in samples.items()
    }
    for each in everyone:
        mine = found[each.name]
        mine["trips"] = (mine["far"] - mine["near"]) / RTT
        mine["disk"] = each.bytes_on_disk
    return found


def measure_armv7(where, options, cache):
    """Returns the median of the armv7 binary's instructions, or None without that binary."""
    if not options.armv7:
        return None
    log("instructions on armv7")
    plugin = cache / "count-instructions.so"
    contenders.quietly(
        ["cc", "-shared", "-fPIC", "-O2", "-o", plugin, HERE / "count-instructions.c"]
    )
    command = [str(options.armv7), str(where.config)]
    counts = [gauges.instructions_armv7(where, command, plugin) for _ in range(5)]
    return statistics.median(counts)


# --- output ---------------------------------------------------------------------------------------

# The key, the title in the table, the unit, the number of decimals, and whether it has a ratio.
ROWS = [
    ("instructions", "instructions, millions", 1e6, 1, True),
    ("busy", "processor time, user + system, ms", 1e-3, 1, True),
    ("near", "wall time, ms, servers next door", 1e-3, 1, True),
    ("far", "wall time, ms, servers 40 ms away and back", 1e-3, 0, True),
    ("trips", "round trips waited for", 1, 1, True),
    ("rss", "peak memory, MB", 1e6, 1, True),
    ("calls", "system calls", 1, 0, True),
    ("written", "files written", 1, 0, False),
    ("bytes_from", "bytes sent, TLS and all", 1, 0, True),
    ("request_bytes", "… of these, requests", 1, 0, True),
    ("bytes_to", "bytes received, TLS and all", 1, 0, True),
    ("connections", "connections", 1, 0, False),
    ("handshakes", "TLS handshakes", 1, 0, False),
    ("disk", "on disk, MB", 1e6, 1, True),
]
README_ROWS = ["busy", "far", "rss", "disk"]
PAGE_ROWS = ["instructions", "busy", "far", "trips", "rss", "calls", "bytes_from", "disk"]


def make_table(everyone, found, rows):
    """Yields the table: a row per key in `rows`, a column per contender, ratios to the first."""
    yield "| one quiet run | " + " | ".join(each.name for each in everyone) + " |"
    yield "|---|" + "--:|" * len(everyone)
    first = found[everyone[0].name]
    for what, title, unit, decimals, has_ratio in ROWS:
        if what not in rows:
            continue
        cells = []
        for each in everyone:
            value = found[each.name][what]
            cell = f"{value / unit:,.{decimals}f}"
            if has_ratio and each is not everyone[0] and first[what]:
                cell += f" ({ratio(value / first[what])}×)"
            cells.append(cell)
        yield f"| {title} | " + " | ".join(cells) + " |"


def ratio(value):
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"


def notes(everyone, rounds, armv7):
    """Yields the programs, versions and machine of the run, as lines for a page."""
    said = []
    if armv7 is not None:
        millions = f"{armv7 / 1e6:.1f} million instructions"
        said.append(f"The armv7 binary on an emulated Cortex-A7: {millions}.")
    versions = dict.fromkeys(each.versions for each in everyone)
    rustc = " ".join(first_line(["rustc", "--version"]).split()[:2])
    said.append(f"{'; '.join(versions)}; peers in Rust by {rustc}.")
    said.append(
        f"{first_line(['valgrind', '--version'])}, Linux {platform.release()}, {os.cpu_count()}"
        f" processors, load {os.getloadavg()[1]:.1f}; medians of {rounds} timed runs."
    )
    for each in said:
        yield from textwrap.wrap(each, 100, initial_indent="- ", subsequent_indent="  ")


def first_line(command):
    return contenders.output(command).split("\n")[0]


def record(table, report):
    """Adds the run to benches/results.md, above the earlier ones."""
    file = HERE / "results.md"
    text = file.read_text(encoding="utf-8")
    head, mark, earlier = text.partition("\n## ")
    # The last commit that changed the binary's sources. Later commits do not affect the figures.
    source = ["src", "Cargo.toml", "Cargo.lock", "scripts/build-pi.sh"]
    git = ["git", "-C", REPOSITORY]
    commit = contenders.output([*git, "log", "-1", "--format=%h", "--", *source]).strip()
    if contenders.output([*git, "status", "--porcelain", "--", *source]):
        commit += " and changes"
    today = datetime.date.today().isoformat()
    lines = [f"\n## {today}, source of {commit}", "", *table, "", *report, ""]
    file.write_text(head + "\n".join(lines) + mark + earlier, encoding="utf-8")
    log("added the run to benches/results.md")


def write_into(page, table):
    """Writes the table between the markers of the page."""
    file = REPOSITORY / page
    text = file.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise SystemExit(f"bench.sh: {page} lacks the markers {BEGIN} and {END}")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    lines = "\n".join([BEGIN, *table, END])
    file.write_text(before + lines + after, encoding="utf-8")
    log(f"wrote the table into {page}")


main()
