"""The server of a measured run: a reflector on one port and Route 53 on another, with TLS 1.3.

Both only have the responses of a quiet run. The server counts bytes, connections and requests of
each run. It does TLS in memory, so that it can count the bytes outside and inside TLS. It must only
tell the kinds of requests apart; moto and the tests check requests.
"""

import dataclasses
import pathlib
import re
import socket
import ssl
import threading
import time

ADDRESS = "192.175.48.7"  # a public address that no home connection has (RFC 7535)
NAME = "home.example.com"
ZONE = "Z0123456789ABCDEFGHIJ"

REFLECTED = f'{{"error":"","your_ip":"{ADDRESS}"}}'.encode()
LISTED = (
    '<?xml version="1.0"?>\n'
    '<ListResourceRecordSetsResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/">'
    f"<ResourceRecordSets><ResourceRecordSet><Name>{NAME}.</Name><Type>A</Type><TTL>300</TTL>"
    f"<ResourceRecords><ResourceRecord><Value>{ADDRESS}</Value></ResourceRecord></ResourceRecords>"
    "</ResourceRecordSet></ResourceRecordSets><IsTruncated>false</IsTruncated>"
    "<MaxItems>1</MaxItems></ListResourceRecordSetsResponse>"
).encode()
REFLECT = re.compile(rb"GET /ip HTTP/1\.1\r\n")
LIST = re.compile(rb"GET /2013-04-01/hostedzone/" + ZONE.encode() + rb"/rrset/?\?\S* HTTP/1\.1\r\n")


@dataclasses.dataclass
class Seen:
    """The counts of one run. Bytes are TCP payload, from the client and to the client."""

    connections: int = 0
    handshakes: int = 0
    reflected: int = 0
    listed: int = 0
    strange: int = 0
    bytes_from: int = 0
    bytes_to: int = 0
    request_bytes: int = 0  # the part of bytes_from that is HTTP inside TLS

    def is_quiet_run(self):
        """Whether there was one request of each kind, and no other."""
        return (self.reflected, self.listed, self.strange) == (1, 1, 0)


class Counterpart:
    """Both servers, in separate threads. They run inside a `with` block."""

    def __init__(self, folder: pathlib.Path):
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_3
        self._tls.load_cert_chain(folder / "chain.pem", folder / "leaf.key")
        self._changed = threading.Condition()
        self._seen = Seen()
        self._open = 0
        self._listeners = {}
        for kind in ("reflector", "route53"):
            self._listeners[kind] = socket.create_server(("127.0.0.1", 0), backlog=64)

    def __enter__(self):
        for kind, listener in self._listeners.items():
            threading.Thread(target=self._accept, args=(kind, listener), daemon=True).start()
        return self

    def __exit__(self, *_):
        for listener in self._listeners.values():
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def port(self, kind):
        return self._listeners[kind].getsockname()[1]

    def take(self):
        """Returns the counts since the last call. First waits until all connections are closed."""
        deadline = time.monotonic() + 10
        with self._changed:
            while self._open:
                if not self._changed.wait(deadline - time.monotonic()):
                    raise TimeoutError("a connection is still open after its client ended")
            seen, self._seen = self._seen, Seen()
        return seen

    def _accept(self, kind, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._changed:
                self._seen.connections += 1
                self._open += 1
            threading.Thread(target=self._serve, args=(kind, connection), daemon=True).start()

    def _serve(self, kind, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with connection:
                Session(self, kind, connection, self._tls).run()
        except (OSError, EOFError):
            pass  # The client closed or rejected the connection. The counts show that.
        finally:
            with self._changed:
                self._open -= 1
                self._changed.notify_all()

    def count(self, **counts):
        with self._changed:
            for name, count in counts.items():
                setattr(self._seen, name, getattr(self._seen, name) + count)


class Session:
    """One connection, with TLS in memory between the socket and the responses."""

    def __init__(self, counterpart, kind, connection, context):
        self._counterpart = counterpart
        self._kind = kind
        self._connection = connection
        self._from, self._to = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._from, self._to, server_side=True)

    def run(self):
        self._pump(self._tls.do_handshake)
        self._counterpart.count(handshakes=1)
        head = b""
        while True:
            piece = self._pump(lambda: self._tls.read(65536))
            if not piece:
                return
            self._counterpart.count(request_bytes=len(piece))
            head += piece
            while b"\r\n\r\n" in head:
                request, head = head.split(b"\r\n\r\n", 1)
                answer = self._answer(request + b"\r\n\r\n")
                self._pump(lambda answer=answer: self._tls.write(answer))

    def _answer(self, request):
        if self._kind == "reflector" and REFLECT.match(request):
            self._counterpart.count(reflected=1)
            kind, body = "application/json", REFLECTED
        elif self._kind == "route53" and LIST.match(request) and signed(request):
            self._counterpart.count(listed=1)
            kind, body = "text/xml", LISTED
        else:
            self._counterpart.count(strange=1)
            return b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body

    def _pump(self, step):
        """Runs `step`, and reads and writes on the socket until `step` is complete."""
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                self._flush()
                data = self._connection.recv(65536)
                if not data:
                    raise EOFError from None
                self._counterpart.count(bytes_from=len(data))
                self._from.write(data)
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                # The client sent close_notify. Counts the remaining bytes of the connection.
                while data := self._connection.recv(65536):
                    self._counterpart.count(bytes_from=len(data))
                return b""
            except ssl.SSLError as error:
                self._flush()
                raise EOFError from error
            else:
                self._flush()
                return result

    def _flush(self):
        if data := self._to.read():
            self._counterpart.count(bytes_to=len(data))
            self._connection.sendall(data)


def signed(request):
    return b"\r\nauthorization: aws4-hmac-sha256 " in request.lower()
