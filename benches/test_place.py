"""Tests the server and the relay of the benchmark, with Python's TLS as the client."""

import socket
import ssl
import time
import unittest

import counterpart
import place

REFLECT = b"GET /ip HTTP/1.1\r\nHost: localhost\r\n\r\n"
LIST = (
    f"GET /2013-04-01/hostedzone/{counterpart.ZONE}/rrset?name=a HTTP/1.1\r\n"
    "Host: localhost\r\nAuthorization: AWS4-HMAC-SHA256 Credential=A\r\n\r\n"
).encode()


def ask(where, url, request):
    """Sends a request on a new connection. Returns the response and how long it took."""
    context = ssl.create_default_context(cafile=where.environment["AWS_CA_BUNDLE"])
    port = int(url.split(":")[2].split("/")[0])
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as tls:
            tls.sendall(request)
            answer = tls.recv(65536)
            return answer, time.monotonic() - began


class PlaceTest(unittest.TestCase):
    """All tests share one place, because certificates take a moment to make."""

    @classmethod
    def setUpClass(cls):
        cls.where = cls.enterClassContext(place.Place())
        cls.route53 = cls.where.environment["AWS_ENDPOINT_URL"]
        cls.reflector = cls.where.reflector

    def test_quiet_run_is_counted(self):
        reflected, _ = ask(self.where, self.reflector, REFLECT)
        listed, _ = ask(self.where, self.route53, LIST)
        seen = self.where.take("a test")
        self.assertTrue(reflected.endswith(counterpart.REFLECTED), reflected)
        self.assertTrue(listed.endswith(counterpart.LISTED), listed)
        self.assertEqual((seen.connections, seen.handshakes), (2, 2))
        self.assertEqual(seen.request_bytes, len(REFLECT) + len(LIST))
        self.assertGreater(seen.bytes_from, seen.request_bytes + 2 * 200)
        self.assertGreater(seen.bytes_to, 2 * 1000)

    def test_other_requests_are_not_a_quiet_run(self):
        unsigned = LIST.replace(b"Authorization", b"X-Authorization")
        for requests in (
            [],
            [(self.reflector, REFLECT)],
            [(self.reflector, REFLECT), (self.route53, unsigned)],
            [(self.reflector, REFLECT), (self.route53, LIST), (self.route53, LIST)],
            [(self.reflector, REFLECT), (self.route53, LIST), (self.reflector, LIST)],
        ):
            with self.subTest(requests=requests):
                for url, request in requests:
                    ask(self.where, url, request)
                with self.assertRaisesRegex(place.NotQuiet, "a test did not do a quiet run"):
                    self.where.take("a test")

    def test_relay_delays_each_round_trip(self):
        self.where.set_round_trip(0.1)
        self.addCleanup(self.where.set_round_trip, 0)
        # The minimum, because other work on the machine rarely delays all five.
        took = min(ask(self.where, self.reflector, REFLECT)[1] for _ in range(5))
        with self.assertRaises(place.NotQuiet):
            self.where.take("a test")
        self.assertGreaterEqual(took, 0.3)
        self.assertLess(took, 0.39)


if __name__ == "__main__":
    unittest.main()
