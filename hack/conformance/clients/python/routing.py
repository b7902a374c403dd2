"""What the checks of routing share, whatever library asks: the routes with policies, which plan/plan.go of the runner documents, and how limits are read."""

import json
import re
import time

from suite import equal, status_of, true

SIDES = {"left", "right"}
# So many sessions are all at one side once in many thousand runs.
SESSIONS = 16
# The limits of the route "limited".
LIMITED_REQUESTS, LIMITED_TOKENS = 5000, 5_000_000
METADATA = {"X-OpenRouter-Metadata": "enabled"}
# Sends a call of the route "limited" to the target that keeps its place taken.
STALLS = {"provider": {"only": ["stalls"]}}
# Asks for what does not exist.
UNKNOWN = {"provider": {"colour": "red"}}
# A duration as Groq writes it.
DURATION = re.compile(r"(?=\d)(\d+h)?(\d+m)?(\d+(\.\d+)?s)?(\d+(\.\d+)?ms)?")


def served(headers, upstream, purpose, target, attempts=1):
    """The answer says which route and target it comes from, after how many attempts."""
    got = (headers["x-signalbox-route"], headers["x-signalbox-target"], headers["x-signalbox-attempts"])
    equal(got, (f"{upstream.name}-{purpose}", target, str(attempts)), "route, target and attempts")


def stays(target_of):
    """target_of makes a call of a session and returns what served it: calls of a session stay together, and sessions are spread."""
    equal({target_of(f"session {i}") for i in range(SESSIONS)}, SIDES, "targets of all sessions")
    equal(len({target_of("always the same") for _ in range(4)}), 1, "targets of one session")


def standing(headers):
    """What is left of the caller's requests and tokens."""
    equal((headers["x-ratelimit-limit-requests"], headers["x-ratelimit-limit-tokens"]), (str(LIMITED_REQUESTS), str(LIMITED_TOKENS)), "limits")
    for name in ("x-ratelimit-reset-requests", "x-ratelimit-reset-tokens"):
        true(DURATION.fullmatch(headers[name]), f"{name} is no duration: {headers[name]}")
    return int(headers["x-ratelimit-remaining-requests"]), int(headers["x-ratelimit-remaining-tokens"])


def falls(first, then):
    """Between two answers a request was counted, and tokens."""
    (requests, tokens), (requests_then, tokens_then) = standing(first), standing(then)
    equal(requests_then, requests - 1, "requests left after one more")
    true(tokens_then < tokens, f"{tokens_then} tokens are left, and there were {tokens}")


def refused(kind, status, act, *parts):
    """The call fails with this class of error and this status, and these words are in the body that the library keeps."""
    try:
        act()
    except kind as error:
        equal(status_of(error), status, f"status of {type(error).__name__} ({error})")
        body = json.dumps(error.body)
        for part in parts:
            true(part in body, f"{part!r} is not in {body}")
        return
    raise AssertionError(f"no {kind.__name__} was raised")


def fell_back(told, upstream):
    """The metadata block of a call of the route "fallback"."""
    equal([(a["target"], a["status"]) for a in told["attempts"]], [("first", 400), ("spare", 200)], "attempts")
    equal((told["requested"], told["attempt"]), (upstream.models["fallback"], 2), "model asked for, and which attempt answered")
    equal([e["target"] for e in told["endpoints"]["available"] if e["selected"]], ["spare"], "endpoint that answered")


class Watch:
    """Hooks of an HTTP client, which see requests being sent and refusals coming. At the first refusal the place that was taken is let go."""

    def __init__(self, let_go):
        self.sent, self.refusal, self.let_go = [], None, let_go
        self.hooks = {"request": [self.saw_request], "response": [self.saw_answer]}

    def saw_request(self, _):
        self.sent.append(time.monotonic())

    def saw_answer(self, answer):
        if answer.status_code == 429 and self.refusal is None:
            self.refusal = answer.headers
            self.let_go()

    def honoured(self):
        """The library came back once and was let in: not before the time that the refusal names."""
        equal(len(self.sent), 2, "requests that the library made")
        asked = float(self.refusal["retry-after"])
        true(self.sent[1] - self.sent[0] >= asked, f"the library did not wait for {asked} seconds")
        equal(self.refusal["x-ratelimit-limit-requests"], str(LIMITED_REQUESTS), "limit of requests in the refusal")
