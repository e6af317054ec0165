"""Deploys the template into moto and runs autodns with the key and configuration of its outputs.

moto does not support function URLs, secrets and subscriptions in a stack. They are removed from
moto's copy, and their values are inserted where the rest of the template reads them.
"""

import json
import urllib.parse
from contextlib import contextmanager

import boto3
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sns.models import sns_backends

import function_url
import iam
import template
from recorder import record

UNKNOWN_TO_MOTO = {"AWS::Lambda::Url", "AWS::SecretsManager::Secret", "AWS::SNS::Subscription"}
API_KEY = "a+b&c=%41 ключ"


def for_moto(url):
    """Returns a copy of the template that moto can deploy, with `url` as function URL."""
    assigned = {"ReflectorFunctionUrl.FunctionUrl": url, "UserAccessKeySecret": "<its ARN>"}

    def fill(node):
        if isinstance(node, list):
            return [fill(value) for value in node]
        if isinstance(node, str):
            for name, value in assigned.items():
                node = node.replace("${" + name + "}", value)
            return node
        if not isinstance(node, dict):
            return node
        for name, value in assigned.items():
            if node in ({"Ref": name}, {"Fn::GetAtt": name.split(".")}):
                return value
        return {key: fill(value) for key, value in node.items()}

    full = template.load()
    taken_out = {n for n, r in full["Resources"].items() if r["Type"] in UNKNOWN_TO_MOTO}
    assert taken_out == {"ReflectorFunctionUrl", "UserAccessKeySecret", "AlertSubscription"}
    # An output with the text of the secret, so that moto evaluates it.
    secret = full["Resources"]["UserAccessKeySecret"]
    full["Outputs"]["SecretText"] = {
        "Condition": secret["Condition"], "Value": secret["Properties"]["SecretString"]}
    full["Resources"] = {n: r for n, r in full["Resources"].items() if n not in taken_out}
    return fill(full)


class Account:
    """A moto account with a hosted zone."""

    def __init__(self, moto):
        self.moto = moto
        self.route53, self.iam, self.cloudformation = (
            boto3.client(name, endpoint_url=moto.url)
            for name in ("route53", "iam", "cloudformation"))
        zone = self.route53.create_hosted_zone(Name="example.com", CallerReference="test")
        self.zone_id = zone["HostedZone"]["Id"].removeprefix("/hostedzone/")

    def deploy(self, url="https://unused.example/", stack="autodns", **parameters):
        """Deploys a new stack and returns its outputs."""
        parameters = {"HostedZoneId": self.zone_id, "DnsName": "home.example.com"} | parameters
        self.cloudformation.create_stack(
            StackName=stack, TemplateBody=json.dumps(for_moto(url)),
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[{"ParameterKey": name, "ParameterValue": value}
                        for name, value in parameters.items()])
        made, = self.cloudformation.describe_stacks(StackName=stack)["Stacks"]
        assert made["StackStatus"] == "CREATE_COMPLETE"
        return {output["OutputKey"]: output["OutputValue"] for output in made["Outputs"]}

    def policy(self, user):
        """Returns the only policy of this user."""
        assert self.iam.list_attached_user_policies(UserName=user)["AttachedPolicies"] == []
        assert self.iam.list_user_policies(UserName=user)["PolicyNames"] == ["autodns"]
        return self.iam.get_user_policy(UserName=user, PolicyName="autodns")["PolicyDocument"]

    @contextmanager
    def checking_keys(self, user):
        """Makes moto check the key, the signature and the actions in the block. moto cannot check
        resources and conditions, so the policy in moto names only the actions."""
        policy = self.policy(user)
        for statement in policy["Statement"]:
            statement.pop("Condition", None)
            statement["Resource"] = "*"
        self.iam.put_user_policy(
            UserName=user, PolicyName="autodns", PolicyDocument=json.dumps(policy))
        self.moto.check_keys(True)
        try:
            yield
        finally:
            self.moto.check_keys(False)

    def records(self):
        rows = self.route53.list_resource_record_sets(HostedZoneId=self.zone_id)
        return [
            (row["Name"], row["Type"], row["TTL"], [v["Value"] for v in row["ResourceRecords"]])
            for row in rows["ResourceRecordSets"] if row["Type"] not in ("NS", "SOA")
        ]


@pytest.fixture
def account(moto):
    return Account(moto)


@pytest.mark.parametrize("access_key, keys", [
    ("secret", {"AccessKeyId", "SecretArn"}), ("output", {"AccessKeyId", "SecretAccessKey"}),
    ("none", set()),
])
def test_stack_deploys_with_each_access_key_choice(account, access_key, keys):
    url = "https://example.lambda-url.eu-west-1.on.aws/"
    outputs = account.deploy(url, AccessKey=access_key, Reflector="yes", Email="you@example.com")
    outputs.pop("SecretText", None)
    assert outputs.keys() == keys | {
        "ConfigJson", "TopicArn", "UserName", "ReflectorUrl", "NextStep"}
    made = account.iam.list_access_keys(UserName=outputs["UserName"])["AccessKeyMetadata"]
    assert [key["AccessKeyId"] for key in made] == [
        outputs[name] for name in ("AccessKeyId",) if name in keys]
    assert outputs["ReflectorUrl"] == url


def test_moto_and_template_py_make_the_same_stack(account):
    """So a test with one of them also holds for the other."""
    given = {"HostedZoneId": account.zone_id, "DnsName": "*.home.example.com",
             "RecordTypes": "A,AAAA", "InitialAddress": "192.175.48.7"}
    outputs = account.deploy(**given)
    stack = template.deploy(
        attributes={"AlertTopic": outputs["TopicArn"], "User": outputs["UserName"],
                    "UserAccessKey": outputs["AccessKeyId"], "UserAccessKeySecret": "<its ARN>"},
        **given)
    del outputs["SecretText"]
    assert outputs == stack.outputs
    assert account.policy(outputs["UserName"]) == (
        stack.resources["UserPolicy"]["Properties"]["PolicyDocument"])
    # moto keeps a name as given. Route 53 normalises it.
    assert account.records() == [("*.home.example.com", "A", 600, ["192.175.48.7"])]


def test_stacks_share_an_existing_topic(account, moto):
    """Each stack has its own user, whose policy names the topic. No other topic is made."""
    sns = boto3.client("sns", endpoint_url=moto.url)
    topic = sns.create_topic(Name="shared")["TopicArn"]
    users = set()
    for number in range(3):
        outputs = account.deploy(
            stack=f"pi-{number}", TopicArn=topic, DnsName=f"pi{number}.example.com")
        assert outputs["TopicArn"] == topic
        users.add(outputs["UserName"])
        statement = account.policy(outputs["UserName"])["Statement"][-1]
        assert (statement["Action"], statement["Resource"]) == (iam.PUBLISH, topic)
    assert len(users) == 3
    assert [each["TopicArn"] for each in sns.list_topics()["Topics"]] == [topic]
    assert sns.list_subscriptions()["Subscriptions"] == []


@pytest.fixture
def deployed(account, autodns, tmp_path):
    """A stack with a reflector, and a way to run autodns as its user.

    Yields (outputs, run). run(api_key) puts the API key into the configuration, runs autodns, and
    returns the result and each request as IAM sees it."""
    @contextmanager
    def deploy(access_key, type_, event_name, host):
        # The function starts first, because the stack needs its URL.
        function = function_url.Function(
            template.deploy(Reflector="yes", ReflectorApiKey=API_KEY))
        with function_url.serve(function, host, event_name) as port:
            url_host = f"[{host}]" if ":" in host else host
            outputs = account.deploy(
                f"http://{url_host}:{port}/", AccessKey=access_key, RecordTypes=type_,
                Reflector="yes", ReflectorApiKey=API_KEY)
            credentials = tmp_path / "credentials"
            credentials.write_text(outputs.get("SecretText") or (
                "[default]\naws_access_key_id={AccessKeyId}\n"
                "aws_secret_access_key={SecretAccessKey}\n").format(**outputs))

            def run(api_key):
                config = outputs["ConfigJson"].replace(
                    "YOUR-KEY", urllib.parse.quote(api_key, safe=""))
                path = tmp_path / "autodns.json"
                path.write_text(config)
                with record(account.moto.address) as (endpoint, requests):
                    with account.checking_keys(outputs["UserName"]):
                        result = autodns(path, AWS_ENDPOINT_URL=endpoint,
                                         AWS_SHARED_CREDENTIALS_FILE=str(credentials))
                return result, [iam.read(*request) for request in requests]

            yield outputs, run
    return deploy


@pytest.mark.parametrize("access_key", ["secret", "output"])
@pytest.mark.parametrize("type_, event_name, host, address", [
    ("A", "ipv4", "127.0.0.1", "192.175.48.7"), ("AAAA", "ipv6", "::1", "2620:4f:8000::7"),
])
def test_autodns_works_with_the_outputs_of_the_stack(
        deployed, account, access_key, type_, event_name, host, address):
    with deployed(access_key, type_, event_name, host) as (outputs, run):
        policy = account.policy(outputs["UserName"])
        result, requests = run(API_KEY)
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
        assert account.records() == [("home.example.com.", type_, 600, [address])]
        # moto has checked the actions only. The whole policy allows the requests too.
        assert {request.action for request in requests} == {iam.LIST, iam.CHANGE}
        assert [request for request in requests if not iam.allows(policy, request)] == []


def test_alert_is_published_with_the_outputs_of_the_stack(deployed, account):
    with deployed("secret", "A", "ipv4", "127.0.0.1") as (outputs, run):
        policy = account.policy(outputs["UserName"])
        result, requests = run("not the key")
        assert (result.returncode, result.stdout) == (1, "")
        assert "the apikey parameter is missing or wrong" in result.stderr
        assert account.records() == []
        assert iam.Request(iam.PUBLISH, outputs["TopicArn"]) in requests
        assert [request for request in requests if not iam.allows(policy, request)] == []
        topic = sns_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"].topics[outputs["TopicArn"]]
        assert len(topic.sent_notifications) == 1


def test_wrong_secret_key_is_rejected(deployed, account, tmp_path):
    with deployed("secret", "A", "ipv4", "127.0.0.1") as (_, run):
        credentials = tmp_path / "credentials"
        text = credentials.read_text()
        secret = text.split("aws_secret_access_key = ")[1].strip()
        credentials.write_text(text.replace(secret, "x" * len(secret)))
        result, _ = run(API_KEY)
        assert result.returncode == 1 and "SignatureDoesNotMatch" in result.stderr
        assert account.records() == []
