"""A TCP relay that adds latency to loopback, for kernels that cannot delay packets.

It forwards data half a round trip after it came, in order, in both directions. Linux completes a
connection to the relay at once, but on a real network that takes a round trip. So the relay holds
the client's first data for one more round trip. For clients that send first, as in TLS, the total
time is the same. Must not read or change the data.
"""

import queue
import socket
import threading
import time


class Relay:
    """A relay to `port` on loopback. `rtt` is in seconds and applies to later connections."""

    def __init__(self, port):
        self.rtt = 0.0
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client):
        one_way, first = self.rtt / 2, self.rtt
        with client, socket.create_connection(("127.0.0.1", self._to)) as server:
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            works = [*forward(client, server, one_way, first), *forward(server, client, one_way, 0)]
            for work in works:
                work.join()


def forward(source, sink, delay, first_delay):
    """Forwards data from source to sink until the end. Returns the threads that do it.

    Sends each piece `delay` seconds after it came, and the first one `first_delay` seconds later.
    """
    pieces = queue.SimpleQueue()

    def receive():
        extra = first_delay
        piece = b"the first"
        while piece:
            try:
                piece = source.recv(65536)
            except OSError:
                piece = b""
            pieces.put((time.monotonic() + delay + extra, piece))
            extra = 0

    def send():
        piece = b"the first"
        while piece:
            due, piece = pieces.get()
            time.sleep(max(0, due - time.monotonic()))
            try:
                if piece:
                    sink.sendall(piece)
                else:
                    sink.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # The sink is closed. The other direction ends then too.

    works = [threading.Thread(target=work, daemon=True) for work in (receive, send)]
    for work in works:
        work.start()
    return works
