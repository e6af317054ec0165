"""Runs autodns repeatedly in several installations against an emulated AWS with random faults, and
checks each run with rules.py.

    soak.py --program FILE [--runs N] [--seed S] [--workers W] [--keep-going]
    soak.py --program FILE --seed S --workers W --only RUN [--found RECORDS/LOCK/ALERTS]

All random choices come from the seed, which is printed first. The first run that breaks a rule is
printed with its details and ends the soak with exit code 1. --only repeats it; the printed command
has the state at the start of the run. Must be run with the Python of tests/moto/setup.sh;
scripts/soak.sh does that.
"""

import argparse
import contextlib
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

import installation
import program
import rules
from stalls import StallDetector
from rules import Observation, Streak
from scenario import Soak
from tally import Tally

# How much longer than its deadline a run may take before it is killed.
KILL_AFTER = 10
# How long the servers may take to finish after a run has ended.
SETTLE = 15


class Worker:
    """Runs the program in one installation, run after run."""

    def __init__(self, soak, stalls, program_, installation_, scratch):
        self.soak = soak
        self.stalls = stalls
        self.program = program_
        self.installation = installation_
        self.scratch = scratch
        self.streak = Streak()
        self.first_of_streak = True

    def run(self, number):
        place = self.installation
        scenario = self.soak.scenario(number, len(place.reflectors.servers))
        before = place.records()
        locked_before, _ = place.lock_problem(0, 0)
        pending_before, _ = place.pending_problem()
        place.begin(scenario)
        began, began_at = time.monotonic(), time.time()
        ended = program.run(
            [self.program, "--deadline", str(scenario.deadline), str(place.config)],
            place.environment(scenario),
            place.folder / "tmp",
            self.scratch,
            scenario.deadline + KILL_AFTER,
        )
        open_connections = place.settle(SETTLE)
        exchanges = list(place.proxy.exchanges)
        published = any(e.operation == "publish" and e.carried for e in exchanges)
        locked_after, lock_problem = place.lock_problem(
            0 if locked_before else began_at, time.time()
        )
        pending_after, pending_problem = place.pending_problem()
        observed = Observation(
            scenario=scenario,
            before=before,
            after=place.records(),
            locked_before=locked_before,
            locked_after=locked_after,
            pending_before=pending_before,
            pending_after=pending_after,
            lock_problem=lock_problem or pending_problem,
            streak=self.streak,
            first_of_streak=self.first_of_streak,
            ended=ended,
            began=began,
            too_busy=self.stalls.stalled_since(began),
            exchanges=exchanges,
            reflections=list(place.reflectors.reflections),
            messages=place.messages() if published else [],
            strays=place.strays(),
            open_connections=open_connections,
            secrets=place.secrets,
        )
        self.streak = observed.next_streak()
        self.first_of_streak = ended.code == 0
        return observed


def report(soak, run, broken):
    """Returns the report on a run that broke a rule, with the command that repeats it."""
    ended = run.ended
    again = f"--seed {soak.seed} --workers {soak.workers} --only {run.scenario.run}"
    again += f" --found={found(run)}"  # It may begin with "-".
    lock = {True: "yes", False: "no"}
    return "\n".join([
        f"run {run.scenario.run} of seed {soak.seed} broke {len(broken)} rules"
        if broken
        else f"run {run.scenario.run} of seed {soak.seed}",
        *(f"  {line}" for line in broken),
        f"  scenario:  {run.scenario.describe()}",
        *(f"  AWS:       {exchange.describe()}" for exchange in run.exchanges),
        *(f"  reflector: {reflection.describe()}" for reflection in run.reflections),
        f"  record:    {run.before} -> {run.after}",
        f"  lock:      {lock[run.locked_before]} -> {lock[run.locked_after]}",
        f"  pending:   {lock[run.pending_before]} -> {lock[run.pending_after]}",
        f"  streak:    {run.streak}",
        *(f"  mailed:    {message['subject']}" for message in run.messages),
        f"  exit code: {ended.code}, after {ended.seconds:.2f} s",
        *(f"  stdout:    {line}" for line in ended.stdout.splitlines()),
        *(f"  stderr:    {line}" for line in ended.stderr.splitlines()),
        f"  repeat:    scripts/soak.sh {again}",
    ])  # fmt: skip


def found(run):
    """Returns the state at the start of the run, for --found: the addresses with commas, "-" for no
    record; the lock; the numbers of delivered alerts of this failure and of those with an unknown
    outcome."""
    records = ",".join(address or "-" for address in run.before.values())
    pending = "pending" if run.pending_before else "free"
    lock = "locked" if run.locked_before else pending
    return f"{records}/{lock}/{run.streak.delivered},{run.streak.unsure}"


class Runner:
    """All workers and their runs."""

    def __init__(self, options, soak, workers):
        self.options = options
        self.soak = soak
        self.workers = workers
        self.tally = Tally()
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.began = time.monotonic()

    def work(self, worker):
        try:
            for number in range(worker.installation.index, self.options.runs, self.soak.workers):
                if self.stop.is_set():
                    return
                self.do(worker, number)
            if left := worker.installation.messages():
                index = worker.installation.index
                raise RuntimeError(f"installation {index} has unexpected messages: {left}")
        except BaseException as error:
            self.stop.set()
            with self.lock:
                self.tally.counts["failed"] += 1
                print(f"soak.py: error in the soak: {error!r}", file=sys.stderr)
            raise

    def do(self, worker, number):
        observed = worker.run(number)
        broken = rules.violations(observed)
        self.tally.add(observed, broken)
        with self.lock:
            if broken:
                print(report(self.soak, observed, broken), end="\n\n", flush=True)
                if not self.options.keep_going:
                    self.stop.set()
            elif self.tally.runs % 1000 == 0:
                took = time.monotonic() - self.began
                print(f"{self.tally.runs} runs, {took:.0f} s", flush=True)

    def all(self):
        threads = [threading.Thread(target=self.work, args=(worker,)) for worker in self.workers]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        finally:
            # After an interrupt the current runs are the last.
            self.stop.set()
            for thread in threads:
                thread.join()

    def only(self, worker, number):
        """Repeats one run from its initial state."""
        if self.options.found:
            records, lock, alerts = self.options.found.split("/")
            worker.installation.set_records(records.split(","))
            worker.streak = Streak(*map(int, alerts.split(",")))
            if lock == "pending":
                worker.installation.set_pending()
            if lock == "locked":
                worker.installation.set_lock()
        observed = worker.run(number)
        broken = rules.violations(observed)
        self.tally.add(observed, broken)
        print(report(self.soak, observed, broken))


def parse():
    summary, usage = __doc__.split("\n\n")[:2]
    parser = argparse.ArgumentParser(usage=usage.strip(), description=summary)
    parser.add_argument("--program", required=True, type=os.path.abspath)
    parser.add_argument("--runs", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    # The setup of an installation takes half a second, so each gets at least eight runs.
    parser.add_argument("--workers", type=int)
    parser.add_argument("--keep-going", action="store_true")
    parser.add_argument("--only", type=int)
    parser.add_argument("--found")
    options = parser.parse_args()
    if options.workers is None:
        options.workers = 16 if options.runs >= 1000 else 6
    if options.runs < 1 or options.workers < 1:
        parser.error("--runs and --workers need 1 or more")
    return options


@contextlib.contextmanager
def moto():
    """Starts the emulated AWS and yields its endpoint. It ends with this process."""
    server = subprocess.Popen(
        [sys.executable, installation.moto_aws.__file__, "serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # So that an interrupt at the terminal does not end moto before this process.
        start_new_session=True,
    )
    try:
        endpoint = server.stdout.readline().strip()
        if not endpoint:
            sys.exit("soak.py: moto did not start")
        yield endpoint
    finally:
        server.stdin.close()
        server.wait()


def soak(options):
    shared = Soak(options.seed, options.workers)
    print(f"seed {options.seed}, {options.workers} workers", flush=True)
    program.become_subreaper()
    with tempfile.TemporaryDirectory(prefix="autodns-soak.") as folder, moto() as endpoint:
        workers = []
        stalls = StallDetector()
        keys = installation.moto_aws.admin_keys(endpoint)
        indices = range(options.workers)
        if options.only is not None:
            indices = [options.only % options.workers]
        for index in indices:
            scratch = pathlib.Path(folder, f"scratch{index}")
            scratch.mkdir()
            home = pathlib.Path(folder, f"home{index}")
            place = installation.Installation(index, endpoint, keys, home)
            workers.append(Worker(shared, stalls, options.program, place, scratch))
        runner = Runner(options, shared, workers)
        if options.only is None:
            runner.all()
        else:
            runner.only(workers[0], options.only)
        seconds = time.monotonic() - runner.began
    tally = runner.tally
    print(f"\n{tally.table(seconds)}\n")
    print(f"seed {options.seed}: {tally.counts['passed']} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    # A signal also removes the temporary folder and ends moto. SIGINT is in the list, because
    # moto_aws.py makes SIGINT end the process immediately.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    sys.exit(soak(parse()))
