"""HTTP/1.1 on bare sockets, as a server that misbehaves has to speak it: request by request, with
the means to answer in pieces, to reset, and to see that the client has gone.

Knows neither AWS nor reflectors, decides nothing at random, and listens on loopback only.
"""

import contextlib
import dataclasses
import select
import socket
import struct
import threading
import time

# A client that sends less than a whole request and stays is none that this is made for.
PATIENCE = 30
LARGEST_REQUEST = 1 << 20


class Gone(Exception):
    """The client has closed its end, in the middle of something or between two requests."""


@dataclasses.dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: list
    body: bytes

    def header(self, name):
        """The header's value, or an empty text."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


class Connection:
    """One client's connection, as the server sees it."""

    def __init__(self, socket_):
        self.socket = socket_
        self.socket.settimeout(PATIENCE)
        self.buffer = b""

    def request(self):
        """The next request, whole."""
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
        """Sends byte by byte, or several at once where that would take longer than so many
        seconds in all."""
        began = time.monotonic()
        sent = 0
        while sent < len(data):
            self.pause(max(0.004, seconds / len(data)))
            due = int(len(data) * (time.monotonic() - began) / seconds)
            due = min(max(sent + 1, due), len(data))
            self.send(data[sent:due])
            sent = due

    def pause(self, seconds):
        """Waits, but not for longer than the client does."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                if not select.select([self.socket], [], [], left)[0]:
                    return
                if not self.socket.recv(1, socket.MSG_PEEK):
                    raise Gone
            except OSError as error:
                raise Gone from error
            # It has sent more before it was answered. That can wait; look again soon.
            time.sleep(min(left, 0.01))

    def reset(self):
        """Ends the connection with RST in place of FIN."""
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
        raise Gone

    def close(self):
        """Ends the connection in good order."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        raise Gone


def head(status, headers):
    """The head of an answer; the reason phrase means nothing to anyone and is left out."""
    lines = [f"HTTP/1.1 {status} ", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode()


class Server:
    """Listens on a port of its own; every connection has a thread, which `serve` is called in."""

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
        # Whatever it was, whoever settles has to know of it.
        except Exception as error:
            self.errors.append(error)
        finally:
            with self.idle:
                self.open -= 1
                self.idle.notify_all()

    def settle(self, seconds):
        """Waits until each client that had called has closed its end and been dealt with. Answers
        with how many have not; one that is still in the queue counts. Raises what went wrong in
        the server itself."""
        self._accept()
        with self.idle:
            self.idle.wait_for(lambda: self.open == 0, seconds)
            if self.errors:
                raise self.errors[0]
            return self.open
