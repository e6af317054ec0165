"""Tests that the policy of an earlier version allows every request of this version.

Users do not replace their policy after an upgrade. Each file in policies/ is the output of
`autodns policy` of that version for the configuration below. These files must never change.
"""

import json
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest

import iam
import loopback
from recorder import record

POLICIES = sorted((Path(__file__).parent / "policies").glob("*.json"))
NAMES = ["home.example.com", "*.home.example.com"]


@contextmanager
def reflector():
    """Yields (url, said). The response is said[0]."""
    said = ["192.175.48.7"]

    class Handler(loopback.Handler):
        def do_GET(self):
            body = said[0].encode()
            self.respond(
                200, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))], body)

    with loopback.serve(Handler) as port:
        yield f"http://127.0.0.1:{port}/", said


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_earlier_policy_allows_each_request(moto, autodns, tmp_path, path):
    zone = boto3.client("route53", endpoint_url=moto.url).create_hosted_zone(
        Name="example.com", CallerReference="test")
    zone_id = zone["HostedZone"]["Id"].removeprefix("/hostedzone/")
    topic = boto3.client("sns", endpoint_url=moto.url).create_topic(Name="autodns")["TopicArn"]
    policy = json.loads(path.read_text().replace("Z0EXAMPLE", zone_id))
    config = {"hosted_zone_id": zone_id, "dns_name": NAMES, "topic_arn": topic,
              "alert_lock": str(tmp_path / "alert.lock")}
    with reflector() as (url, said), record(moto.address) as (endpoint, requests):

        def run(*arguments, status=0, **keys):
            """Runs autodns, checks each request against the policy, and returns the actions."""
            file = tmp_path / "autodns.json"
            file.write_text(json.dumps(config | {"reflect_url": url} | keys))
            file.chmod(0o600)
            before = len(requests)
            result = autodns(
                *arguments, file, AWS_ENDPOINT_URL=endpoint, AWS_ACCESS_KEY_ID="AKIAEXAMPLE",
                AWS_SECRET_ACCESS_KEY="secretOfATest")
            assert result.returncode == status, result.stdout + result.stderr
            read = [iam.read(*request) for request in requests[before:]]
            assert [request for request in read if not iam.allows(policy, request)] == []
            return {request.action for request in read}

        assert run("--dry-run") == {iam.LIST}
        assert run() == {iam.LIST, iam.CHANGE}  # the records are created
        assert run() == {iam.LIST}
        said[0] = "192.175.48.8"
        assert run() == {iam.LIST, iam.CHANGE}
        assert run(ttl=60) == {iam.LIST, iam.CHANGE}
        assert run("check") == {iam.LIST}
        assert run("check", "--write", "--alert") == {iam.LIST, iam.CHANGE, iam.PUBLISH}
        said[0] = "out of order"
        assert run(status=1) == {iam.LIST, iam.PUBLISH}
        said[0] = "192.175.48.8"
        assert run(ttl=60) == {iam.LIST, iam.PUBLISH}  # it is up to date again


def test_policy_of_version_0_1_0_is_present():
    assert [path.stem for path in POLICIES][0] == "0.1.0"
