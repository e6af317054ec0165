"""The kinds of faults of the servers: how often each occurs, whether the request is carried out,
and the effect on a client. Only a table; awsproxy.py and reflectors.py send the bytes.
"""

import dataclasses
import enum


class Effect(enum.Enum):
    """The effect of a fault on a client that follows AWS's rules for retries."""

    BENIGN = "the whole response arrives"
    RETRIED = "a quick failure, and a retry helps"
    WAITED = "a refusal for a limited time, which does not count as an attempt"
    SIGNED_AGAIN = "a refusal, and another signature helps"
    FINAL = "an invalid response, and no client retries it"
    SLOW = "the response does not arrive in time"


class Carried(enum.Enum):
    """Whether the request is carried out despite the fault."""

    ALWAYS = "always"
    MAYBE = "maybe"
    NEVER = "never"


@dataclasses.dataclass(frozen=True)
class Kind:
    name: str
    weight: int
    effect: Effect
    carried: Carried


def table(*rows):
    return {name: Kind(name, *rest) for name, *rest in rows}


NONE = Kind("none", 0, Effect.BENIGN, Carried.ALWAYS)
# Not chosen by weight, because it applies to the whole run.
CLOCK = Kind("wrong clock", 0, Effect.SIGNED_AGAIN, Carried.NEVER)

AWS = table(
    ("delay", 8, Effect.BENIGN, Carried.ALWAYS),
    ("drip", 5, Effect.BENIGN, Carried.ALWAYS),
    ("idle close", 6, Effect.BENIGN, Carried.ALWAYS),
    ("reset", 12, Effect.RETRIED, Carried.MAYBE),
    ("close", 6, Effect.RETRIED, Carried.MAYBE),
    ("long length", 5, Effect.RETRIED, Carried.ALWAYS),
    ("500", 4, Effect.RETRIED, Carried.MAYBE),
    ("502", 4, Effect.RETRIED, Carried.MAYBE),
    ("503", 6, Effect.RETRIED, Carried.MAYBE),
    ("504", 4, Effect.RETRIED, Carried.MAYBE),
    ("throttling", 8, Effect.WAITED, Carried.NEVER),
    ("prior request", 6, Effect.WAITED, Carried.NEVER),
    ("garbage", 4, Effect.FINAL, Carried.MAYBE),
    ("html", 4, Effect.FINAL, Carried.MAYBE),
    ("empty", 2, Effect.FINAL, Carried.MAYBE),
    ("truncated", 4, Effect.FINAL, Carried.ALWAYS),
    ("doctype", 2, Effect.FINAL, Carried.MAYBE),
    ("short length", 3, Effect.FINAL, Carried.ALWAYS),
    ("endless", 3, Effect.FINAL, Carried.MAYBE),
    ("no http", 2, Effect.FINAL, Carried.MAYBE),
    ("redirect", 2, Effect.FINAL, Carried.NEVER),
    ("denied", 3, Effect.FINAL, Carried.NEVER),
    ("stall", 2, Effect.SLOW, Carried.MAYBE),
    ("slow drip", 2, Effect.SLOW, Carried.ALWAYS),
)

# A reflector carries out nothing. With a benign fault it still sends the address.
REFLECTOR = table(
    ("delay", 5, Effect.BENIGN, Carried.NEVER),
    ("drip", 4, Effect.BENIGN, Carried.NEVER),
    ("idle close", 5, Effect.BENIGN, Carried.NEVER),
    ("reset", 10, Effect.RETRIED, Carried.NEVER),
    ("503", 8, Effect.RETRIED, Carried.NEVER),
    ("cut", 8, Effect.RETRIED, Carried.NEVER),
    ("unmeasured", 6, Effect.FINAL, Carried.NEVER),
    ("garbage", 6, Effect.FINAL, Carried.NEVER),
    ("html", 6, Effect.FINAL, Carried.NEVER),
    ("private", 8, Effect.FINAL, Carried.NEVER),
    ("echo", 4, Effect.FINAL, Carried.NEVER),
    ("endless", 3, Effect.FINAL, Carried.NEVER),
    ("stall", 2, Effect.SLOW, Carried.NEVER),
    ("slow drip", 2, Effect.SLOW, Carried.NEVER),
)
# Not chosen by weight either: a source sends a wrong address for a whole run or never.
WRONG_ADDRESS = Kind("wrong address", 0, Effect.BENIGN, Carried.NEVER)


@dataclasses.dataclass(frozen=True)
class Fault:
    """The fault of one request."""

    kind: Kind = NONE
    # Whether the request is carried out, if the kind allows both.
    carried: bool = True
    # From 0 to 1: selects the form of the fault or its length.
    shade: float = 0.0
