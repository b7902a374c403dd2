"""anthropic: what a request may ask of routing, and limits."""

import anthropic

import routing
from suite import Suite, equal, new_mark, prompt, raises, true


class Routing:
    """messages at routes with policies."""

    def __init__(self):
        self.suite = Suite("anthropic-python", "routing")
        self.options = {"base_url": self.suite.bases["anthropic"], "api_key": self.suite.key}
        self.client = anthropic.Anthropic(max_retries=0, **self.options)

    def ask(self, model, extra=None, client=None, **options):
        """The raw answer, which has headers."""
        create = (client or self.client).messages.with_raw_response.create
        return create(model=model, max_tokens=200, messages=[{"role": "user", "content": prompt(new_mark())}], extra_body=extra, **options)

    def answered(self, *arguments, **options):
        """The headers of an answer with the right text."""
        raw = self.ask(*arguments, **options)
        equal("".join(block.text for block in raw.parse().content if block.type == "text"), self.suite.text, "text")
        return raw.headers

    def alternatives(self, upstream):
        """The first model refuses, so the next one answers, by its own route."""
        fallbacks = [{"model": "no-such-model"}, {"model": upstream.model}]
        routing.served(self.answered(upstream.models["picky"], {"fallbacks": fallbacks}), upstream, "chat", "only", 2)
        routing.served(self.answered(upstream.models["picky"], {"models": [upstream.model]}), upstream, "chat", "only", 2)

    def fallback(self, upstream):
        routing.served(self.answered(upstream.models["fallback"]), upstream, "fallback", "spare", 2)
        raw = self.ask(upstream.models["fallback"], stream=True)
        text = "".join(event.delta.text for event in raw.parse() if event.type == "content_block_delta")
        equal(text, self.suite.text, "text of the stream")
        routing.served(raw.headers, upstream, "fallback", "spare", 2)

    def session(self, upstream):
        model = upstream.models["session"]
        routing.stays(lambda name: self.answered(model, {"session_id": name})["x-signalbox-target"])
        routing.stays(lambda name: self.answered(model, metadata={"user_id": name})["x-signalbox-target"])

    def metadata(self, upstream):
        model = upstream.models["fallback"]
        routing.fell_back(self.ask(model, extra_headers=routing.METADATA).parse().model_extra["openrouter_metadata"], upstream)
        last = list(self.ask(model, stream=True, extra_headers=routing.METADATA).parse())[-1]
        equal(last.type, "message_stop", "last event")
        routing.fell_back(last.model_extra["openrouter_metadata"], upstream)

    def limit_reached(self, upstream):
        """Beyond the limit there is the library's own error; its own retry honours Retry-After and is let in."""
        model = upstream.models["limited"]
        stream = self.ask(model, routing.STALLS, stream=True).parse()
        true(next(e.delta.text for e in stream if e.type == "content_block_delta") in self.suite.text, "the stream does not begin")
        with raises(anthropic.RateLimitError, 429, "rate_limit_error", "concurrent calls"):
            self.ask(model)
        watch = routing.Watch(stream.close)
        with anthropic.DefaultHttpxClient(event_hooks=watch.hooks) as http:
            client = anthropic.Anthropic(max_retries=2, http_client=http, **self.options)
            routing.standing(self.answered(model, client=client))
        watch.honoured()

    def unknown_preference(self, upstream):
        with raises(anthropic.BadRequestError, 400, "invalid_request_error", "provider.colour"):
            self.ask(upstream.model, routing.UNKNOWN)

    def no_target(self, upstream):
        """The error says of each target what excluded it."""
        with raises(anthropic.APIStatusError, 503, "open: "):
            self.ask(upstream.models["closed"])

    def run(self):
        """Makes the checks."""
        self.suite.run({
            "alternatives": self.alternatives, "fallback": self.fallback, "session": self.session, "metadata": self.metadata,
            "limit-reached": self.limit_reached, "unknown-preference": self.unknown_preference, "no-target": self.no_target,
        })
