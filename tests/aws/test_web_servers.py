"""Tests nginx and Caddy with the shipped files, by autodns and by clients with forged headers."""

import http.client
import json
import socket
import ssl

import pytest

import web_server

GOOD = "/reflect/v1?apikey=verysecret"
REFUSED = '{"error":"the apikey parameter is missing or wrong"}'
UNNAMED = '{"error":"the proxy did not name its client"}'
SERVERS = [web_server.nginx, web_server.caddy]
HOSTS = ["127.0.0.1", "::1"]


def told(address):
    return f'{{"error":"","forwarded":0,"forwarded_for":"","your_ip":"{address}"}}'


@pytest.fixture(scope="module", params=SERVERS, ids=lambda server: server.__name__)
def server(request, tmp_path_factory):
    with request.param(tmp_path_factory.mktemp(request.param.__name__)) as running:
        yield running


@pytest.fixture(scope="module", params=SERVERS, ids=lambda server: server.__name__)
def proxied(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp(request.param.__name__)
    with request.param(directory, proxy=web_server.PROXY) as running:
        yield running


def ask(server, host, target, *headers, source=None):
    """Sends a GET and returns (status, Content-Type, Cache-Control, body)."""
    connection = http.client.HTTPSConnection(
        host, server.port, timeout=30, source_address=source and (source, 0),
        context=ssl.create_default_context(cafile=server.ca))
    try:
        connection.putrequest("GET", target)
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return (answer.status, answer.getheader("Content-Type"),
                answer.getheader("Cache-Control"), answer.read().decode())
    finally:
        connection.close()


def answer(status, body):
    return (status, "application/json", "no-store", body)


@pytest.mark.parametrize("host", HOSTS)
def test_caller_gets_its_address(server, host):
    assert ask(server, host, GOOD) == answer(200, told(host))
    assert ask(server, host, "/reflect/v1?x=1&apikey=verysecret&y=2") == answer(200, told(host))


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("query", [
    "", "?", "?apikey", "?apikey=", "?apikey=Verysecret", "?apikey=VERYSECRET",
    "?apikey=verysecre", "?apikey=verysecretx", "?xapikey=verysecret", "?apikey=wrong-key",
    "?apikey=%2A", "?apikey=*",
])
def test_wrong_key_is_rejected(server, host, query):
    assert ask(server, host, "/reflect/v1" + query) == answer(403, REFUSED)


@pytest.mark.parametrize("target", ["/?apikey=verysecret", "/reflect/v2?apikey=verysecret"])
def test_other_paths_are_not_found(server, target):
    status, _, _, body = ask(server, "127.0.0.1", target)
    assert status == 404 and "127.0.0.1" not in body


FORGED = [("X-Forwarded-For", "198.51.100.1"), ("X-Real-IP", "198.51.100.1"),
          ("Forwarded", "for=198.51.100.1"), ("Client-IP", "198.51.100.1"),
          ("CF-Connecting-IP", "198.51.100.1"), ("X-Forwarded-For", "192.0.2.10")]


@pytest.mark.parametrize("host", HOSTS)
def test_forged_header_has_no_effect(server, host):
    assert ask(server, host, GOOD, *FORGED) == answer(200, told(host))


@pytest.mark.parametrize("host", HOSTS)
def test_header_of_an_unlisted_proxy_is_ignored(proxied, host):
    assert ask(proxied, host, GOOD, *FORGED) == answer(200, told(host))
    assert ask(proxied, host, GOOD) == answer(200, told(host))


@pytest.mark.parametrize("headers, address", [
    (["192.175.48.7"], "192.175.48.7"),
    (["2620:4f:8000::7"], "2620:4f:8000::7"),
    # The forged part comes first, in the same header or in another one.
    (["198.51.100.1, 192.175.48.7"], "192.175.48.7"),
    (["198.51.100.1,2620:4f:8000::7"], "2620:4f:8000::7"),
    (["198.51.100.1", "192.175.48.7"], "192.175.48.7"),
    (["junk, 198.51.100.1", "\"}, 2620:4f:8000::7"], "2620:4f:8000::7"),
])
def test_address_written_by_the_listed_proxy_is_used(proxied, headers, address):
    headers = [("X-Forwarded-For", value) for value in headers]
    got = ask(proxied, "127.0.0.1", GOOD, *headers, source=web_server.PROXY)
    assert got == answer(200, told(address))


@pytest.mark.parametrize("headers", [
    [], [("X-Forwarded-For", "")], [("X-Forwarded-For", "unknown")],
    [("X-Forwarded-For", "192.175.48.7, unknown")], [("X-Real-IP", "192.175.48.7")],
])
def test_listed_proxy_without_an_address_is_rejected(proxied, headers):
    got = ask(proxied, "127.0.0.1", GOOD, *headers, source=web_server.PROXY)
    assert got == answer(502, UNNAMED)


def test_nginx_skips_several_listed_proxies(tmp_path):
    row = ("X-Forwarded-For", f"198.51.100.1, 192.175.48.7, {web_server.PROXY}")
    with web_server.nginx(tmp_path, proxy=web_server.PROXY) as server:
        got = ask(server, "127.0.0.1", GOOD, row, source=web_server.PROXY)
    assert got == answer(200, told("192.175.48.7"))


def test_listed_proxy_needs_the_key(proxied):
    got = ask(proxied, "127.0.0.1", "/reflect/v1?apikey=wrong-key",
              ("X-Forwarded-For", "192.175.48.7"), source=web_server.PROXY)
    assert got == answer(403, REFUSED)


def raw(server, data):
    """Sends these bytes, reads until the server closes, and ignores the response."""
    context = ssl.create_default_context(cafile=server.ca)
    with socket.create_connection(("127.0.0.1", server.port), 30) as plain:
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
            try:
                connection.sendall(data)
                while connection.recv(65536):
                    pass
            except (ConnectionError, ssl.SSLError):
                pass  # refused half way


@pytest.mark.parametrize("start", SERVERS, ids=lambda server: server.__name__)
def test_key_is_never_logged(start, tmp_path):
    host = b"Host: 127.0.0.1\r\nConnection: close\r\n"
    with start(tmp_path) as server:
        assert ask(server, "::1", GOOD) == answer(200, told("::1"))
        assert ask(server, "127.0.0.1", "/reflect/v1?apikey=wrong-key")[0] == 403
        assert ask(server, "127.0.0.1", "/elsewhere?apikey=verysecret")[0] == 404
        assert ask(server, "127.0.0.1", GOOD, ("Referer", "https://x.example" + GOOD))[0] == 200
        # Requests that a server quotes in its error log.
        get = f"GET {GOOD}".encode()
        raw(server, get + b" HTTP/1.1\r\n" + host + b"X: " + b"x" * 2_000_000 + b"\r\n\r\n")
        raw(server, get + b"&" + b"x" * 2_000_000 + b" HTTP/1.1\r\n" + host + b"\r\n")
        raw(server, get + b" HTTP/9.9\r\n" + host + b"\r\n")
        raw(server, b"GET /reflect/%zz?apikey=verysecret HTTP/1.1\r\n" + host + b"\r\n")
        raw(server, b"GET /../..?apikey=verysecret HTTP/1.1\r\n" + host + b"\r\n")
        raw(server, get + b" HTTP/1.1\r\nHost: a b/c\r\n\r\n")
        raw(server, get + b" HTTP/1.1\r\nHost: REFLECT.Example.com\r\nConnection: close\r\n\r\n")
        for length in (b"x", b"99999999999"):
            raw(server, b"POST" + get[3:] + b" HTTP/1.1\r\n" + host
                + b"Content-Length: " + length + b"\r\n\r\n")
        raw(server, get + b";%%;&apikey=verysecret#verysecret HTTP/1.1\r\n" + host + b"\r\n")
        # Each server logs this request. When it is in the log, those before it are too.
        raw(server, b"GET /seen HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    log = server.log()
    assert "/seen" in log
    assert "verysecret" not in log and "wrong-key" not in log


@pytest.mark.parametrize("name", ["nginx.conf", "Caddyfile"])
def test_key_is_configured_in_one_place(name):
    lines = [line.strip() for line in (web_server.REFLECTOR / name).read_text().splitlines()]
    settings = [line for line in lines if line and not line.startswith("#")]
    comments = [line for line in lines if line.startswith("#")]
    assert sum("verysecret" in line for line in settings) == 1
    assert sum("YOUR KEY" in line for line in comments) == 1


# Runs of autodns. It asks over the address family of the record. The configuration allows
# non-public addresses, because loopback addresses are not public.

ZONE = {"hosted_zone_id": "Z0EXAMPLE", "dns_name": "home.example.com",
        "topic_arn": "arn:aws:sns:eu-west-1:123456789012:autodns", "allow_non_public": True}


@pytest.fixture
def run(autodns, moto, tmp_path):
    """Runs autodns with an empty zone in moto. Returns (result, the zone's address records)."""
    import boto3

    def run(server, type_, url_host, key):
        route53 = boto3.client("route53", endpoint_url=moto.url)
        zone = route53.create_hosted_zone(Name="example.com", CallerReference=key + type_)
        config = ZONE | {
            "hosted_zone_id": zone["HostedZone"]["Id"], "record_types": [type_],
            "alert_lock": str(tmp_path / "alert.lock"),
            "reflect_url": f"https://{url_host}:{server.port}/reflect/v1?apikey={key}",
        }
        path = tmp_path / "autodns.json"
        path.write_text(json.dumps(config))
        result = autodns(path, AWS_ACCESS_KEY_ID="setup", AWS_SECRET_ACCESS_KEY="setup",
                         AWS_ENDPOINT_URL=moto.url, AWS_CA_BUNDLE=str(server.ca))
        rows = route53.list_resource_record_sets(HostedZoneId=zone["HostedZone"]["Id"])
        return result, [
            (row["Name"], row["Type"], [value["Value"] for value in row["ResourceRecords"]])
            for row in rows["ResourceRecordSets"] if row["Type"] in ("A", "AAAA")
        ]

    return run


@pytest.mark.parametrize("type_, url_host, address", [
    ("A", "127.0.0.1", "127.0.0.1"), ("AAAA", "[::1]", "::1"),
])
def test_autodns_reads_its_address(server, run, type_, url_host, address):
    result, records = run(server, type_, url_host, "verysecret")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert records == [("home.example.com.", type_, [address])]


@pytest.mark.parametrize("type_, url_host", [("A", "127.0.0.1"), ("AAAA", "[::1]")])
def test_autodns_with_a_wrong_key_reports_it(server, run, type_, url_host):
    result, records = run(server, type_, url_host, "Verysecret")
    assert (result.returncode, result.stdout, records) == (1, "", [])
    first = result.stderr.splitlines()[0]
    assert first.startswith(f"autodns: home.example.com {type_}: ")
    assert "the apikey parameter is missing or wrong" in first
    assert "Verysecret" not in result.stderr
