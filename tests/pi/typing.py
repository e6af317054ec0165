"""Runs a command on a separate terminal and types an answer, like a person.

    typing.py PROMPT FILE COMMAND...

When the output ends with a match of the regular expression PROMPT, types the content of FILE and a
newline. The answer is in a file, because `ps` would show a password on this command line. Prints
the command's output, exits with its status, and gives up after 120 seconds. Must not answer any
other prompt.
"""

import os
import pty
import re
import select
import signal
import sys
import time

prompt, command = sys.argv[1], sys.argv[3:]
with open(sys.argv[2], encoding="utf-8") as file:
    answer = file.read()
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
deadline = time.monotonic() + 120
seen = b""
while True:
    left = deadline - time.monotonic()
    if left <= 0 or not select.select([terminal], [], [], left)[0]:
        os.kill(pid, signal.SIGKILL)
        sys.exit("typing.py: the command did not end in time")
    try:
        data = os.read(terminal, 4096)
    except OSError:  # The command closed its end.
        break
    if not data:
        break
    sys.stdout.buffer.write(data.replace(b"\r", b""))
    sys.stdout.flush()
    seen += data
    if re.search(prompt.encode() + rb"\Z", seen):
        seen = b""
        os.write(terminal, answer.encode() + b"\n")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
