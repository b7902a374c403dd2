"""Runs the checks of one client library and prints a line of JSON for each.

The plan, a JSON file that $CONFORMANCE_PLAN names, says what is called and what is expected; plan/plan.go of the runner documents it.
"""

import base64
import contextlib
import datetime
import json
import os
import sys
import time
import traceback
import urllib.request
import uuid

# The answer of the fake providers to every call of a tool: made from its schema.
TOOL_ARGUMENTS = {"city": "junction", "days": 7}
TOOL_RESULT = '{"sky": "clear"}'
TOOL_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "Where"}, "days": {"type": "integer", "description": "How far ahead"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
TOOL_NAME = "get_weather"
TOOL_DESCRIPTION = "Tells the weather of a city."

# The answer of the fake providers to a request for JSON: made from the schema.
OUTPUT_SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "cars": {"type": "integer"}, "late": {"type": "boolean"}},
    "required": ["name", "cars", "late"],
    "additionalProperties": False,
}
OUTPUT = {"name": "junction", "cars": 7, "late": True}

# A cancelled call must reach the provider in so many seconds. A busy machine gets more than one try.
CANCEL_WITHIN = 0.1
CANCEL_TRIES = 12


class Upstream:
    """One provider behind the address that is called, and the models that stand for it."""

    def __init__(self, entry):
        self.name = entry["name"]
        self.models = entry["models"]
        self.model = self.models.get("chat")
        self.busy = self.models.get("busy")
        self.stall = self.models.get("stall")
        self.broken = self.models.get("broken")
        self.refused = entry["refused"]


class Suite:
    """The checks of one library on one surface."""

    def __init__(self, client, surface):
        with open(os.environ["CONFORMANCE_PLAN"], encoding="utf-8") as file:
            self.plan = json.load(file)
        self.client = client
        self.surface = surface
        self.key = self.plan["key"]
        self.text = self.plan["text"]
        self.image = self.plan["image"]
        self.bases = self.plan["bases"]
        self.upstreams = [Upstream(u) for u in self.plan["upstreams"] if surface in u["surfaces"]]

    @property
    def image_bytes(self):
        return base64.b64decode(self.image)

    @property
    def image_url(self):
        return "data:image/png;base64," + self.image

    def run(self, checks):
        """Runs each check, a function of the upstream under its name, behind each upstream. It may return the tokens of prompt and completion."""
        wanted = self.plan["checks"]
        for upstream in self.upstreams:
            for name, check in checks.items():
                if not wanted or name in wanted:
                    self.one(name, upstream, check)

    def one(self, name, upstream, check):
        started = time.monotonic()
        refused = upstream.refused.get(f"{self.surface}/{name}")
        problem, trace, tokens = "", "", None
        try:
            if refused is None:
                tokens = check(upstream)
            else:
                with raises(Exception, refused["status"], refused["text"]):
                    check(upstream)
        except BaseException as error:  # a check may fail with anything, and the next one has to run
            problem = f"{type(error).__name__}: {error}"
            trace = traceback.format_exc()
        if trace:
            print(f"{self.client} {self.surface} {name} {upstream.name}\n{trace}", file=sys.stderr)
        prompt_tokens, completion_tokens = tokens or (0, 0)
        print(json.dumps({
            "client": self.client, "surface": self.surface, "check": name, "upstream": upstream.name,
            "ok": problem == "", "expected": "" if refused is None else refused["reason"], "problem": problem[:2000],
            "milliseconds": int(1000 * (time.monotonic() - started)), "promptTokens": prompt_tokens, "completionTokens": completion_tokens,
        }), flush=True)

    def requests(self):
        """What the fake providers received, oldest first."""
        with urllib.request.urlopen(self.plan["control"] + "/requests", timeout=5) as answer:
            return json.load(answer)

    def record(self, mark):
        """The one request that carries the mark, as the fake provider received it."""
        found = [r for r in self.requests() if mark in r["body"]]
        equal(len(found), 1, f"requests with {mark} that reached a provider")
        return found[0]

    def usage(self, mark, prompt, completion):
        """Compares the usage that a client got with what the provider reported."""
        reported = self.ended(mark)["reported"]
        equal((prompt, completion), (reported["promptTokens"], reported["completionTokens"]), "tokens of prompt and completion")

    def saw_image(self, mark):
        """The provider got the very bytes of the image."""
        body = self.record(mark)["body"]
        if self.image not in body and self.image.replace("+", "-").replace("/", "_") not in body:
            raise AssertionError("the provider did not get the image")

    def cancelled(self, start):
        """start opens a stream with a mark, reads its first text and leaves; the provider has to notice at once."""
        late = []
        for _ in range(CANCEL_TRIES):
            mark = new_mark()
            start(mark)
            left = time.time()
            record = self.ended(mark)
            equal(record["state"], "ClientLeft", "what became of the call at the provider")
            late.append(instant(record["end"]) - left)
            if late[-1] <= CANCEL_WITHIN:
                return
        raise AssertionError(f"the provider saw the client leave after {late} seconds")

    def ended(self, mark):
        deadline = time.monotonic() + 5
        while True:
            record = self.record(mark)
            if record["state"] != "Open" or time.monotonic() > deadline:
                return record
            time.sleep(0.02)


def new_mark():
    """A word that finds a request again."""
    return "mark" + uuid.uuid4().hex


def prompt(mark):
    return f"Tell me about the signal box at Löbau 駅, {mark}."


def instant(text):
    """Seconds since 1970 of a time as Go prints it, which may have nine digits behind the point."""
    head, _, tail = text.rstrip("Z").partition(".")
    if "+" in head:
        head = head.partition("+")[0]
    fraction = tail.partition("+")[0]
    zone = datetime.timezone.utc if text.endswith("Z") else datetime.datetime.fromisoformat(text[:19] + text[-6:]).tzinfo
    seconds = datetime.datetime.fromisoformat(head).replace(tzinfo=zone).timestamp()
    return seconds + float("0." + (fraction or "0"))


def equal(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def true(condition, what):
    if not condition:
        raise AssertionError(what)


def status_of(error):
    """The HTTP status that an error carries, wherever its library keeps it."""
    for source in (error, getattr(error, "response", None)):
        for name in ("status_code", "code"):
            value = getattr(source, name, None)
            if isinstance(value, int):
                return value
    return None


@contextlib.contextmanager
def raises(kind, status, *parts):
    """The block must fail with this class of error, this status unless it is None, and these words in its text."""
    try:
        yield
    except kind as error:
        if isinstance(error, AssertionError):
            raise
        if status is not None:
            equal(status_of(error), status, f"status of {type(error).__name__} ({error})")
        for part in parts:
            true(part.lower() in str(error).lower(), f"{part!r} is not in: {error}")
        return
    raise AssertionError(f"no {kind.__name__} was raised")
