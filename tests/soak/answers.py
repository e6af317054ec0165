"""Makes the bodies and headers that the proxy sends instead of AWS's: errors in the form of the
requested service, and responses that AWS never sends. Pure; must not send anything.
"""

import email.utils
import time

ROUTE53 = "https://route53.amazonaws.com/doc/2013-04-01/"
SNS = "http://sns.amazonaws.com/doc/2010-03-31/"
HTML = (
    b"<!DOCTYPE html>\n<html><head><title>Welcome to Hotel Wi-Fi</title></head><body>"
    b"<p>Please sign in<br>to go on.</p></body></html>\n"
)
DOCTYPE = (
    b'<?xml version="1.0"?>\n<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>\n'
    b"<ListResourceRecordSetsResponse><r>&b;</r></ListResourceRecordSetsResponse>"
)
GARBAGE = (bytes(range(256)), b"\x00" * 512, b"\xff\xfe<\x00?\x00", b"OK", b"{}", b"<a><b></a>")
NO_HTTP = (b"SSH-2.0-OpenSSH_9.9\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x28", b"HTTP/1.1 \r\n\r\n")
DENIED = {"publish": "AuthorizationError"}


def headers(moment, body, content_type="text/xml", length=None):
    """Returns the headers of an AWS response at this time of the server, in seconds."""
    return [
        ("Date", email.utils.formatdate(moment, usegmt=True)),
        ("x-amzn-RequestId", "5f0c4f4e-0000-4000-8000-50ac50ac50ac"),
        ("Content-Type", content_type),
        ("Content-Length", len(body) if length is None else length),
    ]


def error(operation, code, message):
    """Returns the XML of an error of this operation's service."""
    namespace = SNS if operation == "publish" else ROUTE53
    return (
        f'<?xml version="1.0"?>\n<ErrorResponse xmlns="{namespace}"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>{message}</Message></Error>"
        f"<RequestId>5f0c4f4e-0000-4000-8000-50ac50ac50ac</RequestId></ErrorResponse>\n"
    ).encode()


def clock_error(operation, signed, now):
    """Returns AWS's error for a signature outside the window of five minutes."""
    edge = now - 300 if signed < now else now + 300
    if signed < now:
        text = (
            f"Signature expired: {stamp(signed)} is now earlier than {stamp(edge)}"
            f" ({stamp(now)} - 5 min.)"
        )
    else:
        text = (
            f"Signature not yet current: {stamp(signed)} is still later than {stamp(edge)}"
            f" ({stamp(now)} + 5 min.)"
        )
    return error(operation, "SignatureDoesNotMatch", text)


def stamp(moment):
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(moment))


def failure(operation, status, shade):
    """Returns the body and the type of a 5xx: AWS's XML, the page of a front end, or nothing."""
    if shade < 0.4:
        code = {500: "InternalError", 503: "ServiceUnavailable"}.get(status, "InternalFailure")
        return error(operation, code, "We encountered an internal error"), "text/xml"
    if shade < 0.7:
        return f"<html><body><h1>{status}</h1><hr>nginx</body></html>\n".encode(), "text/html"
    return b"", "text/plain"


def refusal(operation, kind, secrets):
    """Returns the body of a 400 or 403, which may echo a secret."""
    echo = " ".join(secrets)
    return {
        "throttling": lambda: error(operation, "Throttling", "Rate exceeded"),
        "prior request": lambda: error(
            operation,
            "PriorRequestNotComplete",
            "The request was rejected because Route 53 was still processing a prior request.",
        ),
        "denied": lambda: error(
            operation,
            DENIED.get(operation, "AccessDenied"),
            f"User is not authorized to perform this action (credentials: {echo})",
        ),
    }[kind]()


def pick(choices, shade):
    return choices[int(shade * len(choices)) % len(choices)]
