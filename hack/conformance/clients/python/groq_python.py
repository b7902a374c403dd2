"""groq: chat completions, embeddings and models."""

import json

import groq

from openai_routing import Routing
from suite import (
    OUTPUT, OUTPUT_SCHEMA, TOOL_ARGUMENTS, TOOL_DESCRIPTION, TOOL_NAME, TOOL_RESULT, TOOL_SCHEMA, Suite, equal, new_mark, prompt, raises, true,
)


class Chat:
    """chat.completions."""

    tools = [{"type": "function", "function": {"name": TOOL_NAME, "description": TOOL_DESCRIPTION, "parameters": TOOL_SCHEMA}}]

    def __init__(self):
        self.suite = Suite("groq-python", "chat")
        self.client = groq.Groq(base_url=self.suite.bases["groq"], api_key=self.suite.key, max_retries=0)

    def ask(self, model, content, **options):
        return self.client.chat.completions.create(model=model, messages=[{"role": "user", "content": content}], **options)

    def plain(self, upstream):
        mark = new_mark()
        answer = self.ask(upstream.model, prompt(mark), max_completion_tokens=200, temperature=0.5)
        equal(answer.choices[0].message.content, self.suite.text, "text")
        equal(answer.choices[0].finish_reason, "stop", "finish reason")
        true(answer.x_groq.id, "x_groq has no id")
        true(answer.usage.total_time is not None, "usage has no timing")
        self.suite.usage(mark, answer.usage.prompt_tokens, answer.usage.completion_tokens)

    def streamed(self, upstream):
        mark = new_mark()
        chunks = list(self.ask(upstream.model, prompt(mark), stream=True))
        pieces = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
        equal("".join(pieces), self.suite.text, "text")
        true(len(pieces) > 3, f"the text came in {len(pieces)} pieces")
        true(chunks[0].x_groq.id, "x_groq of the first chunk has no id")
        usage = [c.x_groq.usage for c in chunks if c.x_groq and c.x_groq.usage]
        equal(len(usage), 1, "chunks with usage in x_groq")
        self.suite.usage(mark, usage[0].prompt_tokens, usage[0].completion_tokens)

    def tools_round_trip(self, upstream):
        messages = [{"role": "user", "content": prompt(new_mark())}]
        answer = self.client.chat.completions.create(model=upstream.model, messages=messages, tools=self.tools, tool_choice="auto")
        equal(answer.choices[0].finish_reason, "tool_calls", "finish reason")
        message = answer.choices[0].message
        equal(len({c.id for c in message.tool_calls}), 2, "ids of calls")
        for call in message.tool_calls:
            equal((call.function.name, json.loads(call.function.arguments)), (TOOL_NAME, TOOL_ARGUMENTS), "call")
        messages = messages + [message.model_dump(include={"role", "content", "tool_calls"})] + [
            {"role": "tool", "tool_call_id": call.id, "content": TOOL_RESULT} for call in message.tool_calls
        ]
        answer = self.client.chat.completions.create(model=upstream.model, messages=messages, tools=self.tools)
        equal(answer.choices[0].message.content, self.suite.text, "text after the tools")

    def structured(self, upstream):
        form = {"type": "json_schema", "json_schema": {"name": "train", "schema": OUTPUT_SCHEMA, "strict": True}}
        answer = self.ask(upstream.model, prompt(new_mark()), response_format=form)
        equal(json.loads(answer.choices[0].message.content), OUTPUT, "answer")
        equal(answer.choices[0].finish_reason, "stop", "finish reason")

    def json_object(self, upstream):
        answer = self.ask(upstream.model, prompt(new_mark()) + " Answer in JSON.", response_format={"type": "json_object"})
        true(isinstance(json.loads(answer.choices[0].message.content), dict), "the answer is no object")

    def json_object_by_prompt(self, upstream):
        """Where a provider has no such mode it is asked in words, which a fake does not read."""
        mark = new_mark()
        self.ask(upstream.model, prompt(mark), response_format={"type": "json_object"})
        true("json object" in self.suite.record(mark)["body"].lower(), "the provider was not asked for a JSON object")

    def image(self, upstream):
        mark = new_mark()
        content = [{"type": "text", "text": prompt(mark)}, {"type": "image_url", "image_url": {"url": self.suite.image_url}}]
        equal(self.ask(upstream.model, content).choices[0].message.content, self.suite.text, "text")
        self.suite.saw_image(mark)

    def unknown_model(self, upstream):
        with raises(groq.NotFoundError, 404, "no-such-model"):
            self.ask("no-such-model", prompt(new_mark()))

    def busy(self, upstream):
        with raises(groq.RateLimitError, 429, self.suite.plan["busy"]):
            self.ask(upstream.busy, prompt(new_mark()))

    def broken_stream(self, upstream):
        with raises(groq.APIError, None, self.suite.plan["broken"]):
            for _ in self.ask(upstream.broken, prompt(new_mark()), stream=True):
                pass

    def cancel(self, upstream):
        def start(mark):
            with self.ask(upstream.stall, prompt(mark), stream=True) as stream:
                for chunk in stream:
                    if chunk.choices and chunk.choices[0].delta.content:
                        return
        self.suite.cancelled(start)

    def models(self, upstream):
        ids = [m.id for m in self.client.models.list().data]
        true(upstream.model in ids, f"{upstream.model} is not among {ids}")
        equal(self.client.models.retrieve(upstream.model).id, upstream.model, "model by its id")


def main():
    chat = Chat()
    chat.suite.run({
        "plain": chat.plain, "streamed": chat.streamed, "tools": chat.tools_round_trip, "structured": chat.structured,
        "image": chat.image, "unknown-model": chat.unknown_model, "busy": chat.busy, "broken-stream": chat.broken_stream, "cancel": chat.cancel,
        "models": chat.models,
    })
    chat.suite = Suite("groq-python", "json")
    chat.suite.run({"json-object": chat.json_object})
    chat.suite = Suite("groq-python", "json-by-prompt")
    chat.suite.run({"json-object": chat.json_object_by_prompt})
    Routing("groq-python", "groq", groq, groq.Groq).run(["limits", "limit-reached"])


main()
