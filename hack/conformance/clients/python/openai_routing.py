"""openai: what a request may ask of routing, and limits. The same checks are made with groq, whose library is built alike."""

import contextlib
import json

import routing
from suite import Suite, equal, new_mark, prompt, true


class Routing:
    """Routing with a library that has chat.completions, and errors and clients of these names."""

    def __init__(self, name, vendor, library, client_of):
        self.suite = Suite(name, "routing")
        self.library = library
        self.options = {"base_url": self.suite.bases[vendor], "api_key": self.suite.key}
        self.client_of = client_of
        self.client = client_of(max_retries=0, **self.options)

    def ask(self, model, extra=None, client=None, **options):
        """The raw answer, which has headers."""
        create = (client or self.client).chat.completions.with_raw_response.create
        return create(model=model, messages=[{"role": "user", "content": prompt(new_mark())}], extra_body=extra, **options)

    def answered(self, *arguments, **options):
        """The headers of an answer with the right text."""
        raw = self.ask(*arguments, **options)
        equal(raw.parse().choices[0].message.content, self.suite.text, "text")
        return raw.headers

    def alternatives(self, upstream):
        """The first model refuses, so the next one answers, by its own route."""
        picky, chat = upstream.models["picky"], upstream.model
        for headers in (
            self.answered(picky, {"models": [chat]}), self.answered("no-such-model", {"models": ["nor-this", picky, "nor-that", chat]}), self.answered(f"{picky},{chat}"),
        ):
            routing.served(headers, upstream, "chat", "only", 2)
        routing.served(self.answered(chat, {"models": [picky]}), upstream, "chat", "only")

    def fallback(self, upstream):
        routing.served(self.answered(upstream.models["fallback"]), upstream, "fallback", "spare", 2)
        raw = self.ask(upstream.models["fallback"], stream=True)
        text = "".join(c.choices[0].delta.content or "" for c in raw.parse() if c.choices)
        equal(text, self.suite.text, "text of the stream")
        routing.served(raw.headers, upstream, "fallback", "spare", 2)

    def variants(self, upstream):
        routing.served(self.answered(upstream.models["priced"] + ":floor"), upstream, "priced", "cheap")
        equal(self.answered(upstream.models["priced"] + ":nitro")["x-signalbox-route"], f"{upstream.name}-priced", "route of the fast variant")

    def preferences(self, upstream):
        model = upstream.models["priced"]
        for provider in (
            {"only": ["cheap"]}, {"ignore": ["dear"]}, {"order": ["cheap", "dear"]}, {"sort": "price"}, {"max_price": {"prompt": 1.5, "completion": 2}},
            {"order": ["cheap"], "allow_fallbacks": False},
        ):
            routing.served(self.answered(model, {"provider": provider}), upstream, "priced", "cheap")
        routing.served(self.answered(model, {"provider": {"order": ["dear"], "require_parameters": True}}), upstream, "priced", "dear")
        if upstream.name == "openrouter":
            self.passed_on(upstream)

    def passed_on(self, upstream):
        """OpenRouter is told what concerns its own providers."""
        mark = new_mark()
        self.client.chat.completions.create(
            model=upstream.model, messages=[{"role": "user", "content": prompt(mark)}], extra_body={"provider": {"order": ["only", "deepinfra"], "zdr": True}},
        )
        equal(json.loads(self.suite.record(mark)["body"])["provider"], {"order": ["deepinfra"], "zdr": True}, "preferences that OpenRouter got")

    def session(self, upstream):
        model = upstream.models["session"]
        routing.stays(lambda name: self.answered(model, {"session_id": name})["x-signalbox-target"])
        routing.stays(lambda name: self.answered(model, extra_headers={"x-session-id": name})["x-signalbox-target"])
        routing.stays(lambda name: self.answered(model, user=name)["x-signalbox-target"])

    def metadata(self, upstream):
        model = upstream.models["fallback"]
        answer = self.ask(model, extra_headers=routing.METADATA).parse()
        routing.fell_back(answer.model_extra["openrouter_metadata"], upstream)
        told = [c.model_extra["openrouter_metadata"] for c in self.ask(model, stream=True, extra_headers=routing.METADATA).parse() if "openrouter_metadata" in c.model_extra]
        equal(len(told), 1, "chunks with metadata")
        routing.fell_back(told[0], upstream)
        true("openrouter_metadata" not in self.ask(model).parse().model_extra, "the metadata came unasked")

    def limits(self, upstream):
        """Each answer tells how the limits stand, in a stream too."""
        model = upstream.models["limited"]
        first, then = self.answered(model), self.answered(model)
        routing.falls(first, then)
        raw = self.ask(model, stream=True)
        equal("".join(c.choices[0].delta.content or "" for c in raw.parse() if c.choices), self.suite.text, "text of the stream")
        routing.falls(then, raw.headers)

    @contextlib.contextmanager
    def taken(self, upstream):
        """The one place of the limit is taken by a stream that stalls."""
        stream = self.ask(upstream.models["limited"], routing.STALLS, stream=True).parse()
        try:
            equal(next(c.choices[0].delta.content for c in stream if c.choices and c.choices[0].delta.content) in self.suite.text, True, "beginning of the stream")
            yield stream
        finally:
            stream.close()

    def limit_reached(self, upstream):
        """Beyond the limit there is the library's own error; its own retry honours Retry-After and is let in."""
        model = upstream.models["limited"]
        with self.taken(upstream) as stream:
            routing.refused(self.library.RateLimitError, 429, lambda: self.ask(model), '"code": "rate_limit_exceeded"', "concurrent calls")
            watch = routing.Watch(stream.close)
            with self.library.DefaultHttpxClient(event_hooks=watch.hooks) as http:
                client = self.client_of(max_retries=2, http_client=http, **self.options)
                equal(self.ask(model, client=client).retries_taken, 1, "retries")
            watch.honoured()

    def unknown_preference(self, upstream):
        routing.refused(
            self.library.BadRequestError, 400, lambda: self.ask(upstream.model, routing.UNKNOWN), '"param": "provider.colour"', '"code": "unsupported_parameter"',
        )

    def no_target(self, upstream):
        """The error lists each target with what excluded it."""
        closed, ignored = lambda: self.ask(upstream.models["closed"]), lambda: self.ask(upstream.model, {"provider": {"ignore": ["only"]}})
        routing.refused(self.library.InternalServerError, 503, closed, '"code": "no_eligible_target"', '"targets": [{"target": "open", "reason": ')
        routing.refused(self.library.BadRequestError, 400, ignored, '"code": "unsupported_by_targets"', '"targets": [{"target": "only", "reason": ')

    def run(self, names):
        """Makes the checks of these names."""
        self.suite.run({name: getattr(self, name.replace("-", "_")) for name in names})
