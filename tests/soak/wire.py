"""HTTP/1.1 on bare sockets, for servers that misbehave: they can respond in pieces, reset, and see
that the client has closed.

Must not know AWS or reflectors, make random choices, or listen beyond loopback.
"""

import contextlib
import dataclasses
import select
import socket
import struct
import threading
import time

# In seconds. An incomplete request must not keep a thread longer.
PATIENCE = 30
LARGEST_REQUEST = 1 << 20


class Gone(Exception):
    """The client has closed its end, during a request or between two requests."""


@dataclasses.dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: list
    body: bytes

    def header(self, name):
        """Returns the header's value, or an empty text."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


class Connection:
    """The server's side of one client's connection."""

    def __init__(self, socket_):
        self.socket = socket_
        self.socket.settimeout(PATIENCE)
        self.buffer = b""

    def request(self):
        """Reads the next whole request."""
        while b"\r\n\r\n" not in self.buffer:
            self._receive()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = [(name, value.strip()) for name, _, value in (x.partition(":") for x in lines)]
        request = Request(method, target, headers, b"")
        length = int(request.header("Content-Length") or 0)
        while len(self.buffer) < length:
            self._receive()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return dataclasses.replace(request, body=body)

    def _receive(self):
        try:
            piece = self.socket.recv(65536)
        except OSError as error:
            raise Gone from error
        if not piece or len(self.buffer) > LARGEST_REQUEST:
            raise Gone
        self.buffer += piece

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Gone from error

    def drip(self, data, seconds):
        """Sends the data in this many seconds in all, byte by byte if there is enough time."""
        began = time.monotonic()
        sent = 0
        while sent < len(data):
            self.pause(max(0.004, seconds / len(data)))
            due = int(len(data) * (time.monotonic() - began) / seconds)
            due = min(max(sent + 1, due), len(data))
            self.send(data[sent:due])
            sent = due

    def pause(self, seconds):
        """Waits for this many seconds, or until the client closes."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                if not select.select([self.socket], [], [], left)[0]:
                    return
                if not self.socket.recv(1, socket.MSG_PEEK):
                    raise Gone
            except OSError as error:
                raise Gone from error
            # The client has sent more data, which is read later. Without this sleep, the loop would
            # be busy.
            time.sleep(min(left, 0.01))

    def reset(self):
        """Ends the connection with RST instead of FIN."""
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
        raise Gone

    def close(self):
        """Ends the connection with FIN."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        raise Gone


def head(status, headers):
    """Returns the head of a response. The reason phrase is empty, because no client needs it."""
    lines = [f"HTTP/1.1 {status} ", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode()


class Server:
    """Listens on a free port. Calls `serve` in a thread per connection."""

    def __init__(self, host, serve):
        self.serve = serve
        self.listener = socket.create_server((host, 0), backlog=128)
        self.listener.setblocking(False)
        self.host, self.port = self.listener.getsockname()
        self.idle = threading.Condition()
        self.open = 0
        self.errors = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            select.select([self.listener], [], [])
            self._accept()

    def _accept(self):
        with self.idle:
            while True:
                try:
                    accepted, _ = self.listener.accept()
                except BlockingIOError:
                    return
                except OSError:
                    continue
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.open += 1
                threading.Thread(target=self._attend, args=(accepted,), daemon=True).start()

    def _attend(self, accepted):
        try:
            with accepted, contextlib.suppress(Gone):
                self.serve(Connection(accepted))
        # settle raises it in the main thread.
        except Exception as error:
            self.errors.append(error)
        finally:
            with self.idle:
                self.open -= 1
                self.idle.notify_all()

    def settle(self, seconds):
        """Waits until all connections have ended, including those that are still in the queue.
        Returns the number of connections that have not. Raises an error of the server itself."""
        self._accept()
        with self.idle:
            self.idle.wait_for(lambda: self.open == 0, seconds)
            if self.errors:
                raise self.errors[0]
            return self.open
