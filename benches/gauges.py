"""What is measured of one quiet run, each by a tool made for it: time by the kernel, instructions
by callgrind and qemu, memory by GNU time, system calls by strace. Each gauge runs the program once
and returns a number; a program that fails, or says something, or does not do a quiet run, is not
measured but reported.
"""

import os
import pathlib
import re
import subprocess
import tempfile
import time

import place

# A system call is a line; one that was interrupted by another thread is two, of which one says so.
NO_CALL = re.compile(r"^\d+ +(\+\+\+ |--- |<\.\.\. )")
WRITES = re.compile(r'^\d+ +(?:open|openat|creat)\(.*"(?P<file>[^"]*)".*O_(?:WRONLY|RDWR|CREAT)')
MAKES = re.compile(r"^\d+ +(?:mkdir|mkdirat|rename|renameat2?|link|symlink|unlink)\(")


def run(where, command, through=()):
    """Runs it, by way of another program maybe, and returns what the server saw."""
    name = pathlib.Path(command[-2 if len(command) > 1 else 0]).name
    done = subprocess.run(
        [*through, *command],
        env=where.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        cwd=where.folder,
    )
    # strace and valgrind write to files of their own, so what is here is the program's.
    if done.returncode or done.stdout or done.stderr:
        said = (done.stdout + done.stderr).decode(errors="replace").strip()
        raise place.NotQuiet(f"{name}: exit status {done.returncode}: {said or 'no words'}")
    return where.take(name)


def seconds(where, command, round_trip):
    """Wall time, and time on a processor, with the servers `round_trip` seconds away."""
    where.set_round_trip(round_trip)
    # Not by subprocess.run, which looks after its pipes meanwhile.
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
        raise place.NotQuiet(f"{command}: it failed in a timed run")
    where.take(command[0])
    return wall, usage.ru_utime + usage.ru_stime


def instructions(where, command):
    """Instructions executed in user space, by the program and those it starts."""
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
    """The most memory in RAM at once, in bytes, of whichever of its processes had most."""
    with tempfile.NamedTemporaryFile(dir=where.folder) as file:
        run(where, command, ["/usr/bin/time", "--format=%M", f"--output={file.name}"])
        return int(file.read().split()[-1]) * 1024


def system_calls(where, command):
    """System calls, and the files that were opened to be written, in all of its processes."""
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
    """Instructions of an armv7 program on an emulated Cortex-A7, as count-instructions.c counts."""
    count = where.folder / "instructions"
    run(where, command, ["qemu-arm", "-cpu", "cortex-a7", "-plugin", f"{plugin},out={count}"])
    return int(count.read_text(encoding="utf-8"))
