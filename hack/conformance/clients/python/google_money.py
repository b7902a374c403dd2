"""google-genai: what calls cost, and Hard budgets."""

from google import genai
from google.genai import errors, types

import money
from suite import Suite, new_mark, prompt, raises


class Money:
    """models.generate_content at routes with Hard budgets."""

    def __init__(self):
        self.suite = Suite("google-genai", "money")
        self.client = genai.Client(api_key=self.suite.key, vertexai=False, http_options=types.HttpOptions(base_url=self.suite.bases["gemini"]))

    def ask(self, model, mark, headers=None, **config):
        options = types.HttpOptions(headers=headers) if headers else None
        return self.client.models.generate_content(model=model, contents=prompt(mark), config=types.GenerateContentConfig(http_options=options, **config))

    def cost(self, upstream):
        """The header tells the cost of the tokens. Gemini counts thoughts outside of the candidates' tokens."""
        answer = self.ask(upstream.models["budgeted"], new_mark())
        usage = answer.usage_metadata
        headers = {name.lower(): value for name, value in answer.sdk_http_response.headers.items()}
        money.costs(headers, upstream, usage.prompt_token_count, usage.candidates_token_count + (usage.thoughts_token_count or 0))

    def output_limit(self, upstream):
        """The provider gets a limit, where the client sent none too."""
        for asked, sent in money.LIMITS.items():
            mark = new_mark()
            self.ask(upstream.models["budgeted"], mark, max_output_tokens=asked)
            money.limited(self.suite, mark, sent)

    def exceeded(self, act, *parts):
        with raises(errors.ClientError, 402, *parts):
            act()

    def budget_exceeded(self, upstream):
        """The error says which budget; the call goes nowhere, streamed or not."""
        mark, model = new_mark(), upstream.models["spent"]
        self.exceeded(lambda: self.ask(model, mark), *money.spent(upstream))
        self.exceeded(lambda: list(self.client.models.generate_content_stream(model=model, contents=prompt(mark))), *money.spent(upstream))
        money.unsent(self.suite, mark)

    def unbounded(self, upstream):
        """Without a limit nothing bounds the answer; with one it is served."""
        mark = new_mark()
        with raises(errors.ClientError, 400, "INVALID_ARGUMENT", "no upper bound", f"{upstream.name}-unbounded"):
            self.ask(upstream.models["unbounded"], mark)
        money.unsent(self.suite, mark)
        self.ask(upstream.models["unbounded"], new_mark(), max_output_tokens=200)

    def tags(self, upstream):
        model = upstream.models["budgeted"]
        self.exceeded(lambda: self.ask(model, new_mark(), money.BROKE_TAG), f"{upstream.name}-teams")
        self.ask(model, new_mark(), money.RICH_TAG)

    def run(self):
        """Makes the checks."""
        self.suite.run({
            "cost": self.cost, "output-limit": self.output_limit, "budget-exceeded": self.budget_exceeded, "unbounded": self.unbounded, "tags": self.tags,
        })
