"""openai: chat completions, Responses, embeddings and the smaller endpoints."""

import json

import openai
import pydantic

from openai_callers import Callers
from openai_money import Money
from openai_routing import Routing
from suite import (
    OUTPUT, TOOL_ARGUMENTS, TOOL_DESCRIPTION, TOOL_NAME, TOOL_RESULT, TOOL_SCHEMA, Suite, equal, new_mark, prompt, raises, true,
)


# OpenAI's chat completions never show what the model thought, and Amazon's own models on Bedrock are not asked to.
HIDES_REASONING = ("openai", "azure", "azure-v1", "bedrock")

# A WAV file of an eighth of a second of silence.
SOUND = b"RIFF" + (36 + 2000).to_bytes(4, "little") + b"WAVEfmt " + bytes.fromhex("1000000001000100401f0000803e000002001000") + b"data" + (2000).to_bytes(4, "little") + bytes(2000)


class Train(pydantic.BaseModel):
    """What the structured answer holds."""

    name: str
    cars: int
    late: bool


class Chat:
    """chat.completions."""

    tools = [{"type": "function", "function": {"name": TOOL_NAME, "description": TOOL_DESCRIPTION, "parameters": TOOL_SCHEMA}}]

    def __init__(self):
        self.suite = Suite("openai-python", "chat")
        self.client = openai.OpenAI(base_url=self.suite.bases["openai"], api_key=self.suite.key, max_retries=0)

    def ask(self, model, mark, **options):
        return self.client.chat.completions.create(model=model, messages=[{"role": "user", "content": prompt(mark)}], **options)

    def plain(self, upstream):
        mark = new_mark()
        answer = self.client.chat.completions.create(
            model=upstream.model, max_completion_tokens=200, temperature=0.5,
            messages=[{"role": "system", "content": "Be brief."}, {"role": "developer", "content": "Be kind."}, {"role": "user", "content": prompt(mark)}],
        )
        equal(answer.choices[0].message.content, self.suite.text, "text")
        equal(answer.choices[0].message.role, "assistant", "role")
        equal(answer.choices[0].finish_reason, "stop", "finish reason")
        equal(answer.object, "chat.completion", "object")
        equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens, "total tokens")
        self.suite.usage(mark, answer.usage.prompt_tokens, answer.usage.completion_tokens)

    def streamed(self, upstream):
        mark = new_mark()
        chunks = list(self.ask(upstream.model, mark, stream=True, stream_options={"include_usage": True}))
        pieces = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
        equal("".join(pieces), self.suite.text, "text")
        true(len(pieces) > 3, f"the text came in {len(pieces)} pieces")
        equal([c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason], ["stop"], "finish reasons")
        equal(len({c.id for c in chunks}), 1, "ids of one stream")
        usage = [c.usage for c in chunks if c.usage]
        equal(len(usage), 1, "chunks with usage")
        equal(chunks[-1].choices, [], "choices of the last chunk")
        self.suite.usage(mark, usage[0].prompt_tokens, usage[0].completion_tokens)

    def streamed_without_usage(self, upstream):
        chunks = list(self.ask(upstream.model, new_mark(), stream=True))
        equal([c for c in chunks if c.usage or not c.choices], [], "chunks that nobody asked for")

    def tools_round_trip(self, upstream):
        messages = [{"role": "user", "content": prompt(new_mark())}]
        answer = self.client.chat.completions.create(model=upstream.model, messages=messages, tools=self.tools, tool_choice="auto")
        equal(answer.choices[0].finish_reason, "tool_calls", "finish reason")
        self.finish(upstream, messages, answer.choices[0].message)

    def finish(self, upstream, messages, message):
        """Answers the calls of a message and reads what the model says then."""
        equal(len(message.tool_calls), 2, "calls")
        equal(len({c.id for c in message.tool_calls}), 2, "ids of calls")
        for call in message.tool_calls:
            equal((call.function.name, json.loads(call.function.arguments)), (TOOL_NAME, TOOL_ARGUMENTS), "call")
        calls = [{"id": c.id, "type": "function", "function": {"name": c.function.name, "arguments": c.function.arguments}} for c in message.tool_calls]
        messages = messages + [{"role": "assistant", "content": message.content, "tool_calls": calls}] + [
            {"role": "tool", "tool_call_id": call.id, "content": TOOL_RESULT} for call in message.tool_calls
        ]
        answer = self.client.chat.completions.create(model=upstream.model, messages=messages, tools=self.tools)
        equal(answer.choices[0].message.content, self.suite.text, "text after the tools")

    def tools_streamed(self, upstream):
        messages = [{"role": "user", "content": prompt(new_mark())}]
        with self.client.chat.completions.stream(model=upstream.model, messages=messages, tools=self.tools) as stream:
            for _ in stream:
                pass
            message = stream.get_final_completion().choices[0].message
        self.finish(upstream, messages, message)

    def structured(self, upstream):
        answer = self.client.chat.completions.parse(
            model=upstream.model, messages=[{"role": "user", "content": prompt(new_mark())}], response_format=Train,
        )
        equal(answer.choices[0].message.parsed.model_dump(), OUTPUT, "parsed answer")
        equal(answer.choices[0].finish_reason, "stop", "finish reason")

    def structured_streamed(self, upstream):
        with self.client.chat.completions.stream(
            model=upstream.model, messages=[{"role": "user", "content": prompt(new_mark())}], response_format=Train,
        ) as stream:
            answer = stream.get_final_completion()
        equal(answer.choices[0].message.parsed.model_dump(), OUTPUT, "parsed answer")

    def image(self, upstream):
        mark = new_mark()
        content = [{"type": "text", "text": prompt(mark)}, {"type": "image_url", "image_url": {"url": self.suite.image_url}}]
        answer = self.client.chat.completions.create(model=upstream.model, messages=[{"role": "user", "content": content}])
        equal(answer.choices[0].message.content, self.suite.text, "text")
        self.suite.saw_image(mark)

    def image_by_url(self, upstream):
        mark = new_mark()
        url = "https://images.example.com/signal-box.png"
        content = [{"type": "text", "text": prompt(mark)}, {"type": "image_url", "image_url": {"url": url}}]
        answer = self.client.chat.completions.create(model=upstream.model, messages=[{"role": "user", "content": content}])
        equal(answer.choices[0].message.content, self.suite.text, "text")
        true(url in self.suite.record(mark)["body"], "the provider did not get the URL")

    def stop(self, upstream):
        before, word, _ = self.suite.text.partition("the points")
        answer = self.ask(upstream.model, new_mark(), stop=[word, "never said"])
        equal(answer.choices[0].message.content, before, "text")
        equal(answer.choices[0].finish_reason, "stop", "finish reason")

    def cut_by_limit(self, upstream):
        answer = self.ask(upstream.model, new_mark(), max_tokens=16)
        equal(answer.choices[0].finish_reason, "length", "finish reason")
        true(self.suite.text.startswith(answer.choices[0].message.content), "the text is not the beginning of the whole")

    def unknown_model(self, upstream):
        with raises(openai.NotFoundError, 404, "no-such-model"):
            self.ask("no-such-model", new_mark())

    def busy(self, upstream):
        with raises(openai.RateLimitError, 429, self.suite.plan["busy"]):
            self.ask(upstream.busy, new_mark())
        with raises(openai.RateLimitError, 429, self.suite.plan["busy"]):
            self.ask(upstream.busy, new_mark(), stream=True)

    def broken_stream(self, upstream):
        with raises(openai.APIError, None, self.suite.plan["broken"]):
            for _ in self.ask(upstream.broken, new_mark(), stream=True):
                pass

    def cancel(self, upstream):
        def start(mark):
            with self.ask(upstream.stall, mark, stream=True) as stream:
                for chunk in stream:
                    if chunk.choices and chunk.choices[0].delta.content:
                        return
        self.suite.cancelled(start)

    def models(self, upstream):
        ids = [m.id for m in self.client.models.list()]
        true(upstream.model in ids, f"{upstream.model} is not among {ids}")
        equal(self.client.models.retrieve(upstream.model).id, upstream.model, "model by its id")


class Responses:
    """responses."""

    tools = [{"type": "function", "name": TOOL_NAME, "description": TOOL_DESCRIPTION, "parameters": TOOL_SCHEMA, "strict": True}]

    def __init__(self):
        self.suite = Suite("openai-python", "responses")
        self.client = openai.OpenAI(base_url=self.suite.bases["openai"], api_key=self.suite.key, max_retries=0)

    def ask(self, model, mark, **options):
        return self.client.responses.create(model=model, input=prompt(mark), store=False, **options)

    def plain(self, upstream):
        mark = new_mark()
        answer = self.ask(upstream.model, mark, instructions="Be brief.", max_output_tokens=200, temperature=0.5)
        equal(answer.output_text, self.suite.text, "text")
        equal((answer.object, answer.status), ("response", "completed"), "object and status")
        self.suite.usage(mark, answer.usage.input_tokens, answer.usage.output_tokens)

    def streamed(self, upstream):
        mark = new_mark()
        events = list(self.ask(upstream.model, mark, stream=True))
        equal([e.sequence_number for e in events], list(range(len(events))), "sequence numbers")
        equal([events[0].type, events[-1].type], ["response.created", "response.completed"], "first and last event")
        pieces = [e.delta for e in events if e.type == "response.output_text.delta"]
        equal("".join(pieces), self.suite.text, "text")
        true(len(pieces) > 3, f"the text came in {len(pieces)} pieces")
        final = events[-1].response
        equal(final.output_text, self.suite.text, "text of the final response")
        self.suite.usage(mark, final.usage.input_tokens, final.usage.output_tokens)

    def tools_round_trip(self, upstream):
        messages = [{"role": "user", "content": prompt(new_mark())}]
        answer = self.client.responses.create(model=upstream.model, input=messages, tools=self.tools, store=False)
        self.finish(upstream, messages, answer)

    def finish(self, upstream, messages, answer):
        """Answers the calls of a response and reads what the model says then."""
        calls = [item for item in answer.output if item.type == "function_call"]
        equal(len({c.call_id for c in calls}), 2, "ids of calls")
        for call in calls:
            equal((call.name, json.loads(call.arguments)), (TOOL_NAME, TOOL_ARGUMENTS), "call")
        messages = messages + answer.output + [
            {"type": "function_call_output", "call_id": call.call_id, "output": TOOL_RESULT} for call in calls
        ]
        answer = self.client.responses.create(model=upstream.model, input=messages, tools=self.tools, store=False)
        equal(answer.output_text, self.suite.text, "text after the tools")

    def tools_streamed(self, upstream):
        messages = [{"role": "user", "content": prompt(new_mark())}]
        with self.client.responses.stream(model=upstream.model, input=messages, tools=self.tools, store=False) as stream:
            for _ in stream:
                pass
            answer = stream.get_final_response()
        self.finish(upstream, messages, answer)

    def reasoning(self, upstream):
        """Encrypted reasoning comes with the calls of tools and goes back unchanged with their results."""
        messages = [{"role": "user", "content": prompt(new_mark())}]
        options = {"tools": self.tools, "store": False, "include": ["reasoning.encrypted_content"], "reasoning": {"effort": "low", "summary": "auto"}}
        answer = self.client.responses.create(model=upstream.models["reason"], input=messages, **options)
        thoughts = [item for item in answer.output if item.type == "reasoning"]
        if upstream.name not in HIDES_REASONING:
            true(thoughts, f"there is no reasoning but {[item.type for item in answer.output]}")
        calls = [item for item in answer.output if item.type == "function_call"]
        results = [{"type": "function_call_output", "call_id": c.call_id, "output": TOOL_RESULT} for c in calls]
        answer = self.client.responses.create(model=upstream.models["reason"], input=messages + answer.output + results, **options)
        equal(answer.output_text, self.suite.text, "text after the tools")

    def structured(self, upstream):
        answer = self.client.responses.parse(model=upstream.model, input=prompt(new_mark()), text_format=Train, store=False)
        equal(answer.output_parsed.model_dump(), OUTPUT, "parsed answer")

    def image(self, upstream):
        mark = new_mark()
        content = [{"type": "input_text", "text": prompt(mark)}, {"type": "input_image", "image_url": self.suite.image_url, "detail": "auto"}]
        answer = self.client.responses.create(model=upstream.model, input=[{"role": "user", "content": content}], store=False)
        equal(answer.output_text, self.suite.text, "text")
        self.suite.saw_image(mark)

    def cut_by_limit(self, upstream):
        answer = self.ask(upstream.model, new_mark(), max_output_tokens=16)
        equal((answer.status, answer.incomplete_details.reason), ("incomplete", "max_output_tokens"), "status")

    def unknown_model(self, upstream):
        with raises(openai.NotFoundError, 404, "no-such-model"):
            self.ask("no-such-model", new_mark())

    def busy(self, upstream):
        with raises(openai.RateLimitError, 429, self.suite.plan["busy"]):
            self.ask(upstream.busy, new_mark())

    def broken_stream(self, upstream):
        try:
            last = list(self.ask(upstream.broken, new_mark(), stream=True))[-1]
        except openai.APIError as error:
            true(self.suite.plan["broken"] in str(error), f"the provider's words are not in: {error}")
            return
        message = last.message if last.type == "error" else last.response.error.message
        true(self.suite.plan["broken"] in message, f"the provider's words are not in: {message}")

    def cancel(self, upstream):
        def start(mark):
            with self.ask(upstream.stall, mark, stream=True) as stream:
                for event in stream:
                    if event.type == "response.output_text.delta":
                        return
        self.suite.cancelled(start)


class Embeddings:
    """embeddings. The library asks for base64 unless it is told otherwise, and decodes it."""

    def __init__(self):
        self.suite = Suite("openai-python", "embeddings")
        self.client = openai.OpenAI(base_url=self.suite.bases["openai"], api_key=self.suite.key, max_retries=0)

    def ask(self, upstream, **options):
        texts = ["a signal box " + new_mark(), "a level crossing"]
        answer = self.client.embeddings.create(model=upstream.models["embedding"], input=texts, **options)
        equal([d.index for d in answer.data], [0, 1], "indexes")
        true(answer.usage.prompt_tokens > 0, "no tokens were counted")
        return answer.data[0].embedding

    def floats(self, upstream):
        vector = self.ask(upstream, encoding_format="float")
        true(abs(sum(x * x for x in vector) - 1) < 0.01, "the vector is not of length one")

    def base64(self, upstream):
        vector = self.ask(upstream)
        true(abs(sum(x * x for x in vector) - 1) < 0.01, "the vector is not of length one")

    def dimensions(self, upstream):
        equal(len(self.ask(upstream, dimensions=256)), 256, "dimensions")


class Media:
    """Endpoints that pass to a provider which has them."""

    def __init__(self):
        self.suite = Suite("openai-python", "media")
        self.client = openai.OpenAI(base_url=self.suite.bases["openai"], api_key=self.suite.key, max_retries=0)

    def completion(self, upstream):
        mark = new_mark()
        answer = self.client.completions.create(model=upstream.models["completion"], prompt=prompt(mark), max_tokens=200)
        equal(answer.choices[0].text, self.suite.text, "text")
        self.suite.usage(mark, answer.usage.prompt_tokens, answer.usage.completion_tokens)

    def moderation(self, upstream):
        answer = self.client.moderations.create(model=upstream.models["moderation"], input="The train is late.")
        equal(len(answer.results), 1, "results")

    def image(self, upstream):
        answer = self.client.images.generate(model=upstream.models["image"], prompt="A signal box in the snow")
        true(answer.data[0].b64_json or answer.data[0].url, "there is no picture")

    def image_edit(self, upstream):
        picture = ("picture.png", self.suite.image_bytes, "image/png")
        answer = self.client.images.edit(model=upstream.models["image"], prompt="Add a train", image=picture)
        true(answer.data[0].b64_json or answer.data[0].url, "there is no picture")

    def speech(self, upstream):
        answer = self.client.audio.speech.create(model=upstream.models["speech"], voice="alloy", input="Mind the gap.")
        true(len(answer.content) > 0, "there is no sound")

    def transcription(self, upstream):
        answer = self.client.audio.transcriptions.create(model=upstream.models["transcription"], file=("sound.wav", SOUND, "audio/wav"))
        true(answer.text, "there is no text")

    def translation(self, upstream):
        answer = self.client.audio.translations.create(model=upstream.models["transcription"], file=("sound.wav", SOUND, "audio/wav"))
        true(answer.text, "there is no text")


def main():
    chat = Chat()
    chat.suite.run({
        "plain": chat.plain, "streamed": chat.streamed, "streamed-without-usage": chat.streamed_without_usage, "tools": chat.tools_round_trip,
        "tools-streamed": chat.tools_streamed, "structured": chat.structured, "structured-streamed": chat.structured_streamed, "image": chat.image,
        "image-by-url": chat.image_by_url, "stop": chat.stop, "cut-by-limit": chat.cut_by_limit, "unknown-model": chat.unknown_model, "busy": chat.busy,
        "broken-stream": chat.broken_stream, "cancel": chat.cancel, "models": chat.models,
    })
    responses = Responses()
    responses.suite.run({
        "plain": responses.plain, "streamed": responses.streamed, "tools": responses.tools_round_trip, "tools-streamed": responses.tools_streamed,
        "structured": responses.structured, "reasoning": responses.reasoning, "image": responses.image, "cut-by-limit": responses.cut_by_limit, "unknown-model": responses.unknown_model,
        "busy": responses.busy, "broken-stream": responses.broken_stream, "cancel": responses.cancel,
    })
    embeddings = Embeddings()
    embeddings.suite.run({"floats": embeddings.floats, "base64": embeddings.base64, "dimensions": embeddings.dimensions})
    media = Media()
    media.suite.run({
        "completion": media.completion, "moderation": media.moderation, "image": media.image, "image-edit": media.image_edit, "speech": media.speech,
        "transcription": media.transcription, "translation": media.translation,
    })
    Routing("openai-python", "openai", openai, openai.OpenAI).run([
        "alternatives", "fallback", "variants", "preferences", "session", "metadata", "limits", "limit-reached", "unknown-preference", "no-target",
    ])
    Money().run()
    Callers().run()


main()
