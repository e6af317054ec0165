"""What a run is put through: everything random, as a pure function of the seed and the run's
number. Two calls with the same arguments answer the same, in whatever order requests come.

A run's weather says how often its requests meet a fault, so that most runs are healthy and a few
are hopeless; an outage lasts for several runs of one home, so that alerts have something to be
silent about.
"""

import bisect
import dataclasses
import enum
import functools
import itertools
import random

import faults
from faults import Carried, Fault

# Public by IANA's registry of special addresses and yet no one's: their blocks (AS112, RFC 7534 and
# RFC 7535) only take in DNS queries that should never have left someone's own network. What a
# source lies is never an address that a good one may name.
GOOD = [f"192.175.48.{last}" for last in range(1, 255)]
LIES = [f"192.31.196.{last}" for last in range(1, 255)]

DEADLINES = (5, 6, 8)
# Runs of one home that an outage may lie within.
SEASON = 16


class Weather(enum.Enum):
    CALM = "calm"
    HITCH = "one fault"
    GUSTY = "some faults"
    STORM = "hardly an answer"
    LIE = "a source that lies"
    MOVED = "a new address amid the run"
    OUTAGE = "an outage of several runs"


WEATHERS = {
    Weather.CALM: 50,
    Weather.HITCH: 27,
    Weather.GUSTY: 13,
    Weather.STORM: 2,
    Weather.LIE: 5,
    Weather.MOVED: 3,
}

# How likely a request meets a fault; and one that follows a request which has met one.
ODDS = {Weather.GUSTY: 0.25, Weather.STORM: 0.9, Weather.OUTAGE: 0.25}
RELAPSE = 0.6


@dataclasses.dataclass(frozen=True)
class Soak:
    """What all runs of a soak share."""

    seed: int
    workers: int

    def dice(self, *what):
        """A source of chance that is the same for the same words."""
        return random.Random("/".join(map(str, (self.seed, *what))))

    def line(self, run):
        """The public address of the line of the run's home: every third run or so has a new one."""
        while run >= self.workers and self.dice("moves", run).random() > 0.3:
            run -= self.workers
        return self.dice("line", run).choice(GOOD)

    def outage(self, run):
        """What is out during this run, or None: the sources, the list, or the change."""
        home, nth = run % self.workers, run // self.workers
        dice = self.dice("outage", home, nth // SEASON)
        if dice.random() > 0.3:
            return None
        first = dice.randrange(SEASON)
        what = dice.choice(["sources", "list", "change"])
        return what if first <= nth % SEASON < first + dice.randrange(2, 7) else None

    def scenario(self, run, sources):
        """What the run is put through in a home of that many reflectors."""
        dice = self.dice("run", run)
        weather = dice.choices(list(WEATHERS), list(WEATHERS.values()))[0]
        outage = self.outage(run)
        if outage:
            weather = Weather.OUTAGE
        return Scenario(
            soak=self,
            run=run,
            weather=weather,
            outage=outage,
            deadline=dice.choice(DEADLINES),
            skew=skew(dice),
            attempts=dice.choice([1, 2, 5]) if dice.random() < 0.08 else None,
            line=self.line(run),
            next_line=dice.choice(GOOD),
            hitch=dice.choice(["list", "list", "change", "publish", *range(sources)]),
            # Before the liar or behind it there is always one that is honest and healthy.
            liar=dice.randrange(sources),
            lie=dice.choice(LIES),
        )


def skew(dice):
    """How far AWS's clock is ahead of this machine's, in seconds. Right in most runs; else within
    the window of five minutes, or outside it. Not near its edge: the two clocks are not read in
    the same moment."""
    if dice.random() > 0.08:
        return 0
    size = dice.choice([dice.randint(20, 270), dice.randint(330, 10800)])
    return dice.choice([-size, size])


@dataclasses.dataclass(frozen=True)
class Scenario:
    """What one run is put through."""

    soak: Soak
    run: int
    weather: Weather
    outage: str | None
    deadline: int
    skew: int
    # AWS_MAX_ATTEMPTS, where it is set.
    attempts: int | None
    line: str
    next_line: str
    hitch: str | int
    liar: int
    lie: str

    def aws(self, operation, nth):
        """The fault at the nth request (from 1) of that operation."""
        if self.outage == operation:
            kind = {"list": "503", "change": "denied"}[operation]
            return self._fault(faults.AWS[kind], "aws", operation, nth)
        if not self._strikes(operation, nth):
            return Fault()
        return self._drawn(faults.AWS, "aws", operation, nth)

    def reflector(self, source, nth):
        """The fault at the nth request of that source."""
        if self.weather is Weather.LIE:
            return Fault(faults.LIE) if source == self.liar else Fault()
        if self.outage == "sources":
            return self._fault(faults.REFLECTOR["503"], "reflector", source, nth)
        if self.weather is Weather.MOVED or not self._strikes(source, nth):
            return Fault()
        return self._drawn(faults.REFLECTOR, "reflector", source, nth)

    def address(self, nth):
        """What an honest source says at the nth request of the run, all sources counted."""
        return self.next_line if self.weather is Weather.MOVED and nth > 1 else self.line

    def _strikes(self, place, nth):
        if self.weather is Weather.HITCH:
            return place == self.hitch and nth == 1
        odds = ODDS.get(self.weather, 0)
        if odds and nth > 1 and self._strikes(place, nth - 1):
            odds = max(odds, RELAPSE)
        return self.soak.dice(self.run, "strikes", place, nth).random() < odds

    def _drawn(self, table, *where):
        kinds, bounds = bounds_of(tuple(table.values()))
        at = self.soak.dice(self.run, "kind", *where).random() * bounds[-1]
        return self._fault(kinds[bisect.bisect(bounds, at)], *where)

    def _fault(self, kind, *where):
        dice = self.soak.dice(self.run, "fault", *where)
        carried = {Carried.ALWAYS: True, Carried.NEVER: False}.get(
            kind.carried, dice.random() < 0.5
        )
        return Fault(kind, carried, dice.random())

    def describe(self):
        skewed = f", AWS's clock {self.skew:+} s" if self.skew else ""
        attempts = f", AWS_MAX_ATTEMPTS={self.attempts}" if self.attempts else ""
        return (
            f"{self.weather.value}{f' ({self.outage})' if self.outage else ''}{skewed}{attempts};"
            f" deadline {self.deadline} s; the line has {self.line}"
        )


@functools.cache
def bounds_of(kinds):
    return kinds, list(itertools.accumulate(kind.weight for kind in kinds))
