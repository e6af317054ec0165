"""The scenario of a run: all random choices, as a pure function of the seed and the run's number.
The same arguments give the same result, in any order of requests.

The fault mode of a run decides how many of its requests have faults. Most runs have none, and a few
have a fault in nearly every request. An outage lasts for several runs of one installation, so that
the lock must suppress alerts.
"""

import bisect
import dataclasses
import enum
import functools
import itertools
import random

import faults
from faults import Carried, Fault

# Public by IANA's registry, and no host uses them: these networks (AS112, RFC 7534 and RFC 7535)
# only receive DNS queries that should not have left a private network. A wrong source never sends
# an address that a right source can send.
GOOD = [f"192.175.48.{last}" for last in range(1, 255)]
WRONG = [f"192.31.196.{last}" for last in range(1, 255)]

DEADLINES = (5, 6, 8)
# In each span of this many runs of one installation, there is at most one outage.
OUTAGE_SPAN = 16


class FaultMode(enum.Enum):
    NONE = "no fault"
    ONE = "one fault"
    SOME = "some faults"
    MOST = "nearly every request"
    WRONG_ADDRESS = "a source with a wrong address"
    NEW_ADDRESS = "a new address during the run"
    OUTAGE = "an outage of several runs"


FAULT_MODES = {
    FaultMode.NONE: 50,
    FaultMode.ONE: 27,
    FaultMode.SOME: 13,
    FaultMode.MOST: 2,
    FaultMode.WRONG_ADDRESS: 5,
    FaultMode.NEW_ADDRESS: 3,
}

# The probability of a fault, and of a fault after another fault.
ODDS = {FaultMode.SOME: 0.25, FaultMode.MOST: 0.9, FaultMode.OUTAGE: 0.25}
ODDS_AFTER_FAULT = 0.6


@dataclasses.dataclass(frozen=True)
class Soak:
    """The settings of all runs of a soak."""

    seed: int
    workers: int

    def rng(self, *what):
        """Returns a random generator that depends only on the seed and these words."""
        return random.Random("/".join(map(str, (self.seed, *what))))

    def public_address(self, run):
        """Returns the public address in this run. It changes about every third run."""
        while run >= self.workers and self.rng("moves", run).random() > 0.3:
            run -= self.workers
        return self.rng("line", run).choice(GOOD)

    def outage(self, run):
        """Returns the outage of this run: "sources", "list", "change", or None."""
        installation, nth = run % self.workers, run // self.workers
        rng = self.rng("outage", installation, nth // OUTAGE_SPAN)
        if rng.random() > 0.3:
            return None
        first = rng.randrange(OUTAGE_SPAN)
        what = rng.choice(["sources", "list", "change"])
        return what if first <= nth % OUTAGE_SPAN < first + rng.randrange(2, 7) else None

    def scenario(self, run, sources):
        """Returns the scenario of the run in an installation with that many reflectors."""
        rng = self.rng("run", run)
        fault_mode = rng.choices(list(FAULT_MODES), list(FAULT_MODES.values()))[0]
        outage = self.outage(run)
        if outage:
            fault_mode = FaultMode.OUTAGE
        return Scenario(
            soak=self,
            run=run,
            fault_mode=fault_mode,
            outage=outage,
            deadline=rng.choice(DEADLINES),
            skew=skew(rng),
            attempts=rng.choice([1, 2, 5]) if rng.random() < 0.08 else None,
            first_address=self.public_address(run),
            next_address=rng.choice(GOOD),
            faulty=rng.choice(["list", "list", "change", "publish", *range(sources)]),
            # Another source is always right and without faults, before or after the wrong one.
            wrong_source=rng.randrange(sources),
            wrong_address=rng.choice(WRONG),
        )


def skew(rng):
    """Returns how far AWS's clock is ahead of this machine's, in seconds. It is 0 in most runs,
    else inside or outside the window of five minutes. It is never near the edge of the window,
    because the two clocks are not read at the same moment."""
    if rng.random() > 0.08:
        return 0
    size = rng.choice([rng.randint(20, 270), rng.randint(330, 10800)])
    return rng.choice([-size, size])


@dataclasses.dataclass(frozen=True)
class Scenario:
    """The scenario of one run."""

    soak: Soak
    run: int
    fault_mode: FaultMode
    outage: str | None
    deadline: int
    skew: int
    # AWS_MAX_ATTEMPTS, if it is set.
    attempts: int | None
    first_address: str
    next_address: str
    faulty: str | int
    wrong_source: int
    wrong_address: str

    def aws(self, operation, nth):
        """Returns the fault of the nth request (from 1) of that operation."""
        if self.outage == operation:
            kind = {"list": "503", "change": "denied"}[operation]
            return self._fault(faults.AWS[kind], "aws", operation, nth)
        if not self._has_fault(operation, nth):
            return Fault()
        return self._drawn(faults.AWS, "aws", operation, nth)

    def reflector(self, source, nth):
        """Returns the fault of the nth request to that source."""
        if self.fault_mode is FaultMode.WRONG_ADDRESS:
            return Fault(faults.WRONG_ADDRESS) if source == self.wrong_source else Fault()
        if self.outage == "sources":
            return self._fault(faults.REFLECTOR["503"], "reflector", source, nth)
        if self.fault_mode is FaultMode.NEW_ADDRESS or not self._has_fault(source, nth):
            return Fault()
        return self._drawn(faults.REFLECTOR, "reflector", source, nth)

    def address(self, nth):
        """Returns the address that a right source sends at the nth request of the run, counted
        over all sources."""
        if self.fault_mode is FaultMode.NEW_ADDRESS and nth > 1:
            return self.next_address
        return self.first_address

    def _has_fault(self, place, nth):
        if self.fault_mode is FaultMode.ONE:
            return place == self.faulty and nth == 1
        odds = ODDS.get(self.fault_mode, 0)
        if odds and nth > 1 and self._has_fault(place, nth - 1):
            odds = max(odds, ODDS_AFTER_FAULT)
        return self.soak.rng(self.run, "strikes", place, nth).random() < odds

    def _drawn(self, table, *where):
        kinds, bounds = bounds_of(tuple(table.values()))
        at = self.soak.rng(self.run, "kind", *where).random() * bounds[-1]
        return self._fault(kinds[bisect.bisect(bounds, at)], *where)

    def _fault(self, kind, *where):
        rng = self.soak.rng(self.run, "fault", *where)
        carried = {Carried.ALWAYS: True, Carried.NEVER: False}.get(
            kind.carried, rng.random() < 0.5
        )
        return Fault(kind, carried, rng.random())

    def describe(self):
        skewed = f", AWS's clock {self.skew:+} s" if self.skew else ""
        attempts = f", AWS_MAX_ATTEMPTS={self.attempts}" if self.attempts else ""
        return (
            f"{self.fault_mode.value}{f' ({self.outage})' if self.outage else ''}"
            f"{skewed}{attempts};"
            f" deadline {self.deadline} s; the address is {self.first_address}"
        )


@functools.cache
def bounds_of(kinds):
    return kinds, list(itertools.accumulate(kind.weight for kind in kinds))
