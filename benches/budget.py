"""Compares the sizes of the binaries and the cost of a quiet run with benches/budget.toml.

The head of budget.toml says how to raise a number. Started by scripts/budget.sh. Must not build
anything.
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
    place.exit_on_sigterm()
    text = FILE.read_text(encoding="utf-8")
    budget = tomllib.loads(text)
    targets = options.targets or list(budget["bytes"])
    if unknown := set(targets) - set(budget["bytes"]):
        raise SystemExit(f"budget.sh: benches/budget.toml has no target {', '.join(unknown)}")
    found = measure(options.binaries, targets)
    if options.update:
        FILE.write_text(updated(text, found), encoding="utf-8")
        print("budget.sh: wrote the measured numbers into benches/budget.toml")
        return
    verdicts = [*judge(budget, found)]
    for words, _ in verdicts:
        print(f"budget.sh: {words}")
    if over := sum(is_over for _, is_over in verdicts):
        sys.exit(
            f"budget.sh: {over} of {len(verdicts)} numbers are over budget; reduce them, or raise"
            " the budget as the head of benches/budget.toml says"
        )


def parse():
    parser = argparse.ArgumentParser(
        prog="scripts/budget.sh",
        description="Compares target/pi/TARGET/autodns with benches/budget.toml.",
    )
    parser.add_argument("--binaries", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument(
        "--update",
        action="store_true",
        help="write the measured numbers into benches/budget.toml",
    )
    parser.add_argument(
        "targets",
        nargs="*",
        metavar="TARGET",
        help=f"check only these targets (default: all); {MEASURED} is also run",
    )
    return parser.parse_args()


def measure(binaries, targets):
    """Returns {section: {name: number}} for these targets."""
    programs = {target: binaries / target / "autodns" for target in targets}
    for target, program in programs.items():
        if not program.is_file():
            raise SystemExit(
                f"budget.sh: {program} does not exist; build it:"
                f" scripts/build-pi.sh --way source {target}"
            )
    found = {"bytes": {target: file.stat().st_size for target, file in programs.items()}}
    if MEASURED in programs:
        try:
            found["quiet_run"] = quiet_run(programs[MEASURED])
        except place.NotQuiet as error:
            raise SystemExit(f"budget.sh: {error}") from error
    return found


def quiet_run(program):
    """Returns the cost of a quiet run: {name: number}.

    This is the minimum of several runs, because other work on the machine can only add to the cost.
    For memory it is the median of many runs: the kernel counts in steps of 128 kB, which is too low
    as often as too high.
    """
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
            # The maximum, because these must not exceed the budget in any run.
            "files_written": max(written),
            "connections": max(each.connections for each in seen),
        }


def judge(budget, found):
    """Yields a line per measured number, and whether the number is over budget."""
    for section, numbers in found.items():
        for what, number in numbers.items():
            name = f"{what}: bytes" if section == "bytes" else f"quiet run: {what}"
            allowed = budget[section][what]
            slack = budget["slack"].get(what, budget["slack"]["default"])
            # In whole numbers, so that exactly 3 % more is within the budget.
            over = 100 * number > (100 + slack) * allowed
            words = f"{name}: {number:,} of {allowed:,}"
            if allowed:
                words += f" ({(number - allowed) / allowed:+.1%})"
            if over:
                words = f"OVER BUDGET: {words}, and at most {slack} % more is allowed"
            elif 100 * number < (100 - slack) * allowed:
                words += "; below budget: lower the budget with --update"
            yield words, over


def updated(text, found):
    """Returns the file's text with only the measured numbers replaced."""
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
