"""anthropic: what calls cost, and Hard budgets."""

import anthropic

import money
from suite import Suite, new_mark, prompt, raises


class Money:
    """messages at routes with Hard budgets."""

    def __init__(self):
        self.suite = Suite("anthropic-python", "money")
        self.client = anthropic.Anthropic(base_url=self.suite.bases["anthropic"], api_key=self.suite.key, max_retries=0)

    def ask(self, model, content, max_tokens=200, **options):
        """The raw answer, which has headers."""
        return self.client.messages.with_raw_response.create(model=model, max_tokens=max_tokens, messages=[{"role": "user", "content": content}], **options)

    def cost(self, upstream):
        """The header tells the cost of the tokens. Anthropic counts those that the cache took or gave outside of input_tokens."""
        raw = self.ask(upstream.models["budgeted"], prompt(new_mark()))
        usage = raw.parse().usage
        prompt_tokens = usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
        money.costs(raw.headers, upstream, prompt_tokens, usage.output_tokens)

    def output_limit(self, upstream):
        """The client's limit is sent on."""
        for asked, sent in money.LIMITS.items():
            if asked is not None:
                mark = new_mark()
                self.ask(upstream.models["budgeted"], prompt(mark), asked)
                money.limited(self.suite, mark, sent)

    def exceeded(self, act, *parts):
        with raises(anthropic.APIStatusError, 402, "billing_error", *parts):
            act()

    def budget_exceeded(self, upstream):
        """The error says which budget; the call goes nowhere, streamed or not."""
        for stream in (False, True):
            mark = new_mark()
            self.exceeded(lambda: self.ask(upstream.models["spent"], prompt(mark), stream=stream), *money.spent(upstream))
            money.unsent(self.suite, mark)

    def unbounded(self, upstream):
        """Nobody knows how many tokens an image behind a URL has; the text alone is served."""
        mark = new_mark()
        picture = {"type": "image", "source": {"type": "url", "url": money.IMAGE_URL}}
        with raises(anthropic.BadRequestError, 400, "invalid_request_error", "no upper bound", f"{upstream.name}-unbounded"):
            self.ask(upstream.models["unbounded"], [picture, {"type": "text", "text": prompt(mark)}])
        money.unsent(self.suite, mark)
        self.ask(upstream.models["unbounded"], prompt(new_mark()))

    def tags(self, upstream):
        model = upstream.models["budgeted"]
        self.exceeded(lambda: self.ask(model, prompt(new_mark()), extra_headers=money.BROKE_TAG), f"{upstream.name}-teams")
        self.ask(model, prompt(new_mark()), extra_headers=money.RICH_TAG)

    def end_user(self, upstream):
        model = upstream.models["budgeted"]
        self.exceeded(lambda: self.ask(model, prompt(new_mark()), metadata={"user_id": money.BROKE}), f"{upstream.name}-users")
        self.ask(model, prompt(new_mark()), metadata={"user_id": money.RICH})

    def run(self):
        """Makes the checks."""
        self.suite.run({
            "cost": self.cost, "output-limit": self.output_limit, "budget-exceeded": self.budget_exceeded, "unbounded": self.unbounded, "tags": self.tags,
            "end-user": self.end_user,
        })
