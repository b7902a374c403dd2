"""Checks that what the proxy sends to OpenAI, Groq and Anthropic is as their own libraries describe it, whatever API the client speaks."""

import json

import anthropic
import openai
from anthropic.types import message_create_params
from groq.types.chat import completion_create_params as groq_params
from openai.types.chat import completion_create_params
from openai.types.responses import response_create_params

import described
from suite import OUTPUT_SCHEMA, TOOL_DESCRIPTION, TOOL_NAME, TOOL_RESULT, TOOL_SCHEMA, Suite, equal, new_mark, prompt

# The descriptions by upstream.
DESCRIPTIONS = {
    "openai": completion_create_params.CompletionCreateParams,
    "azure-v1": completion_create_params.CompletionCreateParams,
    "groq": groq_params.CompletionCreateParams,
    "responses": response_create_params.ResponseCreateParams,
    "anthropic": message_create_params.MessageCreateParams,
}
# Groq takes it, as the comments on the chunks of its answers say; only the type of requests leaves it out.
UNDESCRIBED = {"groq": [".stream_options: is not described"]}


class Sent:
    """One surface. A subclass makes requests."""

    surface = ""

    def __init__(self):
        self.suite = Suite("sent-requests", self.surface)
        self.openai = openai.OpenAI(base_url=self.suite.bases["openai"], api_key=self.suite.key, max_retries=0)
        self.anthropic = anthropic.Anthropic(base_url=self.suite.bases["anthropic"], api_key=self.suite.key, max_retries=0)

    def as_described(self, upstream, mark):
        """Nothing that was sent with the mark is other than its description."""
        body = json.loads(self.suite.record(mark)["body"])
        found = described.mistakes(body, DESCRIPTIONS[upstream.name])
        equal([m for m in found if m not in UNDESCRIBED.get(upstream.name, [])], [], "what differs from the description")

    def image_by_url(self):
        return "https://images.example.com/signal-box.png"

    def run(self):
        self.suite.run({name: self.check(make) for name, make in {
            "text": self.text, "stream": self.stream, "tools": self.tools, "tool-results": self.tool_results, "structured": self.structured,
            "images": self.images,
        }.items()})

    def check(self, make):
        def act(upstream):
            mark = new_mark()
            make(upstream.model, mark)
            self.as_described(upstream, mark)
        return act


class Chat(Sent):
    """Chat completions."""

    surface = "chat"
    functions = [{"type": "function", "function": {"name": TOOL_NAME, "description": TOOL_DESCRIPTION, "parameters": TOOL_SCHEMA}}]

    def ask(self, model, content, **options):
        return self.openai.chat.completions.create(model=model, messages=[{"role": "user", "content": content}], **options)

    def text(self, model, mark):
        messages = [
            {"role": "system", "content": "Be brief."}, {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
            {"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Good day."}, {"role": "user", "content": prompt(mark), "name": "ada"},
        ]
        self.openai.chat.completions.create(model=model, messages=messages, max_completion_tokens=100, user="ada", seed=7, metadata={"a": "b"})

    def stream(self, model, mark):
        list(self.ask(model, prompt(mark), stream=True))

    def tools(self, model, mark):
        named = {"type": "function", "function": {"name": TOOL_NAME}}
        self.ask(model, prompt(mark), tools=self.functions, tool_choice=named, parallel_tool_calls=False)

    def tool_results(self, model, mark):
        calls = [{"id": f"call_{i}", "type": "function", "function": {"name": TOOL_NAME, "arguments": '{"city": "Löbau", "days": 1}'}} for i in (1, 2)]
        results = [{"role": "tool", "tool_call_id": c["id"], "content": TOOL_RESULT} for c in calls]
        messages = [{"role": "user", "content": prompt(mark)}, {"role": "assistant", "content": None, "tool_calls": calls}] + results
        self.openai.chat.completions.create(model=model, messages=messages, tools=self.functions, tool_choice="required")

    def structured(self, model, mark):
        self.ask(model, prompt(mark), response_format={"type": "json_schema", "json_schema": {"name": "train", "schema": OUTPUT_SCHEMA, "strict": True}})

    def images(self, model, mark):
        urls = (self.suite.image_url, self.image_by_url())
        self.ask(model, [{"type": "text", "text": prompt(mark)}] + [{"type": "image_url", "image_url": {"url": u, "detail": "low"}} for u in urls])


class Responses(Sent):
    """Responses."""

    surface = "responses"
    functions = [{"type": "function", "name": TOOL_NAME, "description": TOOL_DESCRIPTION, "parameters": TOOL_SCHEMA, "strict": True}]

    def ask(self, model, given, **options):
        return self.openai.responses.create(model=model, input=given, store=False, **options)

    def text(self, model, mark):
        self.ask(model, prompt(mark), instructions="Be brief.", max_output_tokens=100, metadata={"a": "b"}, include=["reasoning.encrypted_content"])

    def stream(self, model, mark):
        list(self.ask(model, prompt(mark), stream=True))

    def tools(self, model, mark):
        self.ask(model, prompt(mark), tools=self.functions, tool_choice={"type": "function", "name": TOOL_NAME}, parallel_tool_calls=False)

    def tool_results(self, model, mark):
        calls = [{"type": "function_call", "call_id": f"call_{i}", "name": TOOL_NAME, "arguments": '{"city": "Löbau", "days": 1}'} for i in (1, 2)]
        results = [{"type": "function_call_output", "call_id": c["call_id"], "output": TOOL_RESULT} for c in calls]
        self.ask(model, [{"role": "user", "content": prompt(mark)}] + calls + results, tools=self.functions)

    def structured(self, model, mark):
        self.ask(model, prompt(mark), text={"format": {"type": "json_schema", "name": "train", "schema": OUTPUT_SCHEMA, "strict": True}})

    def images(self, model, mark):
        pictures = [{"type": "input_image", "image_url": u, "detail": "auto"} for u in (self.suite.image_url, self.image_by_url())]
        self.ask(model, [{"role": "user", "content": [{"type": "input_text", "text": prompt(mark)}] + pictures}])


class Messages(Sent):
    """Anthropic's messages."""

    surface = "messages"
    functions = [{"name": TOOL_NAME, "description": TOOL_DESCRIPTION, "input_schema": TOOL_SCHEMA}]

    def ask(self, model, content, **options):
        return self.anthropic.messages.create(model=model, max_tokens=100, messages=[{"role": "user", "content": content}], **options)

    def text(self, model, mark):
        system = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "Be kind."}]
        self.ask(model, prompt(mark), system=system, metadata={"user_id": "ada"})

    def stream(self, model, mark):
        list(self.ask(model, prompt(mark), stream=True))

    def tools(self, model, mark):
        self.ask(model, prompt(mark), tools=self.functions, tool_choice={"type": "tool", "name": TOOL_NAME, "disable_parallel_tool_use": True})

    def tool_results(self, model, mark):
        calls = [{"type": "tool_use", "id": f"toolu_{i}", "name": TOOL_NAME, "input": {"city": "Löbau", "days": 1}} for i in (1, 2)]
        results = [{"type": "tool_result", "tool_use_id": c["id"], "content": [{"type": "text", "text": TOOL_RESULT}]} for c in calls]
        messages = [{"role": "user", "content": prompt(mark)}, {"role": "assistant", "content": calls}, {"role": "user", "content": results}]
        self.anthropic.messages.create(model=model, max_tokens=100, messages=messages, tools=self.functions)

    def structured(self, model, mark):
        self.ask(model, prompt(mark), output_config={"format": {"type": "json_schema", "schema": OUTPUT_SCHEMA}})

    def images(self, model, mark):
        sources = [{"type": "base64", "media_type": "image/png", "data": self.suite.image}, {"type": "url", "url": self.image_by_url()}]
        self.ask(model, [{"type": "image", "source": s} for s in sources] + [{"type": "text", "text": prompt(mark)}])


for kind in (Chat, Responses, Messages):
    kind().run()
