"""Tests what the user's policy allows, and that `autodns policy` prints the template's policy."""

import json
import socket

import pytest

import iam
from iam import CHANGE, LIST, PUBLISH, Request, allows, change, meaning, zone
from template import deploy

TOPIC = "arn:aws:sns:eu-west-1:123456789012:autodns"
ZONE = zone("Z0EXAMPLE")


def policy(**given):
    stack = deploy(attributes={"AlertTopic": TOPIC}, **given)
    return stack.resources["UserPolicy"]["Properties"]["PolicyDocument"]


# The evaluator itself

def statement(**more):
    return {"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": CHANGE, "Resource": ZONE} | more}


def test_for_all_values_is_true_for_all_values_and_no_value():
    names = statement(Condition={
        "ForAllValues:StringEquals": {iam.NAMES: ["a.example", "b.example"]}})
    for values, allowed in [
        (["a.example"], True), (["b.example", "a.example"], True), ([], True),
        (["a.example", "c.example"], False), (["A.example"], False), (["a.example."], False),
    ]:
        assert allows(names, Request(CHANGE, ZONE, {iam.NAMES: values})) is allowed, values
    assert allows(names, Request(CHANGE, ZONE))


@pytest.mark.parametrize("more", [
    {"Effect": "Deny"}, {"NotAction": CHANGE}, {"Resource": "*"}, {"Action": "route53:*"},
    {"Condition": {"StringEquals": {iam.NAMES: ["a.example"]}}},
    {"Condition": {"ForAllValues:StringLike": {iam.NAMES: ["a.example"]}}},
    {"Condition": {"ForAllValues:StringEquals": {"aws:SourceIp": ["192.0.2.1"]}}},
])
def test_evaluator_rejects_unknown_parts_of_a_policy(more):
    with pytest.raises(ValueError):
        allows(statement(**more), Request(CHANGE, ZONE))


def test_equivalent_policies_have_the_same_meaning():
    one = policy(RecordTypes="A,AAAA")
    other = json.loads(json.dumps(one))
    other["Statement"].reverse()
    other["Statement"][0]["Action"] = [PUBLISH]
    condition = other["Statement"][1]["Condition"]["ForAllValues:StringEquals"]
    condition[iam.ACTIONS] = "UPSERT"
    condition[iam.TYPES].reverse()
    assert meaning(one) == meaning(other)
    condition[iam.TYPES].append("TXT")
    assert meaning(one) != meaning(other)


# The template's policy

@pytest.mark.parametrize("name", ["home.example.com", "*.home.example.com"])
@pytest.mark.parametrize("types", ["A", "AAAA", "A,AAAA"])
def test_template_policy_allows_the_requests_of_autodns(name, types):
    given = policy(DnsName=name, RecordTypes=types)
    assert allows(given, Request(LIST, ZONE))
    assert allows(given, Request(PUBLISH, TOPIC))
    for type_ in types.split(","):
        assert allows(given, change(ZONE, ("UPSERT", name, type_)))
        assert allows(given, change(ZONE, ("UPSERT", name.upper() + ".", type_)))


GOOD = ("UPSERT", "home.example.com", "A")


@pytest.mark.parametrize("changes", [
    [("DELETE", "home.example.com", "A")],
    [("CREATE", "home.example.com", "A")],
    [("UPSERT", "home.example.com", "AAAA")],
    [("UPSERT", "home.example.com", "MX")],
    [("UPSERT", "example.com", "A")],
    [("UPSERT", "www.example.com", "A")],
    [("UPSERT", "x.home.example.com", "A")],
    [("UPSERT", "*.example.com", "A")],
    [("UPSERT", "\\052.home.example.com", "A")],
], ids=str)
def test_template_policy_denies_all_other_changes(changes):
    given = policy()
    assert allows(given, change(ZONE, GOOD))
    assert not allows(given, change(ZONE, *changes))
    assert not allows(given, change(ZONE, GOOD, *changes))
    assert not allows(given, change(ZONE, *changes, GOOD))


@pytest.mark.parametrize("request_", [
    Request(LIST, zone("Z0OTHER")), change(zone("Z0OTHER"), GOOD),
    Request(PUBLISH, TOPIC + "2"), Request("sns:Subscribe", TOPIC),
    Request("route53:GetHostedZone", ZONE), Request("route53:DeleteHostedZone", ZONE),
], ids=str)
def test_template_policy_denies_other_resources_and_actions(request_):
    assert not allows(policy(), request_)


def test_wildcard_policy_does_not_cover_matching_names():
    given = policy(DnsName="*.home.example.com")
    assert allows(given, change(ZONE, ("UPSERT", "\\052.home.example.com.", "A")))
    assert not allows(given, change(ZONE, ("UPSERT", "x.home.example.com", "A")))
    assert not allows(given, change(ZONE, ("UPSERT", "home.example.com", "A")))


# The output of `autodns policy`

@pytest.fixture
def printed(autodns, tmp_path):
    """Runs `autodns policy` for these configurations, without a key and without a network."""
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.setblocking(False)
        nowhere = "http://127.0.0.1:{}".format(trap.getsockname()[1])

        def run(*configs):
            paths = []
            for number, config in enumerate(configs):
                paths.append(tmp_path / f"{number}.json")
                paths[-1].write_text(config if isinstance(config, str) else json.dumps(config))
            result = autodns("policy", *paths, AWS_ENDPOINT_URL=nowhere, HTTPS_PROXY=nowhere,
                             HTTP_PROXY=nowhere)
            assert (result.returncode, result.stderr) == (0, "")
            return json.loads(result.stdout)

        yield run
        with pytest.raises(BlockingIOError):
            trap.accept()  # no connection came


def config(**more):
    return {"hosted_zone_id": "Z0EXAMPLE", "dns_name": "home.example.com", "topic_arn": TOPIC,
            "alert_lock": "/tmp/autodns_alert.lock",
            "reflect_url": "https://reflect.example.com/?apikey=verysecret"} | more


@pytest.mark.parametrize("types", ["A", "AAAA", "A,AAAA"])
@pytest.mark.parametrize("name", ["home.example.com", "*.home.example.com"])
@pytest.mark.parametrize("partition, region", [
    ("aws", "eu-west-1"), ("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1"),
    ("aws-eusc", "eusc-de-east-1"),
])
def test_policy_command_agrees_with_the_template(printed, types, name, partition, region):
    stack = deploy(
        region, partition, {"AlertTopic": f"arn:{partition}:sns:{region}:123456789012:autodns"},
        DnsName=name, RecordTypes=types)
    of_template = stack.resources["UserPolicy"]["Properties"]["PolicyDocument"]
    assert meaning(printed(stack.outputs["ConfigJson"])) == meaning(of_template)


def test_policy_command_agrees_with_template_on_foreign_topic(printed):
    arn = "arn:aws:sns:us-east-1:210987654321:shared"
    stack = deploy(TopicArn=arn)
    of_template = stack.resources["UserPolicy"]["Properties"]["PolicyDocument"]
    assert allows(of_template, Request(PUBLISH, arn))
    assert not allows(of_template, Request(PUBLISH, TOPIC))
    assert meaning(printed(stack.outputs["ConfigJson"])) == meaning(of_template)


@pytest.mark.parametrize("name, zone_id", [
    ("HOME.Example.COM.", "/hostedzone/Z0EXAMPLE"), ("home.example.com", "hostedzone/Z0EXAMPLE"),
])
def test_policy_command_normalises_names(printed, name, zone_id):
    assert meaning(printed(config(dns_name=name, hosted_zone_id=zone_id))) == meaning(policy())


def test_policy_command_defaults_to_an_a_record(printed):
    assert meaning(printed(config())) == meaning(printed(config(record_types=["A"])))


def test_policy_of_several_configs_merges_without_mixing_them(printed):
    """Each record keeps its types in its zone. Tries every pair of name and type in each zone."""
    other_topic = "arn:aws:sns:us-east-1:123456789012:other"
    jobs = {
        ("Z0EXAMPLE", "home.example.com"): ["A"],
        ("Z0EXAMPLE", "cam.example.com"): ["AAAA"],
        ("Z0EXAMPLE", "nas.example.com"): ["A", "AAAA"],
        ("Z0OTHER", "home.example.net"): ["A"],
        ("Z0OTHER", "cam.example.com"): ["A"],
    }
    merged = printed(*(
        config(hosted_zone_id=zone_id, dns_name=name, record_types=types,
               topic_arn=other_topic if zone_id == "Z0OTHER" else TOPIC)
        for (zone_id, name), types in jobs.items()))
    for zone_id in ("Z0EXAMPLE", "Z0OTHER", "Z0NEITHER"):
        assert allows(merged, Request(LIST, zone(zone_id))) is (zone_id != "Z0NEITHER")
        for name in {name for _, name in jobs} | {"example.com"}:
            for type_ in ("A", "AAAA", "TXT"):
                wanted = type_ in jobs.get((zone_id, name), [])
                got = allows(merged, change(zone(zone_id), ("UPSERT", name, type_)))
                assert got is wanted, (zone_id, name, type_)
                for action in ("DELETE", "CREATE"):
                    assert not allows(merged, change(zone(zone_id), (action, name, type_)))
    for topic, wanted in ((TOPIC, True), (other_topic, True), (TOPIC + "2", False)):
        assert allows(merged, Request(PUBLISH, topic)) is wanted


def test_policy_of_a_config_without_topic_denies_publish(printed):
    silent = config()
    del silent["topic_arn"], silent["alert_lock"]
    assert meaning(printed(silent)) == {
        permission for permission in meaning(policy()) if permission[0] != PUBLISH}


def test_policy_of_a_config_named_twice_is_the_same(printed):
    assert printed(config(), config()) == printed(config())


def test_unreadable_config_prints_no_policy(autodns, tmp_path):
    result = autodns("policy", tmp_path / "missing.json")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("autodns: ") and "missing.json" in result.stderr
