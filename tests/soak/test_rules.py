"""Tests that the rules can fail: good runs break no rule, and each violation breaks its rule."""

import dataclasses
import unittest

import faults
import rules
from awsproxy import Exchange
from faults import Fault
from program import Ended
from reflectors import Reflection
from rules import Observation, Streak
from scenario import GOOD, WRONG, Soak, FaultMode

NAME = "a.home0.example"
OLD, NEW = GOOD[:2]
SECRET = "verysecret"
NOT_SENT = f"autodns: {NAME}: the alert: could not publish to the topic: reset; try again"
CAUSE = f"autodns: {NAME} A: could not list the records: it is closed; check the connection"
NO_ALERT = f"autodns: {NAME}: the alert: could not confirm the message: reset; try again"
NOT_TOLD = f"autodns: {NAME}: the recovery message: could not confirm it: reset; wait"


def scenario(**changes):
    calm = Soak(1, 1).scenario(0, 2)
    calm = dataclasses.replace(calm, fault_mode=FaultMode.NONE, skew=0, attempts=None, deadline=4)
    return dataclasses.replace(calm, **changes)


def ended(code=0, stderr=(), **changes):
    good = Ended(code, "", "".join(f"{line}\n" for line in stderr), 0.1, 0.01, 4000, False, ())
    return dataclasses.replace(good, **changes)


def exchange(operation, nth=1, kind=faults.NONE, carried=True, ended_at=0.1):
    told = kind.effect is faults.Effect.BENIGN
    fault = Fault(kind, carried)
    return Exchange(operation, nth, fault, 0.0, ended_at, carried, 200 if carried else 0, told)


def aws(operation, kind, nth=1, carried=False):
    return exchange(operation, nth, faults.AWS[kind], carried)


def asked(address=NEW, right=True, kind=faults.NONE, source=0, nth=1):
    return Reflection(source, nth, Fault(kind), address, right)


def alert(text=CAUSE.removeprefix("autodns: ")):
    return {"subject": f"autodns: {NAME} is not up to date (pi)", "message": text}


RECOVERY = {"subject": f"autodns: {NAME} is up to date again (pi)", "message": "again"}

GOOD_RUN = Observation(
    scenario=scenario(),
    before={NAME: OLD},
    after={NAME: NEW},
    locked_before=False,
    locked_after=False,
    pending_before=False,
    pending_after=False,
    lock_problem=None,
    streak=Streak(),
    first_of_streak=True,
    ended=ended(),
    began=0.0,
    too_busy=False,
    exchanges=[exchange("list"), exchange("change")],
    reflections=[asked(), asked(source=1)],
    messages=[],
    strays=[],
    open_connections=0,
    secrets=[SECRET],
)
# The list is denied, and the alert goes out.
FAILED_RUN = dataclasses.replace(
    GOOD_RUN,
    after={NAME: OLD},
    locked_after=True,
    ended=ended(1, [CAUSE]),
    exchanges=[aws("list", "denied"), exchange("publish")],
    messages=[alert()],
)
# The record is up to date again.
RECOVERED_RUN = dataclasses.replace(
    GOOD_RUN,
    locked_before=True,
    streak=Streak(delivered=1),
    exchanges=[*GOOD_RUN.exchanges, exchange("publish")],
    messages=[RECOVERY],
)
# The response to the alert is lost.
LOST_RUN = dataclasses.replace(
    FAILED_RUN,
    locked_after=False,
    pending_after=True,
    ended=ended(1, [CAUSE, NO_ALERT]),
    exchanges=[aws("list", "denied"), aws("publish", "reset", carried=True)],
)


class Rules(unittest.TestCase):
    def broken(self, run, **changes):
        found = rules.violations(dataclasses.replace(run, **changes))
        return sorted({line.partition(":")[0] for line in found})

    def test_good_runs_break_no_rule(self):
        for run in (
            GOOD_RUN,
            FAILED_RUN,
            RECOVERED_RUN,
            LOST_RUN,
            # The next failed run sends no alert.
            dataclasses.replace(
                FAILED_RUN,
                locked_before=True,
                exchanges=[aws("list", "denied")],
                messages=[],
                streak=Streak(1, 0),
            ),
            # Two alerts, because the outcome of the first is unknown.
            dataclasses.replace(FAILED_RUN, streak=Streak(1, 1)),
            # The response to the recovery message is lost, and stderr says so.
            dataclasses.replace(
                RECOVERED_RUN,
                exchanges=[*GOOD_RUN.exchanges, aws("publish", "reset", carried=True)],
                ended=ended(0, [NOT_TOLD]),
                pending_after=True,
            ),
            # Recovery after an alert with an unknown outcome.
            dataclasses.replace(RECOVERED_RUN, locked_before=False, pending_before=True),
            # The program may or may not have read a response in the last moments.
            dataclasses.replace(
                LOST_RUN, exchanges=[aws("list", "denied"), exchange("publish", ended_at=3.9)]
            ),
            # This machine was too busy.
            dataclasses.replace(
                FAILED_RUN, too_busy=True, exchanges=[aws("list", "503"), exchange("publish")]
            ),
            # A change that was made but could not be confirmed.
            dataclasses.replace(
                FAILED_RUN,
                after={NAME: NEW},
                ended=ended(1, [CAUSE.replace("could not", "could not confirm")]),
                exchanges=[
                    exchange("list"), aws("change", "html", carried=True), exchange("publish")
                ],
                messages=[alert(CAUSE[9:].replace("could not", "could not confirm"))],
            ),  # fmt: skip
        ):
            self.assertEqual(rules.violations(run), [])

    def test_each_violation_breaks_its_rule(self):
        again = [*FAILED_RUN.exchanges[:1], *(aws("list", "reset", nth) for nth in (2, 3, 4))]
        waited = [exchange("change"), *(aws("list", "throttling", nth) for nth in (1, 2, 3))]
        for rule, run, changes in (
            ("ending", GOOD_RUN, {"ended": ended(killed=True)}),
            ("ending", GOOD_RUN, {"ended": ended(seconds=8.0)}),
            ("ending", GOOD_RUN, {"ended": ended(101)}),
            ("ending", FAILED_RUN, {"ended": ended(1, [CAUSE, "thread panicked; at x"])}),
            ("record", GOOD_RUN, {"after": {NAME: WRONG[0]}}),
            ("record", GOOD_RUN, {"after": {NAME: None}}),
            ("record", GOOD_RUN, {"after": {NAME: NEW, "{}": "an unexpected record set"}}),
            ("record", GOOD_RUN, {"reflections": [asked(NEW, right=False)]}),
            ("exit_code", GOOD_RUN, {"after": {NAME: OLD}}),
            ("exit_code", FAILED_RUN, {"exchanges": [exchange("list"), exchange("publish")]}),
            ("exit_code", FAILED_RUN, {"exchanges": [aws("list", "503"), exchange("publish")]}),
            ("exit_code", FAILED_RUN, {"exchanges": [*waited[1:2], exchange("publish")]}),
            ("writes", GOOD_RUN, {"reflections": [asked(), asked(WRONG[0], right=False)]}),
            ("writes", GOOD_RUN, {"before": {NAME: NEW}}),
            ("lock", GOOD_RUN, {"locked_after": True}),
            ("lock", GOOD_RUN, {"lock_problem": "the lock is empty"}),
            ("lock", FAILED_RUN, {"locked_after": False}),
            ("lock", LOST_RUN, {"locked_after": True}),
            ("lock", FAILED_RUN, {"locked_before": True, "locked_after": False}),
            ("lock", FAILED_RUN, {"pending_after": True}),
            ("lock", RECOVERED_RUN, {"pending_after": True}),
            ("lock", GOOD_RUN, {"pending_after": True}),
            ("lock", LOST_RUN, {"pending_after": False}),
            ("mail", FAILED_RUN, {"messages": []}),
            ("mail", FAILED_RUN, {"locked_before": True}),
            ("mail", FAILED_RUN, {"messages": [RECOVERY]}),
            ("mail", FAILED_RUN, {"exchanges": [aws("list", "denied")], "messages": []}),
            ("mail", FAILED_RUN, {"streak": Streak(1, 0)}),
            ("mail", FAILED_RUN, {"messages": [alert(CAUSE[9:] + SECRET)]}),
            ("mail", RECOVERED_RUN, {"messages": [alert()]}),
            ("mail", RECOVERED_RUN, {"locked_before": False}),
            ("mail", RECOVERED_RUN, {"exchanges": GOOD_RUN.exchanges, "messages": []}),
            ("output", GOOD_RUN, {"ended": ended(stdout="x\n")}),
            ("output", GOOD_RUN, {"ended": ended(0, [CAUSE])}),
            ("output", FAILED_RUN, {"ended": ended(1, [CAUSE, CAUSE + SECRET])}),
            ("output", FAILED_RUN, {"ended": ended(1, [CAUSE, CAUSE])}),
            ("output", FAILED_RUN, {"ended": ended(1)}),
            ("output", FAILED_RUN, {"ended": ended(1, [CAUSE, "what?"])}),
            ("output", FAILED_RUN, {"ended": ended(1, [CAUSE, NO_ALERT])}),
            ("output", FAILED_RUN, {"messages": [alert("something failed")]}),
            ("output", FAILED_RUN, {"after": {NAME: NEW}}),
            ("output", LOST_RUN, {"ended": ended(1, [CAUSE])}),
            ("output", LOST_RUN, {"ended": ended(1, [CAUSE, NOT_SENT])}),
            ("output", RECOVERED_RUN, {"ended": ended(0, [NOT_TOLD])}),
            ("attempts", FAILED_RUN, {"exchanges": [*again, exchange("publish")]}),
            ("attempts", GOOD_RUN, {"exchanges": waited, "scenario": scenario(attempts=2)}),
            ("leftovers", GOOD_RUN, {"ended": ended(left=("cat (S)",))}),
            ("leftovers", GOOD_RUN, {"strays": ["var/alert.lock.new"]}),
            ("leftovers", GOOD_RUN, {"open_connections": 1}),
        ):
            with self.subTest(rule=rule, changes=changes):
                self.assertIn(rule, self.broken(run, **changes))


class Chance(unittest.TestCase):
    def test_scenario_depends_only_on_seed_and_number(self):
        def all_of(seed):
            soak = Soak(seed, 4)
            for run in range(200):
                one = soak.scenario(run, 3)
                again = [one.aws("list", 2), one.aws("list", 1), one.reflector(1, 1)]
                yield dataclasses.replace(one, soak=None), again

        self.assertEqual(list(all_of(7)), list(all_of(7)))
        self.assertNotEqual(list(all_of(7)), list(all_of(8)))

    def test_every_kind_and_fault_mode_occurs(self):
        soak = Soak(1, 4)
        runs = [soak.scenario(run, 3) for run in range(3000)]
        self.assertEqual({run.fault_mode for run in runs}, set(FaultMode))
        drawn = {run.aws("list", nth).kind for run in runs for nth in (1, 2, 3)}
        self.assertEqual(drawn - {faults.NONE}, set(faults.AWS.values()))
        drawn = {run.reflector(source, 1).kind for run in runs for source in range(3)}
        undrawn = {faults.NONE, faults.WRONG_ADDRESS}
        self.assertEqual(drawn - undrawn, set(faults.REFLECTOR.values()))


if __name__ == "__main__":
    unittest.main()
