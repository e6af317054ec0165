"""The reflectors of one installation: sources of its public address, on separate hosts, in the
usual forms of reflectors, with the faults of a run. At most one of them sends a wrong address.

Records every response, because a record may only have an address that a right source has sent.
"""

import collections
import dataclasses
import json
import threading

import answers
import faults
import wire
from faults import Effect, Fault

APIKEY = "soak-verysecret-apikey"
HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
PRIVATE = ("10.1.2.3", "192.168.178.1", "100.64.9.9", "169.254.1.1", "127.0.0.1", "0.0.0.0")
GARBAGE = (b"\xff\xfe\x00", b"\x00" * 64, b"you", b'{"your_ip": 7}', b"192.175.48.1 192.175.48.2")


@dataclasses.dataclass
class Reflection:
    """One request to a source and its response."""

    source: int
    nth: int
    fault: Fault
    # The address that was sent, if any, and whether it is the right one.
    said: str = ""
    right: bool = False

    def describe(self):
        return f"source {self.source}, {self.nth}: {self.fault.kind.name}; said {self.said or '-'}"


class Reflectors:
    """The sources of one installation, for one run at a time."""

    def __init__(self, count):
        self.servers = []
        self.lock = threading.Lock()
        for source in range(count):
            serve = lambda connection, source=source: self._serve(source, connection)  # noqa: E731
            self.servers.append(wire.Server(HOSTS[source], serve))
        self.begin(None)

    @property
    def urls(self):
        """The URLs of the sources. The first one has a key in its query."""
        urls = [f"http://{server.host}:{server.port}/ip" for server in self.servers]
        return [f"{urls[0]}?apikey={APIKEY}", *urls[1:]]

    def begin(self, scenario):
        """Forgets the last run. From now on, requests belong to the run of this scenario."""
        with self.lock:
            self.scenario = scenario
            self.reflections = []
            self.counts = collections.Counter()

    def _serve(self, source, connection):
        while True:
            self._answer(source, connection, connection.request())

    def _answer(self, source, connection, request):
        with self.lock:
            scenario = self.scenario
            self.counts[source] += 1
            fault = scenario.reflector(source, self.counts[source])
            reflection = Reflection(source, self.counts[source], fault)
            self.reflections.append(reflection)
            wrong = fault.kind is faults.WRONG_ADDRESS
            address = scenario.wrong_address if wrong else scenario.address(len(self.reflections))
            if fault.kind.effect is Effect.BENIGN or fault.kind.name == "slow drip":
                reflection.said, reflection.right = address, not wrong
        respond(connection, body(source, address), fault, scenario.deadline, request.target)


def body(source, address):
    """The body of a response. Each source has one of the three forms."""
    forms = (
        json.dumps({"error": "", "forwarded": 0, "your_ip": address}),
        f"{address}\n",
        json.dumps({"ip": address}),
    )
    return forms[source].encode()


def respond(connection, said, fault, deadline, target):
    name, shade = fault.kind.name, fault.shade
    whole = wire.head(200, headers(said)) + said
    if name == "delay":
        connection.pause(0.05 + 0.6 * shade)
        connection.send(whole)
    elif name == "drip":
        connection.drip(whole, 0.05 + 0.5 * shade)
    elif name == "reset":
        connection.reset()
    elif name == "503":
        connection.send(wire.head(503, headers(b"out of order")) + b"out of order")
    elif name == "cut":
        connection.send(wire.head(200, headers(said)) + said[: int(len(said) * 0.9 * shade)])
        connection.close()
    elif name == "unmeasured":
        # The response has no length, and its connection ends too early. The beginning of an address
        # can be another address.
        cut = said.rstrip()[:-1]
        connection.send(wire.head(200, headers(said)[:-1]) + cut)
        connection.close()
    elif name == "garbage":
        send(connection, 200, answers.pick(GARBAGE, shade))
    elif name == "html":
        send(connection, 200, answers.HTML)
    elif name == "private":
        send(connection, 200, answers.pick(PRIVATE, shade).encode())
    elif name == "echo":
        error = json.dumps({"error": f"no such key in {target}: {APIKEY}"}).encode()
        send(connection, 403 if shade < 0.5 else 200, error)
    elif name == "endless":
        connection.send(wire.head(200, headers(said)[:-1]))
        for _ in range(512):
            connection.send(b"1" * 65536)
        connection.close()
    elif name == "stall":
        connection.pause(2 * deadline)
    elif name == "slow drip":
        connection.drip(whole, 4 * deadline)
    else:
        connection.send(whole)
        if name == "idle close":
            connection.close()


def send(connection, status, body_):
    connection.send(wire.head(status, headers(body_)) + body_)


def headers(body_):
    return [("Content-Type", "text/plain"), ("Content-Length", len(body_))]
