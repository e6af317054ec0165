"""Runs the program under test once: starts it, makes sure that it ends, and returns its output, its
time and memory, and the processes that remain. Must not know what the program does.
"""

import contextlib
import ctypes
import dataclasses
import os
import pathlib
import select
import signal
import subprocess
import time

PR_SET_CHILD_SUBREAPER = 36
# The shell ends immediately, and this process becomes the program's parent. The kernel counts the
# memory of a process before its exec, so a direct start would report the memory of Python.
STARTER = 'out=$1 err=$2; shift 2; "$@" </dev/null >"$out" 2>"$err" & echo $!'


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a run ended."""

    # The exit code, or -N after signal N.
    code: int
    stdout: str
    stderr: str
    # Wall time and processor time, in seconds.
    seconds: float
    processor: float
    # The peak memory, in KiB.
    peak: int
    # Whether it was killed because it did not end.
    killed: bool
    # The names of the processes that remained in its session.
    left: tuple


def become_subreaper():
    """Makes this process the parent of orphaned processes (a subreaper)."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def run(command, environment, folder, scratch, limit):
    """Runs the command in the folder for at most `limit` seconds. Its output goes to the scratch
    folder, which the program does not know."""
    out, err = scratch / "stdout", scratch / "stderr"
    began = time.monotonic()
    starter = subprocess.Popen(
        ["/bin/sh", "-c", STARTER, "sh", str(out), str(err), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=environment,
        cwd=folder,
        start_new_session=True,
        text=True,
    )
    pid = int(starter.communicate()[0])
    killed = not ends(pid, limit)
    if killed:
        os.kill(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    seconds = time.monotonic() - began
    return Ended(
        code=os.waitstatus_to_exitcode(status),
        stdout=out.read_text(errors="replace"),
        stderr=err.read_text(errors="replace"),
        seconds=seconds,
        processor=usage.ru_utime + usage.ru_stime,
        peak=usage.ru_maxrss,
        killed=killed,
        left=tuple(end_session(starter.pid)),
    )


def ends(pid, limit):
    """Whether the process ends within this many seconds."""
    descriptor = os.pidfd_open(pid)
    try:
        return bool(select.select([descriptor], [], [], limit)[0])
    finally:
        os.close(descriptor)


def end_session(session):
    """Ends the remaining processes of a session. Yields the name of each that was still running or
    not waited for."""
    for folder in pathlib.Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            name, _, rest = (folder / "stat").read_text().rpartition(") ")
            fields = rest.split()
            if int(fields[3]) != session:
                continue
        except (OSError, IndexError):
            continue
        yield f"{name.partition('(')[2]} ({fields[0]})"
        with contextlib.suppress(OSError):
            os.kill(int(folder.name), signal.SIGKILL)
            os.waitpid(int(folder.name), 0)
