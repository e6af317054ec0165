"""Measures one quiet run: time, instructions, memory and system calls.

The tools are the kernel's clock, callgrind and qemu, GNU time, and strace. Each function runs the
program once and returns numbers. If the program fails, prints something or does not do a quiet run,
it raises an error instead.
"""

import os
import pathlib
import re
import subprocess
import tempfile
import time

import place

# strace prints one line per system call. If another thread interrupts the call, there is a second
# line with "resumed". These lines, signals and exits are not system calls.
NO_CALL = re.compile(r"^\d+ +(\+\+\+ |--- |<\.\.\. )")
WRITES = re.compile(r'^\d+ +(?:open|openat|creat)\(.*"(?P<file>[^"]*)".*O_(?:WRONLY|RDWR|CREAT)')
MAKES = re.compile(r"^\d+ +(?:mkdir|mkdirat|rename|renameat2?|link|symlink|unlink)\(")


def run(where, command, through=()):
    """Runs the command, with `through` before it, and returns what the server counted."""
    name = pathlib.Path(command[-2 if len(command) > 1 else 0]).name
    done = subprocess.run(
        [*through, *command],
        env=where.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        cwd=where.folder,
    )
    # strace and valgrind write to separate files, so this is the output of the program.
    if done.returncode or done.stdout or done.stderr:
        said = (done.stdout + done.stderr).decode(errors="replace").strip()
        raise place.NotQuiet(f"{name}: exit status {done.returncode}: {said or 'no output'}")
    return where.take(name)


def seconds(where, command, round_trip):
    """Returns wall time and processor time, with servers `round_trip` seconds away."""
    where.set_round_trip(round_trip)
    # subprocess.run would read its pipes during the run, which takes processor time.
    null = os.open(os.devnull, os.O_RDWR)
    began = time.perf_counter()
    child = os.posix_spawnp(
        command[0],
        [str(word) for word in command],
        where.environment,
        file_actions=[(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)],
    )
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - began
    os.close(null)
    where.set_round_trip(0)
    if status:
        raise place.NotQuiet(f"{command}: failed in a timed run")
    where.take(command[0])
    return wall, usage.ru_utime + usage.ru_stime


def instructions(where, command):
    """Returns the instructions in user space, of the program and its child processes."""
    with tempfile.TemporaryDirectory(dir=where.folder) as folder:
        run(
            where,
            command,
            [
                "valgrind",
                "--tool=callgrind",
                "--quiet",
                "--trace-children=yes",
                f"--callgrind-out-file={folder}/%p",
                f"--log-file={folder}/log.%p",
            ],
        )
        counts = [
            int(line.split()[1])
            for file in pathlib.Path(folder).iterdir()
            for line in file.read_text(encoding="utf-8").splitlines()
            if line.startswith("totals:")
        ]
    return sum(counts)


def peak_rss(where, command):
    """Returns the peak resident memory in bytes, of the process with the highest peak."""
    with tempfile.NamedTemporaryFile(dir=where.folder) as file:
        run(where, command, ["/usr/bin/time", "--format=%M", f"--output={file.name}"])
        return int(file.read().split()[-1]) * 1024


def system_calls(where, command):
    """Returns the number of system calls and of written files, of all its processes."""
    with tempfile.NamedTemporaryFile("r", dir=where.folder, encoding="utf-8") as file:
        run(where, command, ["strace", "-f", "-qq", "-o", file.name])
        lines = [line for line in file if not NO_CALL.match(line)]
    written = {
        found["file"]
        for line in lines
        if (found := WRITES.match(line)) and not found["file"].startswith("/dev/")
    }
    made = [line for line in lines if MAKES.match(line)]
    return len(lines), len(written) + len(made)


def instructions_armv7(where, command, plugin):
    """Returns the instructions of an armv7 program, counted by count-instructions.c in qemu."""
    count = where.folder / "instructions"
    run(where, command, ["qemu-arm", "-cpu", "cortex-a7", "-plugin", f"{plugin},out={count}"])
    return int(count.read_text(encoding="utf-8"))
