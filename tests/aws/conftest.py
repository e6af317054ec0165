"""Shared by the tests: a clean environment, the program under test, and moto.

Must not start anything that a test does not request.
"""

import os
import signal
import subprocess
import urllib.request

import pytest
from moto.server import ThreadedMotoServer

# The settings of this machine must not reach a test or its processes: the key of an account,
# trusted CAs, a proxy.
for _name in list(os.environ):
    if _name.startswith(("AWS_", "BOTO")) or _name.lower().endswith("_proxy") or _name in (
        "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
    ):
        del os.environ[_name]
os.environ.update(
    AWS_ACCESS_KEY_ID="setup", AWS_SECRET_ACCESS_KEY="setup", AWS_DEFAULT_REGION="eu-west-1",
    AWS_SHARED_CREDENTIALS_FILE=os.devnull, AWS_CONFIG_FILE=os.devnull,
    AWS_EC2_METADATA_DISABLED="true",
)

# On a signal pytest ends the processes that it started. A background process ignores SIGINT unless
# it sets a handler.
for _signal in (signal.SIGINT, signal.SIGTERM):
    signal.signal(_signal, signal.default_int_handler)


@pytest.fixture
def autodns(tmp_path):
    """Runs the program with only the environment variables that the test names."""
    path = os.environ.get("AUTODNS")
    assert path, "AUTODNS is not set; build autodns with cargo and set it to the program's path"
    home = tmp_path / "home"
    home.mkdir()

    def run(*arguments, **environment):
        environment = {"PATH": os.environ["PATH"], "HOME": str(home)} | environment
        return subprocess.run(
            [path, *map(str, arguments)], env=environment, cwd=tmp_path, timeout=300,
            stdin=subprocess.DEVNULL, capture_output=True, text=True)

    return run


class Moto:
    """An empty account in eu-west-1."""

    def __init__(self, server):
        self.address = server.get_host_and_port()
        self.url = "http://{}:{}".format(*self.address)

    def _post(self, path, body=b""):
        request = urllib.request.Request(f"{self.url}/moto-api/{path}", body, method="POST",
                                         headers={"Content-Type": "text/plain"})
        urllib.request.urlopen(request, timeout=60).close()

    def reset(self):
        self._post("reset")
        self.check_keys(False)

    def check_keys(self, on):
        """Turns the checks of signatures and actions on or off. While on, boto3's requests fail."""
        self._post("reset-auth", b"0" if on else b"inf")


@pytest.fixture(scope="session")
def _moto_server():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def moto(_moto_server):
    account = Moto(_moto_server)
    account.reset()
    yield account
    account.check_keys(False)
