"""The rules that must hold after each run in every scenario. Pure: returns the broken rules of an
observation. They use the requests to the servers and the records in Route 53, never only the
program's output.

Three things are not checked, on purpose. A single source with a wrong address is not tested,
because no other source could disagree. The program may or may not have read a response in the last
moments of a run. If this machine was too busy, the rules about time do not apply.
"""

import dataclasses
import re

from faults import Effect
from scenario import Scenario, FaultMode

# The last part of the deadline, which is reserved for the alert.
ALERT_SHARE = 0.25
# The program must have read a response sent this long before its end, in seconds.
LAST_MOMENTS = 0.4
# How much longer than its deadline a run may take on a busy machine.
OVERTIME = 3.0
# The time of a request besides that of the server, on a busy machine.
ALLOWANCE = 0.4
# The maximum attempts of one request.
ATTEMPTS = 3
# The faults with a normal response in time.
PLAIN = ("none", "idle close")
HARMLESS = (Effect.BENIGN, Effect.SIGNED_AGAIN)


@dataclasses.dataclass(frozen=True)
class Streak:
    """The alerts of the failed runs since the last good run: the number of delivered alerts, and of
    those whose response the program may not have received."""

    delivered: int = 0
    unsure: int = 0


@dataclasses.dataclass(frozen=True)
class Observation:
    """A run, observed from outside."""

    scenario: Scenario
    # The address per name. None if there is no record.
    before: dict
    after: dict
    locked_before: bool
    locked_after: bool
    # Whether there is a pending file, for a message whose outcome is unknown.
    pending_before: bool
    pending_after: bool
    lock_problem: str | None
    streak: Streak
    first_of_streak: bool
    ended: object
    # The start of the program, by time.monotonic().
    began: float
    # Whether this machine was too busy for the rules about time.
    too_busy: bool
    exchanges: list
    reflections: list
    messages: list
    strays: list
    open_connections: int
    secrets: list

    def of(self, operation):
        return [exchange for exchange in self.exchanges if exchange.operation == operation]

    @property
    def named(self):
        """The addresses that right sources have sent in this run."""
        return {reflection.said for reflection in self.reflections if reflection.right}

    @property
    def lines(self):
        return self.ended.stderr.splitlines()

    def knows(self, exchange):
        """True if the program must have read a good response, False if it cannot have, and None if
        both are possible."""
        if not exchange.told or exchange.status != 200:
            return False
        end = self.began + self.scenario.deadline
        return True if exchange.ended < end - LAST_MOMENTS and not self.too_busy else None

    @property
    def due(self):
        """Whether a recovery message must follow."""
        return self.locked_before or self.pending_before

    def published(self):
        """Whether the program must know that a message was sent. None if it may."""
        known = [self.knows(exchange) for exchange in self.of("publish")]
        return True if True in known else None if None in known else False

    def delivered(self, subject):
        return sum(subject in message["subject"] for message in self.messages)

    def next_streak(self):
        if self.ended.code == 0:
            return Streak()
        unsure = sum(e.carried and self.knows(e) is not True for e in self.of("publish"))
        alerts = self.delivered(ALERT)
        return Streak(self.streak.delivered + alerts, self.streak.unsure + unsure)


ALERT = "not up to date"
RECOVERY = "up to date again"


def violations(run):
    """The broken rules, one per line."""
    found = []
    for rule in (ending, record, exit_code, writes, lock, mail, output, attempts, leftovers):
        found += [f"{rule.__name__}: {problem}" for problem in rule(run)]
    return found


def ending(run):
    ended = run.ended
    over = ended.seconds > run.scenario.deadline + OVERTIME and not run.too_busy
    if ended.killed or over:
        yield f"it ran for {ended.seconds:.1f} s, with a deadline of {run.scenario.deadline} s"
    if ended.code not in (0, 1) and not ended.killed:
        yield f"it ended with {ended.code}"
    if "panicked" in ended.stderr:
        yield "it panicked"


def record(run):
    for name, address in run.after.items():
        if name not in run.before:
            yield f"the zone also contains {name}"
        elif address != run.before[name] and address not in run.named:
            yield f"{name} is {address}, which no right source sent"


def exit_code(run):
    if run.ended.code == 0:
        for name, address in run.after.items():
            if address not in run.named:
                yield f"exit code 0, but {name} is {address}"
    elif run.ended.code == 1 and run_must_succeed(run):
        yield "exit code 1, although a retry repairs every fault"


def run_must_succeed(run):
    """Whether the run must succeed: a right source had no fault, and each request to AWS had, apart
    from benign faults, at most one quick failure that AWS's rules retry, and enough time for it."""
    if run.too_busy or run.scenario.fault_mode in (FaultMode.WRONG_ADDRESS, FaultMode.NEW_ADDRESS):
        return False
    plain = [r for r in run.reflections if r.right and r.fault.kind.name in PLAIN]
    closed = [e for e in run.of("list") if e.fault.kind.name == "idle close"]
    # The first requests may take half of the time for the work.
    seconds = run.scenario.deadline * (1 - ALERT_SHARE) / 2
    attempts = run.scenario.attempts or ATTEMPTS
    return bool(plain) and all(
        request_must_succeed(exchanges, len(closed), seconds, attempts)
        for exchanges in (run.of("list"), run.of("change"))
    )


def request_must_succeed(exchanges, closed, seconds, attempts):
    """Whether a request must succeed within this much time. A connection that was closed after the
    previous response also counts as a quick failure."""
    failed = [e.fault for e in exchanges if e.fault.kind.effect not in HARMLESS]
    failures = closed + len(failed)
    # The first delay is at most one second.
    needed = ALLOWANCE + failures + sum(e.ended - e.began for e in exchanges)
    return (
        needed <= seconds
        and failures <= min(1, attempts - 1)
        and all(fault.kind.effect in (Effect.RETRIED, Effect.WAITED) for fault in failed)
    )


def writes(run):
    """Nothing is written if the sources disagree or if nothing changed."""
    said = {reflection.said for reflection in run.reflections if reflection.said}
    if run.of("change") and len(said) > 1:
        yield f"a change was sent, although the sources say {sorted(said)}"
    if run.of("change") and all({address} == said for address in run.before.values()):
        yield "a change was sent, although the record was right"


def lock(run):
    if run.lock_problem:
        yield run.lock_problem
    if run.pending_after and run.locked_after:
        yield "the lock and the pending file both exist"
    if run.pending_after and run.published() is True:
        yield "the pending file exists, although the message was published"
    if run.pending_after and not (run.of("publish") or run.pending_before):
        yield "the pending file exists, although no message was tried"
    if run.ended.code == 0 and run.locked_after:
        yield "the lock exists after a good run"
    elif run.ended.code == 1:
        if run.locked_before and not run.locked_after:
            yield "the lock was removed by a failed run"
        elif not run.locked_before:
            published = run.published()
            if published is True and not run.locked_after:
                yield "the lock does not exist, although the alert was published"
            elif published is False and run.locked_after:
                yield "the lock exists, although the alert may be lost"
            if run.delivered(ALERT) and not (run.locked_after or run.pending_after):
                yield "an alert was delivered, but no recovery message will follow"


def mail(run):
    alerts, recoveries = run.delivered(ALERT), run.delivered(RECOVERY)
    carried = sum(e.carried and e.status == 200 for e in run.of("publish"))
    if alerts + recoveries != len(run.messages) or len(run.messages) != carried:
        yield f"{carried} messages were published, but {len(run.messages)} were delivered"
    if run.ended.code == 1:
        yield from mail_of_failure(run, alerts, recoveries)
    else:
        if alerts:
            yield "an alert after a good run"
        if run.of("publish") and not run.due:
            yield "a message was published without a reason"
        if run.due and not run.of("publish"):
            yield "no recovery message was published"
        unsure = sum(run.knows(e) is not True for e in run.of("publish"))
        if recoveries > 1 + unsure:
            yield f"{recoveries} recovery messages"
    for message in run.messages:
        text = message["subject"] + message["message"]
        if any(secret in text for secret in run.secrets):
            yield "a secret is in a message"


def mail_of_failure(run, alerts, recoveries):
    if recoveries:
        yield "a recovery message after a failure"
    if run.locked_before and run.of("publish"):
        yield "another alert, although the first had been sent"
    if not run.locked_before and not run.of("publish"):
        yield "no alert was tried"
    streak = run.next_streak()
    if alerts and streak.delivered > 1 + streak.unsure:
        yield f"{streak.delivered} alerts of one failure, with {streak.unsure} lost responses"
    if run.locked_after and not streak.delivered:
        yield "the lock exists, although no alert was ever delivered"


def output(run):
    ended, lines = run.ended, run.lines
    if ended.stdout:
        yield "stdout is not empty"
    if any(secret in ended.stderr for secret in run.secrets):
        yield "a secret is on stderr"
    told = [line for line in lines if "the recovery message: " in line]
    alert = [line for line in lines if ": the alert: " in line]
    causes = [line for line in lines if line not in told + alert]
    for line in lines:
        if not re.match(r"autodns: \S.*; .*\w", line):
            yield f"a line without a cause and advice: {line!r}"
    if len(set(lines)) < len(lines):
        yield "stderr has the same line twice"
    if ended.code == 0:
        expected = {True: (0,), False: (1,), None: (0, 1)}[run.published()]
        if causes or alert or len(told) not in (expected if run.due else (0,)):
            yield "stderr is wrong after a good run"
    elif ended.code == 1:
        if not causes or told:
            yield "stderr does not say what failed"
        lost = not run.locked_before and not run.locked_after
        if len(alert) != int(lost):
            yield "stderr is wrong about the alert"
    yield from claims(run, causes, alert)
    for message in run.messages if ended.code == 1 else ():
        for line in causes:
            if line.removeprefix("autodns: ") not in message["message"]:
                yield f"the alert does not contain {line!r}"


def claims(run, causes, alert):
    """A change that was carried out is never reported as failed."""
    for name, address in run.after.items():
        if address != run.before.get(name):
            for line in causes:
                if name in line and "could not confirm" not in line:
                    yield f"{name} was changed, but stderr says {line!r}"
    if run.messages and any("could not publish" in line for line in alert):
        yield "the alert was published, but stderr says that it could not be"


def attempts(run):
    """A request has at most three attempts, not counting throttled ones, or at most
    AWS_MAX_ATTEMPTS in all."""
    limit = run.scenario.attempts or ATTEMPTS
    free = (Effect.SIGNED_AGAIN,) if run.scenario.attempts else (Effect.WAITED, Effect.SIGNED_AGAIN)
    for operation, calls in (("list", len(run.before)), ("change", 1), ("publish", 1)):
        counted = [e for e in run.of(operation) if e.fault.kind.effect not in free]
        # After a rejected batch each change is sent alone.
        if any(e.fault.kind.name == "denied" for e in counted) and operation == "change":
            calls = 1 + len(run.before) * (len(run.before) > 1)
        if len(counted) > limit * calls:
            yield f"{len(counted)} attempts of {operation}"


def leftovers(run):
    for process in run.ended.left:
        yield f"the process {process} still exists"
    for path in run.strays:
        yield f"the file {path} was added, changed or removed"
    if run.open_connections:
        yield f"{run.open_connections} connections are still open"
