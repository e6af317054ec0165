"""Holds the sizes of the binaries, and what a quiet run takes, against benches/budget.toml, whose
head says how to raise a number. scripts/budget.sh starts it. It must not build anything.
"""

import argparse
import pathlib
import re
import statistics
import sys
import tomllib

import gauges
import place

FILE = pathlib.Path(__file__).resolve().parent / "budget.toml"
MEASURED = "x86_64-unknown-linux-musl"


def main():
    options = parse()
    place.leave_on_termination()
    text = FILE.read_text(encoding="utf-8")
    budget = tomllib.loads(text)
    targets = options.targets or list(budget["bytes"])
    if unknown := set(targets) - set(budget["bytes"]):
        raise SystemExit(f"budget.sh: benches/budget.toml has no target {', '.join(unknown)}")
    found = measure(options.binaries, targets)
    if options.update:
        FILE.write_text(updated(text, found), encoding="utf-8")
        print("budget.sh: benches/budget.toml has what was measured")
        return
    verdicts = [*judge(budget, found)]
    for words, _ in verdicts:
        print(f"budget.sh: {words}")
    if over := sum(is_over for _, is_over in verdicts):
        sys.exit(
            f"budget.sh: {over} of {len(verdicts)} over budget; if that is what it has to cost,"
            " scripts/budget.sh --update raises it: see the head of benches/budget.toml"
        )


def parse():
    parser = argparse.ArgumentParser(
        prog="scripts/budget.sh",
        description="Holds target/pi/TARGET/autodns against benches/budget.toml.",
    )
    parser.add_argument("--binaries", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument(
        "--update", action="store_true", help="write what is measured into benches/budget.toml"
    )
    parser.add_argument(
        "targets",
        nargs="*",
        metavar="TARGET",
        help=f"these only; {MEASURED} is also run. All by default",
    )
    return parser.parse_args()


def measure(binaries, targets):
    """{section: {what: number}}, of the targets named."""
    programs = {target: binaries / target / "autodns" for target in targets}
    for target, program in programs.items():
        if not program.is_file():
            raise SystemExit(
                f"budget.sh: {program} is not there: scripts/build-pi.sh --way source {target}"
            )
    found = {"bytes": {target: file.stat().st_size for target, file in programs.items()}}
    if MEASURED in programs:
        try:
            found["quiet_run"] = quiet_run(programs[MEASURED])
        except place.NotQuiet as error:
            raise SystemExit(f"budget.sh: {error}") from error
    return found


def quiet_run(program):
    """The least of some runs, since what else the machine does can only add to it. But memory is
    counted by the kernel in steps of 128 kB, too low as often as too high: the median of many."""
    with place.Place() as where:
        command = [str(program), str(where.config)]
        seen = [gauges.run(where, command) for _ in range(3)]
        calls, written = zip(*(gauges.system_calls(where, command) for _ in range(25)))
        return {
            "instructions": min(gauges.instructions(where, command) for _ in range(3)),
            "system_calls": min(calls),
            "peak_rss": int(
                statistics.median(gauges.peak_rss(where, command) for _ in range(25))
            ),
            "bytes_sent": min(each.bytes_from for each in seen),
            # Of these, one run too many is too many.
            "files_written": max(written),
            "connections": max(each.connections for each in seen),
        }


def judge(budget, found):
    """A line for each number that was measured, and whether it is over."""
    for section, numbers in found.items():
        for what, number in numbers.items():
            name = f"{what}: bytes" if section == "bytes" else f"quiet run: {what}"
            allowed = budget[section][what]
            slack = budget["slack"].get(what, budget["slack"]["default"])
            # In whole numbers: 3 % more is within, one more than that is not.
            over = 100 * number > (100 + slack) * allowed
            words = f"{name}: {number:,} of {allowed:,}"
            if allowed:
                words += f" ({(number - allowed) / allowed:+.1%})"
            if over:
                words = f"OVER BUDGET: {words}, and {slack} % more is the most"
            elif 100 * number < (100 - slack) * allowed:
                words += "; better than budgeted: --update holds on to it"
            yield words, over


def updated(text, found):
    """The file with the numbers replaced, comments and all else kept."""
    section = None
    lines = []
    for line in text.splitlines():
        if heading := re.fullmatch(r"\[(\w+)\]", line):
            section = heading[1]
        elif number := re.fullmatch(r"([\w-]+) = \d+", line):
            if number[1] in found.get(section, {}):
                line = f"{number[1]} = {found[section][number[1]]}"
        lines.append(line)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
