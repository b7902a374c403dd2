"""What the checks of money share, whatever library asks: the routes with Hard budgets, which plan/plan.go of the runner documents."""

import decimal
import json

from suite import equal, true

# The longest answer of the route "budgeted".
OUTPUT_LIMIT = 300
# Limits that clients send, none first, and those that then reach the provider.
LIMITS = {None: OUTPUT_LIMIT, 200: 200, 250: 250}
# An end user, and a tag, that have spent all.
BROKE, RICH = "broke", "rich"
BROKE_TAG, RICH_TAG = {"x-signalbox-tags": "team=broke"}, {"x-signalbox-tags": "stage=test, team=rich"}
# An image that nobody has measured.
IMAGE_URL = "https://images.example.com/signal-box.png"
# US dollars for a token, of the prompt and of the answer.
PROMPT_PRICE, COMPLETION_PRICE = decimal.Decimal("0.000002"), decimal.Decimal("0.00001")


def costs(headers, upstream, prompt, completion):
    """The header says what so many tokens cost, exactly; OpenRouter's own word is taken where it answers. Returns it."""
    cost = decimal.Decimal(headers["x-signalbox-cost"])
    if upstream.name == "openrouter":
        true(cost > 0, f"the call cost {cost}")
    else:
        equal(cost, prompt * PROMPT_PRICE + completion * COMPLETION_PRICE, f"cost of {prompt} and {completion} tokens")
    return cost


def limited(suite, mark, limit):
    """The provider was asked for so many tokens at most."""
    body = json.loads(suite.record(mark)["body"])
    names = ("max_tokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens")
    found = [holder[n] for holder in (body, body.get("generationConfig", {})) for n in names if n in holder]
    equal(found, [limit], "limits of the answer that the provider got")


def spent(upstream):
    """Words of a refusal by the budget of the route "spent"."""
    return f"{upstream.name}-spent", "has 0.000000001 USD left of 0.000000001, and this call could cost 0.00", "does not reset"


def unsent(suite, mark):
    """No provider saw the call."""
    equal([r for r in suite.requests() if mark in r["body"]], [], "requests that reached a provider")
