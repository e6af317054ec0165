#!/usr/bin/env python3
"""Runs a program and kills it when a chosen thread enters a chosen system call, or stops that
thread there permanently, as a failing disk does.

    kill_at.py THREAD NUMBER COUNT PROGRAM ARGUMENT...
    kill_at.py hold THREAD NUMBER COUNT PROGRAM ARGUMENT...
    kill_at.py count FILE PROGRAM ARGUMENT...

THREAD is 1 for the first thread, 1.2 for the second thread that it starts, 1.2.1 for the first
thread that 1.2 starts. These names are the same in each run, in whatever order threads start.
NUMBER is the kernel's number of the call. COUNT counts the thread's calls with that number from 1,
after the program was loaded, so that a different number of waits does not shift other calls. The
call is not carried out. A run that does not reach it ends normally. The second form stops only that
thread. The other threads continue, and the end of the process ends it too. The third form kills
nothing and writes `THREAD NUMBER COUNT` to FILE for each call.

(strace's `inject` counts per thread and cannot select a thread, so it never reaches the first call
of a thread that starts late.)

It follows threads, not other processes, and knows nothing of the program. It needs Linux 5.3 or
newer, on any processor.
"""

import ctypes
import os
import signal
import struct
import sys

TRACEME, SYSCALL, SETOPTIONS, GETEVENTMSG = 0, 24, 0x4200, 0x4201
GET_SYSCALL_INFO, ENTRY = 0x420E, 1
SYSGOOD, CLONE, EXEC, EXITKILL = 0x1, 0x8, 0x10, 0x100000
EVENT_CLONE, EVENT_EXEC = 3, 4
WALL = 0x40000000  # The threads too.

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def ptrace(request, tid, address=None, data=None):
    if libc.ptrace(request, tid, address, data) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace({request:#x}): {os.strerror(number)}")


def resume(tid, signal_number=0):
    try:
        ptrace(SYSCALL, tid, None, signal_number)
    except ProcessLookupError:
        pass  # Another thread ended the process meanwhile; its end is reported.


def entered(tid):
    """The number of the call that a thread enters; None where it leaves one."""
    information = ctypes.create_string_buffer(88)
    ptrace(GET_SYSCALL_INFO, tid, len(information), ctypes.addressof(information))
    operation, number = struct.unpack_from("B23xQ", information)
    return number if operation == ENTRY else None


def watch(program, point, hold=False):
    """Returns the status of wait(), and how often each thread made each call."""
    first = os.fork()
    if first == 0:
        ptrace(TRACEME, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        os.execv(program[0], program)
    os.waitpid(first, 0)
    ptrace(SETOPTIONS, first, None, SYSGOOD | CLONE | EXEC | EXITKILL)
    resume(first)
    names, calls, children = {first: "1"}, {}, {}
    early = set()  # Threads that stopped before the event of their start.
    loaded = False
    while True:
        tid, status = os.waitpid(-1, WALL)
        if not os.WIFSTOPPED(status):
            if tid == first:
                return status, calls
            continue
        stopped, event = os.WSTOPSIG(status), status >> 16
        if tid not in names:
            early.add(tid)
            continue
        if stopped == signal.SIGTRAP | 0x80:
            try:
                number = entered(tid)
                if loaded and number is not None:
                    call = names[tid], number
                    calls[call] = calls.get(call, 0) + 1
                    if (*call, calls[call]) == point:
                        if hold:
                            continue
                        os.kill(first, signal.SIGKILL)
            except ProcessLookupError:
                pass
            resume(tid)
        elif event == EVENT_CLONE:
            message = ctypes.c_ulong()
            ptrace(GETEVENTMSG, tid, None, ctypes.addressof(message))
            children[tid] = children.get(tid, 0) + 1
            names[message.value] = f"{names[tid]}.{children[tid]}"
            if message.value in early:
                resume(message.value)
            resume(tid)
        elif event == EVENT_EXEC:
            loaded = True
            resume(tid)
        elif stopped == signal.SIGSTOP:
            resume(tid)  # How a new thread begins.
        else:
            resume(tid, stopped)


def main():
    if sys.argv[1] == "count":
        _, _, path, *program = sys.argv
        status, calls = watch(program, None)
        with open(path, "w", encoding="utf-8") as file:
            for (thread, number), count in calls.items():
                file.writelines(f"{thread} {number} {one}\n" for one in range(1, count + 1))
    else:
        hold = sys.argv[1] == "hold"
        thread, number, count, *program = sys.argv[2 if hold else 1 :]
        status, _ = watch(program, (thread, int(number), int(count)), hold)
    if os.WIFSIGNALED(status):
        os.kill(os.getpid(), os.WTERMSIG(status))
    sys.exit(os.WEXITSTATUS(status))


main()
