"""How late this process has been: a machine that is busy with other things makes the servers slow,
and what was promised of time must not be held against a program that did not get any.
"""

import threading
import time

INTERVAL = 0.05
# Later than this, in seconds, and times say nothing any more.
STALL = 0.25


class StallDetector:
    """Wakes up twenty times a second and notes when it was late."""

    def __init__(self):
        self.last = 0.0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        due = time.monotonic()
        while True:
            due += INTERVAL
            time.sleep(max(0, due - time.monotonic()))
            now = time.monotonic()
            if now - due > STALL:
                self.last = now
                due = now

    def stalled_since(self, moment):
        """Whether it was, at any time since that moment of time.monotonic()."""
        return self.last >= moment
