"""The proxy to the emulated AWS, with the faults of a run and its own clock.

Each installation has one proxy. It passes requests on to moto unchanged, so that moto checks the
program's signature. It records each request and its result for the rules. It also checks AWS's
window of five minutes, which moto does not, with a clock that the scenario sets.
"""

import calendar
import collections
import dataclasses
import http.client
import threading
import time

import answers
import faults
import wire
from faults import Effect, Fault

WINDOW = 300
# The limit of an endless response in bytes, to protect this machine. A client must stop earlier.
ENDLESS = 32 << 20


@dataclasses.dataclass
class Exchange:
    """One request and its result."""

    operation: str
    nth: int
    fault: Fault
    # When the request arrived and when the last byte was sent, by time.monotonic().
    began: float
    ended: float = 0.0
    # Whether moto has carried out the request, and its status.
    carried: bool = False
    status: int = 0
    # Whether the client got the whole unchanged response of moto.
    told: bool = False

    def describe(self):
        done = f"moto answered {self.status}" if self.carried else "not passed on"
        told = "answered" if self.told else "no good answer"
        took = self.ended - self.began
        return f"{self.operation} {self.nth}: {self.fault.kind.name}; {done}; {told}; {took:.2f} s"


class AwsProxy:
    """A proxy between one installation and moto, for one run at a time."""

    def __init__(self, moto_port, secrets):
        self.moto_port = moto_port
        self.secrets = secrets
        self.server = wire.Server("127.0.0.1", self._serve)
        self.lock = threading.Lock()
        self.begin(None)

    @property
    def url(self):
        return f"http://{self.server.host}:{self.server.port}"

    def begin(self, scenario):
        """Forgets the last run. From now on, requests belong to the run of this scenario."""
        with self.lock:
            self.scenario = scenario
            self.exchanges = []
            self.counts = collections.Counter()

    def _serve(self, connection):
        while True:
            self._exchange(connection, connection.request())

    def _exchange(self, connection, request):
        began = time.monotonic()
        operation = operation_of(request)
        with self.lock:
            scenario = self.scenario
            now = time.time() + scenario.skew
            signed = signing_time(request)
            if abs(signed - now) > WINDOW:
                # A request with a wrong time is rejected and not counted. The next one gets its
                # number.
                nth, fault = self.counts[operation] + 1, Fault(faults.CLOCK, carried=False)
            else:
                self.counts[operation] += 1
                nth = self.counts[operation]
                fault = scenario.aws(operation, nth)
            exchange = Exchange(operation, nth, fault, began)
            self.exchanges.append(exchange)
        try:
            if fault.kind is faults.CLOCK:
                body = answers.clock_error(operation, signed, now)
                self._answer(connection, 403, answers.headers(now, body), body)
            else:
                body = self._carry_out(exchange, request) if fault.carried else b""
                response = FaultyResponse(
                    connection, exchange, now, scenario.deadline, self.secrets
                )
                response.answer(body)
        finally:
            exchange.ended = time.monotonic()

    @staticmethod
    def _answer(connection, status, headers, body):
        connection.send(wire.head(status, headers) + body)

    def _carry_out(self, exchange, request):
        """Passes the request to moto, with the signed Host header, and returns the body."""
        moto = http.client.HTTPConnection("127.0.0.1", self.moto_port, timeout=wire.PATIENCE)
        try:
            moto.putrequest(
                request.method, request.target, skip_host=True, skip_accept_encoding=True
            )
            for name, value in request.headers:
                moto.putheader(name, value)
            moto.endheaders(request.body or None)
            answer = moto.getresponse()
            body = answer.read()
        finally:
            moto.close()
        exchange.carried, exchange.status = True, answer.status
        return body


class FaultyResponse:
    """Responds to one request with its fault."""

    def __init__(self, connection, exchange, now, deadline, secrets):
        self.connection = connection
        self.exchange = exchange
        self.fault = exchange.fault
        self.now = now
        self.deadline = deadline
        self.secrets = secrets

    def answer(self, body):
        kind, shade = self.fault.kind, self.fault.shade
        status = self.exchange.status or 200
        headers = answers.headers(self.now, body)
        whole = wire.head(status, headers) + body
        if kind.effect is Effect.BENIGN:
            self._benign(kind.name, whole)
        elif kind.name == "reset":
            self.connection.reset()
        elif kind.name == "close":
            self.connection.close()
        elif kind.name == "long length":
            self._send(200, body[: int(len(body) * shade)], length=len(body) + 1000)
            self.connection.close()
        elif kind.name in ("500", "502", "503", "504"):
            status = int(kind.name)
            self._send(status, *answers.failure(self.exchange.operation, status, shade))
        elif kind.name in ("throttling", "prior request", "denied"):
            refusal = answers.refusal(self.exchange.operation, kind.name, self.secrets)
            self._send(403 if kind.name == "denied" else 400, refusal)
        elif kind.effect is Effect.FINAL:
            self._no_answer(kind.name, shade, body)
        elif kind.name == "stall":
            self.connection.pause(2 * self.deadline)
        else:
            self.connection.drip(whole, 4 * self.deadline)

    def _benign(self, name, whole):
        shade = self.fault.shade
        if name == "drip":
            self.connection.drip(whole, 0.05 + 0.5 * shade)
        else:
            if name == "delay":
                self.connection.pause(0.05 + 0.6 * shade)
            self.connection.send(whole)
        self.exchange.told = True
        self.exchange.ended = time.monotonic()
        if name == "idle close":
            self.connection.close()

    def _no_answer(self, name, shade, body):
        if name == "garbage":
            self._send(200, answers.pick(answers.GARBAGE, shade))
        elif name == "html":
            self._send(200, answers.HTML, "text/html")
        elif name == "empty":
            self._send(200, b"")
        elif name == "doctype":
            self._send(200, answers.DOCTYPE)
        elif name == "truncated":
            self._send(200, body[: int(len(body) * 0.9 * shade)])
        elif name == "short length":
            self._send(200, body, length=int(len(body) * 0.9 * shade))
        elif name == "no http":
            self.connection.send(answers.pick(answers.NO_HTTP, shade))
            self.connection.close()
        elif name == "redirect":
            headers = answers.headers(self.now, b"")
            self.connection.send(wire.head(307, [*headers, ("Location", "http://127.0.0.1:9/")]))
        elif name == "endless":
            self._endless(body, shade)

    def _endless(self, body, shade):
        headers = answers.headers(self.now, body)[:-1]
        chunked = shade < 0.5
        if chunked:
            headers.append(("Transfer-Encoding", "chunked"))
        self.connection.send(wire.head(200, headers))
        piece = b" " * 65536
        if chunked:
            piece = b"10000\r\n" + piece + b"\r\n"
        for _ in range(ENDLESS // len(piece)):
            self.connection.send(piece)
        self.connection.close()

    def _send(self, status, body, content_type="text/xml", length=None):
        headers = answers.headers(self.now, body, content_type, length)
        self.connection.send(wire.head(status, headers) + body)


def operation_of(request):
    if request.method == "GET":
        return "list"
    return "publish" if request.target == "/" else "change"


def signing_time(request):
    """The time in the signature of the request, in seconds."""
    return calendar.timegm(time.strptime(request.header("X-Amz-Date"), "%Y%m%dT%H%M%SZ"))
