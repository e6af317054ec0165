"""Starts nginx and Caddy on loopback with the shipped reflector files.

Provides the rest of a real machine: the main configuration, the address of the name and the
certificate. Must change a shipped file only at its marked places, and checks how often each occurs.
"""

import datetime
import errno
import ipaddress
import os
import socket
import ssl
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

REFLECTOR = Path(__file__).parents[2] / "reflector"
PROXY = "127.0.0.2"  # replaces 192.0.2.10 in the tests of a proxy


@dataclass
class Server:
    """A running web server: its port on 127.0.0.1 and ::1, its CA and its output."""

    port: int
    ca: Path
    logs: list

    def log(self):
        """Returns everything that the server has written so far."""
        return "".join(path.read_text(errors="replace") for path in self.logs if path.exists())


def program(name):
    """Returns the path of the program to test, which run.sh sets."""
    variable = f"AUTODNS_TEST_{name.upper()}"
    path = os.environ.get(variable)
    assert path, f"{variable} is not set; run tests/aws/run.sh, which finds or fetches {name}"
    return path


def place(text, *places):
    """Replaces the marked places: (old text, number of occurrences, new text)."""
    for old, count, new in places:
        assert text.count(old) == count, f"{old!r} occurs {text.count(old)} times, not {count}"
        text = text.replace(old, new)
    return text


def _free_port():
    """Returns a port that is free on both loopback addresses."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as v4:
            port = v4.getsockname()[1]
            try:
                socket.create_server(("::1", port), family=socket.AF_INET6).close()
                return port
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise  # these tests need IPv6 on loopback


def _certificate(directory):
    """Makes a test CA and a certificate for loopback: (CA, certificate, key), all PEM files."""
    now = datetime.datetime.now(datetime.timezone.utc)

    def build(name, key, issuer, issuer_key, *extensions):
        builder = (
            x509.CertificateBuilder()
            .subject_name(name).issuer_name(issuer).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=12))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(issuer_key, hashes.SHA256())

    def named(text):
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = build(named("autodns test CA"), ca_key, named("autodns test CA"), ca_key,
               (x509.BasicConstraints(ca=True, path_length=0), True))
    leaf = build(named("loopback"), key, named("autodns test CA"), ca_key,
                 (x509.BasicConstraints(ca=False, path_length=None), True),
                 (x509.SubjectAlternativeName([
                     x509.IPAddress(ipaddress.ip_address(a)) for a in ("127.0.0.1", "::1")
                 ]), False))
    pem = serialization.Encoding.PEM
    files = {
        "ca.pem": ca.public_bytes(pem),
        "leaf.pem": leaf.public_bytes(pem),
        "leaf.key": key.private_bytes(pem, serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption()),
    }
    for name, content in files.items():
        (directory / name).write_bytes(content)
    return [directory / name for name in files]


@contextmanager
def _running(command, server, directory):
    """Runs the program until the block ends. Waits until it answers on both addresses."""
    output = directory / "output"
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory),
                   "XDG_CONFIG_HOME": str(directory), "XDG_DATA_HOME": str(directory)}
    with output.open("wb") as sink:
        process = subprocess.Popen(command, env=environment, cwd=directory,
                                   stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
    server.logs.append(output)
    try:
        deadline = time.monotonic() + 30
        for host in ("127.0.0.1", "::1"):
            while not _answers(host, server):
                assert process.poll() is None, f"{command[0]} ended at once:\n{server.log()}"
                assert time.monotonic() < deadline, f"no answer on {host}:\n{server.log()}"
                time.sleep(0.05)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _answers(host, server):
    try:
        context = ssl.create_default_context(cafile=server.ca)
        with socket.create_connection((host, server.port), 5) as plain:
            with context.wrap_socket(plain, server_hostname=host):
                return True
    except OSError:  # not started yet, or no file of the CA yet
        return False


@contextmanager
def nginx(directory, *, proxy=None):
    """Runs nginx with the shipped file. `proxy` replaces the address of the proxy."""
    port = _free_port()
    ca, certificate, key = _certificate(directory)
    logs = access, error, other, main = [
        directory / name for name in ("access.log", "error.log", "other.log", "main.log")]
    live = "/etc/letsencrypt/live/reflect.example.com"
    places = [
        ("listen 443 ssl;", 1, f"listen 127.0.0.1:{port} ssl;"),
        ("listen [::]:443 ssl;", 1, f"listen [::1]:{port} ssl;"),
        (f"{live}/fullchain.pem", 1, str(certificate)),
        (f"{live}/privkey.pem", 1, str(key)),
        ("/var/log/nginx/autodns-reflector.log", 1, str(access)),
        ("/var/log/nginx/autodns-reflector-error.log", 1, str(error)),
    ]
    if proxy:
        # Once in a comment and twice in settings.
        places.append(("192.0.2.10", 3, proxy))
    (directory / "reflector.conf").write_text(
        place((REFLECTOR / "nginx.conf").read_text(), *places))
    # nginx logs all other requests in full, so only the reflector's settings keep the key out.
    temporary = "\n".join(
        f"    {kind}_temp_path {directory / kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (directory / "nginx.conf").write_text(
        f"daemon off;\npid {directory / 'pid'};\nerror_log {main} info;\nevents {{}}\n"
        f"http {{\n{temporary}\n    access_log {other};\n"
        f"    include {directory}/reflector.conf;\n}}\n")
    command = [program("nginx"), "-p", str(directory), "-e", str(main),
               "-c", str(directory / "nginx.conf")]
    with _running(command, Server(port, ca, logs), directory) as server:
        yield server


@contextmanager
def caddy(directory, *, proxy=None):
    """Runs Caddy with the shipped file. `proxy` replaces the address of the proxy."""
    port = _free_port()
    places = [("\nreflect.example.com {\n", 1,
               f"\nhttps://127.0.0.1:{port}, https://[::1]:{port}, "
               f"https://reflect.example.com:{port} {{\n")]
    if proxy:
        # Once in a comment and once in a setting.
        places.append(("192.0.2.10", 2, proxy))
    (directory / "reflector").write_text(
        place((REFLECTOR / "Caddyfile").read_text(), *places))
    # Uses Caddy's internal CA, because a public one cannot be reached. Without a second site with a
    # log, Caddy would not log any site.
    (directory / "Caddyfile").write_text(
        "{\n\tadmin off\n\tlocal_certs\n\tskip_install_trust\n\tauto_https disable_redirects\n"
        "\tdefault_bind 127.0.0.1 [::1]\n\tdebug\n"
        f"\tstorage file_system {directory / 'store'}\n}}\nimport {directory / 'reflector'}\n"
        f"https://localhost:{port} {{\n\tlog\n\trespond 404\n}}\n")
    ca = directory / "store" / "pki" / "authorities" / "local" / "root.crt"
    command = [program("caddy"), "run", "--config", str(directory / "Caddyfile"),
               "--adapter", "caddyfile"]
    with _running(command, Server(port, ca, []), directory) as server:
        yield server
