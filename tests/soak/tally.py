"""Counts the observations of a soak and prints them as a table."""

import collections
import threading

import faults
import rules
from faults import Effect


class Tally:
    """Counts; several threads may add to it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.faults = collections.Counter()
        self.fault_modes = collections.Counter()
        self.longest = 0.0
        self.processor = 0.0
        self.peak = 0

    def add(self, run, violations):
        with self.lock:
            count = self.counts
            count["passed" if not violations else "failed"] += 1
            count[f"exit {run.ended.code}"] += 1
            self.fault_modes[run.scenario.fault_mode.value, run.ended.code] += 1
            changed = run.before != run.after
            count["changed"] += changed
            count["changed but not confirmed"] += changed and run.ended.code == 1
            must_succeed = rules.run_must_succeed(run)
            healthy = all(r.fault.kind is faults.NONE for r in run.exchanges + run.reflections)
            count["too_busy"] += run.too_busy
            count["must succeed"] += must_succeed
            count["succeeded despite a fault"] += must_succeed and not healthy
            count["wrong clock"] += abs(run.scenario.skew) > 300
            for exchange in run.exchanges:
                count["requests"] += 1
                self.faults["AWS", exchange.fault.kind.name] += 1
            for reflection in run.reflections:
                count["asked"] += 1
                self.faults["reflector", reflection.fault.kind.name] += 1
            for operation in ("list", "change", "publish"):
                count["retries"] += retries(run.of(operation))
            count["signed again"] += sum(e.fault.kind is faults.CLOCK for e in run.exchanges)
            self._add_alerts(run)
            self.longest = max(self.longest, run.ended.seconds)
            self.processor += run.ended.processor
            self.peak = max(self.peak, run.ended.peak)

    def _add_alerts(self, run):
        count = self.counts
        alerts = run.delivered(rules.ALERT)
        count["alerts"] += alerts
        count["recoveries"] += run.delivered(rules.RECOVERY)
        failed = run.ended.code == 1
        count["streaks"] += failed and run.first_of_streak
        count["silent"] += failed and run.locked_before
        count["not confirmed"] += failed and not run.locked_before and not run.locked_after
        count["repeated"] += alerts > 0 and run.streak.delivered + alerts > 1
        told = run.delivered(rules.RECOVERY) or run.pending_after
        lost = run.ended.code == 0 and run.due and not told
        count["recoveries lost"] += lost
        over = run.ended.code == 0 and not run.first_of_streak and not run.due
        count["unanswered"] += over and run.streak.delivered > 0
        count["unheard of"] += over and not run.streak.delivered

    @property
    def failed(self):
        return self.counts["failed"]

    @property
    def runs(self):
        return self.counts["passed"] + self.counts["failed"]

    def table(self, seconds):
        count = self.counts
        runs = max(1, self.runs)
        rows = [
            ("runs", f"{self.runs}"),
            ("  exit 0", f"{count['exit 0']}"),
            ("  exit 1", f"{count['exit 1']}"),
            ("  had to succeed", f"{count['must succeed']}"),
            ("    despite a fault", f"{count['succeeded despite a fault']}"),
            ("  machine too busy to judge", f"{count['too_busy']}"),
            ("  record changed", f"{count['changed']}"),
            ("  changed, not confirmed", f"{count['changed but not confirmed']}"),
            ("  AWS's clock off by > 5 min", f"{count['wrong clock']}"),
            ("requests to AWS", f"{count['requests']}"),
            ("  retries among them", f"{count['retries']}"),
            ("  signed again", f"{count['signed again']}"),
            ("requests to reflectors", f"{count['asked']}"),
            ("failures (exit 1 in a row)", f"{count['streaks']}"),
            ("  alerts delivered", f"{count['alerts']}"),
            ("  runs that repeated an alert", f"{count['repeated']}"),
            ("  recovered before any alert", f"{count['unheard of']}"),
            ("  failed runs after an alert", f"{count['silent']}"),
            ("  runs, alert not confirmed", f"{count['not confirmed']}"),
            ("recovery messages delivered", f"{count['recoveries']}"),
            ("  lost", f"{count['recoveries lost']}"),
            ("  none, alert not confirmed", f"{count['unanswered']}"),
            ("wall time", f"{seconds:.0f} s"),
            ("  runs per second", f"{runs / max(seconds, 0.001):.1f}"),
            ("  longest run", f"{self.longest:.2f} s"),
            ("processor time per run", f"{1000 * self.processor / runs:.1f} ms"),
            ("peak memory of a run", f"{self.peak / 1024:.1f} MiB"),
        ]
        text = [f"{name:30} {value:>10}" for name, value in rows]
        text += ["", f"{'faults':30} {'exit 0':>10} {'exit 1':>10}"]
        for fault_mode in sorted({fault_mode for fault_mode, _ in self.fault_modes}):
            good, bad = self.fault_modes[fault_mode, 0], self.fault_modes[fault_mode, 1]
            text.append(f"{fault_mode:30} {good:10} {bad:10}")
        text += ["", f"{'fault':30} {'AWS':>10} {'reflector':>10}"]
        for kind in sorted({kind for _, kind in self.faults}):
            at_aws, at_reflector = self.faults["AWS", kind], self.faults["reflector", kind]
            text.append(f"{kind:30} {at_aws or '-':>10} {at_reflector or '-':>10}")
        return "\n".join(text)


def retries(exchanges):
    """Returns how many requests of one operation follow a failed one."""
    tried_again = (Effect.RETRIED, Effect.WAITED, Effect.SLOW)
    return sum(
        earlier.fault.kind.effect in tried_again
        for earlier, _ in zip(exchanges, exchanges[1:], strict=False)
    )
