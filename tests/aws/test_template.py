"""Tests what the template makes in CloudFormation, for each of its parameters."""

import configparser
import json

import pytest

import iam
import template
from template import Refused, deploy

TOPIC = "arn:aws:sns:eu-west-1:123456789012:shared"
BASE = {"ConfigJson", "TopicArn", "UserName", "NextStep"}
REFLECTOR_TYPES = {"AWS::IAM::Role", "AWS::Lambda::Function", "AWS::Lambda::Url",
                   "AWS::Lambda::Permission"}


def types(stack):
    return sorted(resource["Type"] for resource in stack.resources.values())


def policy(stack):
    (properties,) = stack.properties("AWS::IAM::Policy").values()
    return properties["PolicyDocument"]


def test_defaults_make_topic_user_key_and_secret():
    stack = deploy()
    assert types(stack) == ["AWS::IAM::AccessKey", "AWS::IAM::Policy", "AWS::IAM::User",
                            "AWS::SNS::Topic", "AWS::SecretsManager::Secret"]
    assert stack.outputs.keys() == BASE | {"AccessKeyId", "SecretArn"}
    assert stack.outputs["TopicArn"] == "<AlertTopic>"
    assert stack.outputs["UserName"] == "<User>"
    assert stack.outputs["AccessKeyId"] == "<UserAccessKey>"
    assert stack.outputs["SecretArn"] == "<UserAccessKeySecret>"


@pytest.mark.parametrize("access_key, more_outputs, more_types", [
    ("secret", {"AccessKeyId", "SecretArn"},
     {"AWS::IAM::AccessKey", "AWS::SecretsManager::Secret"}),
    ("output", {"AccessKeyId", "SecretAccessKey"}, {"AWS::IAM::AccessKey"}),
    ("none", set(), set()),
])
@pytest.mark.parametrize("reflector", ["yes", "no"])
def test_each_access_key_choice_has_its_outputs(
        access_key, more_outputs, more_types, reflector):
    stack = deploy(AccessKey=access_key, Reflector=reflector)
    url = {"ReflectorUrl"} if reflector == "yes" else set()
    assert stack.outputs.keys() == BASE | more_outputs | url
    assert set(types(stack)) == more_types | {
        "AWS::IAM::Policy", "AWS::IAM::User", "AWS::SNS::Topic",
    } | (REFLECTOR_TYPES if reflector == "yes" else set())


def test_only_the_choice_output_shows_the_secret_key():
    shown = "<UserAccessKey.SecretAccessKey>"
    assert deploy(AccessKey="output").outputs["SecretAccessKey"] == shown
    assert shown not in str(deploy(AccessKey="secret").outputs)
    assert shown not in str(deploy(AccessKey="none").outputs)


def test_secret_contains_a_credentials_file():
    secret = deploy(attributes={
        "UserAccessKey": "AKIAIOSFODNN7EXAMPLE", "UserAccessKey.SecretAccessKey": "ab/c+d=",
    }).properties("AWS::SecretsManager::Secret")["UserAccessKeySecret"]
    file = configparser.RawConfigParser()
    file.read_string(secret["SecretString"])
    assert {name: dict(file[name]) for name in file.sections()} == {"default": {
        "aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "ab/c+d=",
    }}


def test_user_has_one_key_and_one_policy():
    stack = deploy()
    assert stack.properties("AWS::IAM::User") == {"User": {}}
    assert stack.properties("AWS::IAM::AccessKey") == {"UserAccessKey": {"UserName": "<User>"}}
    (attached,) = stack.properties("AWS::IAM::Policy").values()
    assert attached["Users"] == ["<User>"] and attached.keys() == {
        "PolicyName", "Users", "PolicyDocument"}


# The policy

@pytest.mark.parametrize("partition, region", [
    ("aws", "eu-west-1"), ("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1"),
    ("aws-eusc", "eusc-de-east-1"),
])
def test_policy_is_minimal_in_each_partition(partition, region):
    topic = f"arn:{partition}:sns:{region}:123456789012:autodns"
    stack = deploy(region, partition, {"AlertTopic": topic}, RecordTypes="A,AAAA")
    zone = f"arn:{partition}:route53:::hostedzone/Z0EXAMPLE"
    assert policy(stack) == {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "route53:ListResourceRecordSets", "Resource": zone},
        {"Effect": "Allow", "Action": "route53:ChangeResourceRecordSets", "Resource": zone,
         "Condition": {"ForAllValues:StringEquals": {
             "route53:ChangeResourceRecordSetsNormalizedRecordNames": ["home.example.com"],
             "route53:ChangeResourceRecordSetsRecordTypes": ["A", "AAAA"],
             "route53:ChangeResourceRecordSetsActions": ["UPSERT"]}}},
        {"Effect": "Allow", "Action": "sns:Publish", "Resource": topic},
    ]}


@pytest.mark.parametrize("name", ["home.example.com", "*.home.example.com", "_x.a-b.example.com"])
def test_policy_has_the_normalised_name(name):
    condition = policy(deploy(DnsName=name))["Statement"][1]["Condition"]
    assert condition["ForAllValues:StringEquals"][iam.NAMES] == [iam.normalise(name)]


def test_asterisk_of_a_wildcard_is_octal_in_the_policy():
    assert '"\\\\052.home.example.com"' in json.dumps(policy(deploy(DnsName="*.home.example.com")))


# The parameters

@pytest.mark.parametrize("parameter, value", [
    *(("DnsName", name) for name in (
        "", "com", "Home.example.com", "home.example.com.", "home..example.com", ".example.com",
        "home.*.example.com", "*home.example.com", "*", "höme.example.com", "home example.com",
        "home.example.com\n", "a" * 64 + ".example.com", ".".join(["a" * 60] * 5),
        'home".example.com', "home.example.com_",
    )),
    *(("RecordTypes", types_) for types_ in ("", "CNAME", "AAAA,A", "A,A", "a", "A, AAAA")),
    *(("Email", email) for email in ("you", "you@", "@example.com", "a b@example.com")),
    *(("TopicArn", arn) for arn in (
        "autodns", TOPIC + ".fifo", TOPIC + ":sub", TOPIC.replace("sns", "sqs"), TOPIC + " ",
    )),
    *(("InitialAddress", address) for address in (
        "192.0.2", "192.0.2.1.1", "home.example.com", "2001:db8", "192.0.2.1/32", "::ffff:1.2.3.4",
    )),
    ("AccessKey", "yes"), ("Reflector", "maybe"), ("ReflectorApiKey", "k" * 257),
])
def test_invalid_parameter_is_rejected(parameter, value):
    with pytest.raises(Refused, match=f"^{parameter} "):
        deploy(**({"Reflector": "yes"} | {parameter: value}))


@pytest.mark.parametrize("name", [
    "home.example.com", "*.example.com", "xn--hme-sna.example.com", "_a.b_c.example.com",
    "a" * 63 + ".example.com", "1.2.3.example.com",
])
def test_valid_name_is_accepted(name):
    assert json.loads(deploy(DnsName=name).outputs["ConfigJson"])["dns_name"] == name


@pytest.mark.parametrize("name, label", [
    (name, parameter) for name, parameter in template.load()["Parameters"].items()
])
def test_every_parameter_has_a_description(name, label):
    assert label["Description"]
    assert "AllowedPattern" not in label or label["ConstraintDescription"].startswith("must be ")
    # CloudFormation checks the zone against a list. A key may hold any characters.
    assert name in ("HostedZoneId", "ReflectorApiKey") or label.keys() & {
        "AllowedValues", "AllowedPattern"}


def test_every_parameter_is_in_the_console_once():
    groups = template.load()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    shown = [name for group in groups for name in group["Parameters"]]
    assert sorted(shown) == sorted(template.load()["Parameters"])


def test_reflector_key_without_a_reflector_is_rejected():
    with pytest.raises(Refused, match="only with Reflector set to yes"):
        deploy(ReflectorApiKey="key")


def test_region_without_function_urls_is_rejected_with_advice():
    with pytest.raises(Refused) as refused:
        deploy("us-gov-west-1", "aws-us-gov", Reflector="yes")
    assert str(refused.value) == (
        "This region has no Lambda function URLs, so no reflector can be made here. Create the "
        "stack in another region (Route 53 is the same from all of them), or set Reflector to no.")
    assert deploy("us-gov-west-1", "aws-us-gov").outputs["UserName"] == "<User>"
    assert "ReflectorUrl" in deploy("us-east-1", Reflector="yes").outputs


# The topic and the record

def test_mail_address_is_subscribed_to_the_topic():
    assert deploy().properties("AWS::SNS::Subscription") == {}
    assert deploy(Email="you@example.com").properties("AWS::SNS::Subscription") == {
        "AlertSubscription": {
            "TopicArn": "<AlertTopic>", "Protocol": "email", "Endpoint": "you@example.com"}}


@pytest.mark.parametrize("arn", [
    TOPIC, "arn:aws-cn:sns:cn-north-1:123456789012:a_b-c", "arn:aws-us-gov:sns:us-gov-west-1:"
    "123456789012:t",
])
def test_existing_topic_replaces_the_topic_of_the_stack(arn):
    own, shared = deploy(), deploy(TopicArn=arn)
    assert types(shared) == [type_ for type_ in types(own) if type_ != "AWS::SNS::Topic"]
    assert shared.outputs["TopicArn"] == arn
    assert json.loads(shared.outputs["ConfigJson"])["topic_arn"] == arn
    publishing, = (s for s in policy(shared)["Statement"] if s["Action"] == iam.PUBLISH)
    assert publishing["Resource"] == arn
    assert "AlertTopic" not in str(shared)


def test_email_with_existing_topic_is_rejected():
    with pytest.raises(Refused, match="subscribe the address to that topic once"):
        deploy(TopicArn=TOPIC, Email="you@example.com")


@pytest.mark.parametrize("address, type_", [
    ("192.175.48.7", "A"), ("2620:4f:8000::7", "AAAA"), ("2001:DB9:1:2:3:4:5:6", "AAAA"),
    ("::1", "AAAA"),
])
def test_initial_address_makes_a_record_that_is_retained(address, type_):
    stack = deploy(InitialAddress=address, DnsName="*.home.example.com")
    assert stack.resources["Record"] == {
        "Type": "AWS::Route53::RecordSet", "Condition": "InitialAddressIsGiven",
        "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain",
        "Properties": {"HostedZoneId": "Z0EXAMPLE", "Name": "*.home.example.com", "Type": type_,
                       "TTL": "600", "ResourceRecords": [address]}}


def test_stack_makes_no_record_by_default():
    assert deploy().properties("AWS::Route53::RecordSet") == {}


# The reflector

def test_reflector_is_public_through_its_url_only():
    stack = deploy(Reflector="yes")
    assert stack.properties("AWS::Lambda::Url") == {"ReflectorFunctionUrl": {
        "TargetFunctionArn": "<ReflectorFunction.Arn>", "AuthType": "NONE"}}
    assert stack.properties("AWS::Lambda::Permission") == {
        "ReflectorMayBeAsked": {
            "FunctionName": "<ReflectorFunction.Arn>", "Action": "lambda:InvokeFunctionUrl",
            "Principal": "*", "FunctionUrlAuthType": "NONE"},
        "ReflectorMayBeRun": {
            "FunctionName": "<ReflectorFunction.Arn>", "Action": "lambda:InvokeFunction",
            "Principal": "*", "InvokedViaFunctionUrl": True}}


def test_function_has_no_permissions():
    stack = deploy(Reflector="yes", ReflectorApiKey="key")
    assert stack.properties("AWS::IAM::Role") == {"ReflectorRole": {"AssumeRolePolicyDocument": {
        "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"Service": "lambda.amazonaws.com"}}]}}}
    function = stack.properties("AWS::Lambda::Function")["ReflectorFunction"]
    assert function["Role"] == "<ReflectorRole.Arn>"
    assert function["Runtime"] == "python3.14"
    assert function["Environment"] == {"Variables": {"API_KEY": "key"}}
    # The limit of CloudFormation for inline code.
    assert len(function["Code"]["ZipFile"].encode()) <= 4096


def test_reflector_key_is_masked_and_only_in_the_function():
    assert template.load()["Parameters"]["ReflectorApiKey"]["NoEcho"] is True
    stack = deploy(Reflector="yes", ReflectorApiKey="hidden-key", Email="you@example.com")
    assert "hidden-key" not in str(stack.outputs)
    del stack.resources["ReflectorFunction"]["Properties"]["Environment"]
    assert "hidden-key" not in str(stack.resources)


# The outputs of the stack

@pytest.mark.parametrize("types_", ["A", "AAAA", "A,AAAA"])
@pytest.mark.parametrize("reflector, key, url", [
    ("no", "", None),
    ("yes", "", "https://example.lambda-url.eu-west-1.on.aws/"),
    ("yes", "hidden-key", "https://example.lambda-url.eu-west-1.on.aws/?apikey=YOUR-KEY"),
])
def test_config_json_is_a_complete_configuration(types_, reflector, key, url):
    stack = deploy(
        attributes={
            "AlertTopic": "arn:aws:sns:eu-west-1:123456789012:autodns",
            "ReflectorFunctionUrl.FunctionUrl": "https://example.lambda-url.eu-west-1.on.aws/",
        },
        DnsName="*.home.example.com", RecordTypes=types_, Reflector=reflector, ReflectorApiKey=key)
    expected = {
        "hosted_zone_id": "Z0EXAMPLE", "dns_name": "*.home.example.com",
        "record_types": types_.split(","),
        "topic_arn": "arn:aws:sns:eu-west-1:123456789012:autodns",
    } | ({"reflect_url": url} if url else {})
    # Compared as text, since people read and edit it.
    wanted = json.dumps(expected, indent=2)
    for list_ in (["A"], ["AAAA"], ["A", "AAAA"]):
        wanted = wanted.replace(json.dumps(list_, indent=4)[:-1] + "  ]", json.dumps(list_))
    assert stack.outputs["ConfigJson"] == wanted


READ = ("(umask 077; aws secretsmanager get-secret-value --region eu-west-1 --secret-id "
        "<UserAccessKeySecret> --query SecretString --output text > credentials)")
DELETE = ("aws secretsmanager delete-secret --region eu-west-1 --secret-id <UserAccessKeySecret> "
          "--force-delete-without-recovery")
CHECK = "on the machine at home, and run autodns check there."


@pytest.mark.parametrize("given, expected", [
    ({}, f"Save ConfigJson as autodns.json. Put it and the file credentials {CHECK} To get the "
         "file credentials, open CloudShell (or a terminal with the AWS CLI) and paste: "
         f"{READ} && grep -q aws_secret_access_key credentials && {DELETE}"),
    ({"AccessKey": "output", "Email": "you@example.com"},
     "Save ConfigJson as autodns.json. Follow the link in the mail that AWS sent to "
     "you@example.com. Write a file credentials with three lines: [default], then "
     "aws_access_key_id = and AccessKeyId, then aws_secret_access_key = and SecretAccessKey. Put "
     f"both files {CHECK}"),
    ({"AccessKey": "none", "Reflector": "yes", "ReflectorApiKey": "k", "TopicArn": TOPIC},
     "Save ConfigJson as autodns.json, with the reflector's key in place of YOUR-KEY. Give the "
     "machine at home credentials of the user UserName, by a key that you make in IAM or by a "
     "credential_process, and run autodns check there."),
])
def test_next_step_names_the_next_command(given, expected):
    assert deploy(**given).outputs["NextStep"] == expected


def test_next_step_is_short_enough_for_an_output():
    arn = "arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:" + "x" * 70
    said = deploy("us-gov-west-1", attributes={"UserAccessKeySecret": arn},
                  Email="somebody.with.a.long.name@mail.example.com").outputs["NextStep"]
    assert len(said.encode()) <= 1024, len(said)
