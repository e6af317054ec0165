"""One run of the program under test: starts it, sees that it ends, and tells what it said, what it
took, and what it has left running. Knows nothing of what the program is for.
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
# The shell ends at once, and the program becomes ours. Started by us directly, the program's peak
# memory would be ours: the kernel counts what a process had in use before its exec.
STARTER = 'out=$1 err=$2; shift 2; "$@" </dev/null >"$out" 2>"$err" & echo $!'


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a run ended."""

    # The exit code; -N where signal N ended it.
    code: int
    stdout: str
    stderr: str
    # Seconds on the wall, and of the processor.
    seconds: float
    processor: float
    # The most memory in use, in KiB.
    peak: int
    # Whether it had to be killed, since it did not end by itself.
    killed: bool
    # The processes of its session that were left, as the kernel names them.
    left: tuple


def adopt():
    """Makes this process the parent of those whose own parent has ended."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def run(command, environment, folder, scratch, limit):
    """Runs the command in the folder, for at most so many seconds. The scratch folder takes what
    it says, outside of all that it could leave something in."""
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
        left=tuple(left_of(starter.pid)),
    )


def ends(pid, limit):
    """Whether the process ends within so many seconds."""
    descriptor = os.pidfd_open(pid)
    try:
        return bool(select.select([descriptor], [], [], limit)[0])
    finally:
        os.close(descriptor)


def left_of(session):
    """Ends what is left of a session; yields the name of each process that was still running, or
    that nobody had waited for."""
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
