"""openai: what calls cost, and Hard budgets."""

import openai

import money
from routing import refused
from suite import Suite, equal, new_mark, prompt


class Money:
    """chat.completions and responses at routes with Hard budgets."""

    def __init__(self):
        self.suite = Suite("openai-python", "money")
        self.client = openai.OpenAI(base_url=self.suite.bases["openai"], api_key=self.suite.key, max_retries=0)

    def ask(self, model, mark, **options):
        """The raw answer, which has headers."""
        return self.client.chat.completions.with_raw_response.create(model=model, messages=[{"role": "user", "content": prompt(mark)}], **options)

    def cost(self, upstream):
        """Header and body say the same, and the last chunk of a stream says it."""
        raw = self.ask(upstream.models["budgeted"], new_mark())
        usage = raw.parse().usage
        told = money.costs(raw.headers, upstream, usage.prompt_tokens, usage.completion_tokens)
        equal(usage.model_extra["cost"], float(told), "cost in the usage")
        mark = new_mark()
        last = list(self.ask(upstream.models["budgeted"], mark, stream=True, stream_options={"include_usage": True}).parse())[-1].usage
        streamed = money.costs({"x-signalbox-cost": f"{last.model_extra['cost']:.9f}"}, upstream, last.prompt_tokens, last.completion_tokens)
        equal(streamed > 0, True, "the stream costs something")

    def output_limit(self, upstream):
        """The provider gets a limit, where the client sent none too."""
        for asked, sent in money.LIMITS.items():
            mark = new_mark()
            self.ask(upstream.models["budgeted"], mark, **({} if asked is None else {"max_completion_tokens": asked}))
            money.limited(self.suite, mark, sent)
        mark = new_mark()
        self.client.responses.create(model=upstream.models["budgeted"], input=prompt(mark), store=False)
        money.limited(self.suite, mark, money.OUTPUT_LIMIT)

    def exceeded(self, act, *parts):
        refused(openai.APIStatusError, 402, act, '"code": "budget_exceeded"', '"type": "insufficient_quota"', *parts)

    def budget_exceeded(self, upstream):
        """The error says which budget, in its members too; the call goes nowhere, streamed or not."""
        state = f'"budget": {{"name": "{upstream.name}-spent", "limit": "0.000000001"'
        for stream in (False, True):
            mark = new_mark()
            self.exceeded(lambda: self.ask(upstream.models["spent"], mark, stream=stream), state, *money.spent(upstream))
            money.unsent(self.suite, mark)
        self.exceeded(lambda: self.client.responses.create(model=upstream.models["spent"], input=prompt(new_mark()), store=False), state)

    def unbounded(self, upstream):
        """Without a limit nothing bounds the answer; with one it is served."""
        mark = new_mark()
        refused(openai.BadRequestError, 400, lambda: self.ask(upstream.models["unbounded"], mark), '"code": "unbounded_cost"', f"{upstream.name}-unbounded")
        money.unsent(self.suite, mark)
        self.ask(upstream.models["unbounded"], new_mark(), max_completion_tokens=200)

    def tags(self, upstream):
        """Tags count, from the header and from the metadata."""
        model = upstream.models["budgeted"]
        for broke, rich in (({"extra_headers": money.BROKE_TAG}, {"extra_headers": money.RICH_TAG}), ({"metadata": {"team": money.BROKE}}, {"metadata": {"team": money.RICH}})):
            self.exceeded(lambda: self.ask(model, new_mark(), **broke), f"{upstream.name}-teams")
            self.ask(model, new_mark(), **rich)

    def end_user(self, upstream):
        model = upstream.models["budgeted"]
        for name in ("user", "safety_identifier"):
            self.exceeded(lambda: self.ask(model, new_mark(), **{name: money.BROKE}), f"{upstream.name}-users")
            self.ask(model, new_mark(), **{name: money.RICH})

    def run(self):
        """Makes the checks."""
        self.suite.run({
            "cost": self.cost, "output-limit": self.output_limit, "budget-exceeded": self.budget_exceeded, "unbounded": self.unbounded, "tags": self.tags,
            "end-user": self.end_user,
        })
