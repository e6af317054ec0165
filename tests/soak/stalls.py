"""Detects stalls of this process. On a busy machine the servers are slow, and the rules about time
must not apply to a run with too little processor time.
"""

import threading
import time

INTERVAL = 0.05
# A delay above this, in seconds, is a stall.
STALL = 0.25


class StallDetector:
    """Wakes up twenty times per second and notes when it was late."""

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
        """Whether there was a stall since this time, by time.monotonic()."""
        return self.last >= moment
