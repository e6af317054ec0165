"""How late this process has been: a machine that is busy with other things makes the servers slow,
and what was promised of time must not be held against a program that did not get any.
"""

import threading
import time

BEAT = 0.05
# Later than this, in seconds, and times say nothing any more.
LATE = 0.25


class Pulse:
    """Wakes up twenty times a second and notes when it was late."""

    def __init__(self):
        self.late = 0.0
        threading.Thread(target=self._beat, daemon=True).start()

    def _beat(self):
        due = time.monotonic()
        while True:
            due += BEAT
            time.sleep(max(0, due - time.monotonic()))
            now = time.monotonic()
            if now - due > LATE:
                self.late = now
                due = now

    def was_late_since(self, moment):
        """Whether it was, at any time since that moment of time.monotonic()."""
        return self.late >= moment
