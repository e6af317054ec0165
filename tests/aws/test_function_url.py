"""Tests the code of the Lambda function with the events of a function URL."""

import ast
import json
import logging
import urllib.parse

import pytest

from function_url import Function, event
from template import deploy

V4 = '{"error":"","forwarded":0,"forwarded_for":"","your_ip":"192.175.48.7"}'
V6 = '{"error":"","forwarded":0,"forwarded_for":"","your_ip":"2620:4f:8000::7"}'
REFUSED = '{"error":"the apikey parameter is missing or wrong"}'


def function(key=""):
    return Function(deploy(Reflector="yes", ReflectorApiKey=key))


def answer(status, body):
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json", "Cache-Control": "no-store"},
        "body": body,
    }


@pytest.mark.parametrize("name, body", [("ipv4", V4), ("ipv6", V6)])
@pytest.mark.parametrize("query", ["", "apikey=whatever", "apikey=%zz&&=&x"])
def test_request_without_configured_key_gets_its_address(name, body, query):
    assert function()(event(name, query)) == answer(200, body)


@pytest.mark.parametrize("name, body", [("ipv4", V4), ("ipv6", V6)])
@pytest.mark.parametrize("key", [
    "verysecret", "a b", "a+b", "a&b=c", "100%", "%41", "a,b", "ключ🔑", "\"'\\{}$#;", "a\tb\nc",
    "k" * 256,
])
def test_key_may_contain_any_characters(name, body, key):
    query = "apikey=" + urllib.parse.quote(key, safe="")
    assert function(key)(event(name, query)) == answer(200, body)
    assert function(key)(event(name, "x=1&" + query + "&y=2")) == answer(200, body)
    assert function(key)(event(name, query + "x")) == answer(403, REFUSED)
    assert function(key)(event(name, "x" + query)) == answer(403, REFUSED)


@pytest.mark.parametrize("query", [
    "", "apikey", "apikey=", "apikey=Verysecret", "apikey=verysecre", "apikey=verysecret%00",
    "apikey=%FF%FE", "apikey=ключ", "APIKEY=verysecret", "apikey=wrong&apikey=verysecret",
    "apikey=%",
])
@pytest.mark.parametrize("name", ["ipv4", "ipv6"])
def test_wrong_key_is_rejected(name, query):
    assert function("verysecret")(event(name, query)) == answer(403, REFUSED)


def test_headers_of_the_caller_do_not_change_the_response():
    forged = event("ipv4", "apikey=verysecret&your_ip=198.51.100.1")
    forged["headers"] |= {"x-forwarded-for": "198.51.100.1", "forwarded": "for=198.51.100.1"}
    forged["queryStringParameters"] = {"apikey": "wrong", "your_ip": "198.51.100.1"}
    assert function("verysecret")(forged) == answer(200, V4)


def test_function_logs_nothing(capfd, caplog):
    caplog.set_level(logging.DEBUG)
    for query in ("apikey=verysecret", "apikey=wrong", ""):
        function("verysecret")(event("ipv4", query))
    assert capfd.readouterr() == ("", "") and caplog.records == []


def test_keys_are_compared_in_constant_time():
    """By hmac.compare_digest only."""
    tree = ast.parse(function("verysecret").code)
    compared = [node for node in ast.walk(tree) if isinstance(node, ast.Compare)]
    called = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert compared == [] and called.count("hmac.compare_digest") == 1


def test_response_has_the_member_order_of_the_php_script():
    body = function()(event("ipv4"))["body"]
    assert list(json.loads(body)) == ["error", "forwarded", "forwarded_for", "your_ip"]
