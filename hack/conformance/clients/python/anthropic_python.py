"""anthropic: messages, count_tokens and models."""

import anthropic
import pydantic

from anthropic_money import Money
from anthropic_routing import Routing
from suite import (
    OUTPUT, TOOL_ARGUMENTS, TOOL_DESCRIPTION, TOOL_NAME, TOOL_RESULT, TOOL_SCHEMA, Suite, equal, new_mark, prompt, raises, true,
)


# OpenAI's chat completions never show what the model thought, and Amazon's own models on Bedrock are not asked to.
HIDES_REASONING = ("openai", "azure", "azure-v1", "bedrock")


class Train(pydantic.BaseModel):
    """What the structured answer holds."""

    name: str
    cars: int
    late: bool


class Messages:
    """messages."""

    tools = [{"name": TOOL_NAME, "description": TOOL_DESCRIPTION, "input_schema": TOOL_SCHEMA}]

    def __init__(self):
        self.suite = Suite("anthropic-python", "messages")
        self.client = anthropic.Anthropic(base_url=self.suite.bases["anthropic"], api_key=self.suite.key, max_retries=0)

    def ask(self, model, content, **options):
        return self.client.messages.create(model=model, max_tokens=200, messages=[{"role": "user", "content": content}], **options)

    def text(self, answer):
        return "".join(block.text for block in answer.content if block.type == "text")

    def usage(self, mark, usage):
        """Anthropic counts the tokens that the cache took or gave outside of input_tokens."""
        cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
        self.suite.usage(mark, usage.input_tokens + cached, usage.output_tokens)

    def plain(self, upstream):
        mark = new_mark()
        system = [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}]
        answer = self.ask(upstream.model, prompt(mark), system=system)
        equal(self.text(answer), self.suite.text, "text")
        equal((answer.type, answer.role, answer.stop_reason, answer.stop_sequence), ("message", "assistant", "end_turn", None), "envelope")
        self.usage(mark, answer.usage)

    def system_inside(self, upstream):
        """Instructions may stand among the messages, and reach the provider wherever it has them."""
        mark, instruction = new_mark(), f"Be terse from now on ({new_mark()})."
        answer = self.client.messages.create(model=upstream.model, max_tokens=200, messages=[
            {"role": "user", "content": prompt(mark)}, {"role": "assistant", "content": "Yes."},
            {"role": "system", "content": [{"type": "text", "text": instruction}]}, {"role": "user", "content": "Go on."},
        ])
        equal(self.text(answer), self.suite.text, "text")
        true(instruction in self.suite.record(mark)["body"], "the provider did not get the instruction")

    def streamed(self, upstream):
        mark = new_mark()
        kinds, pieces = [], []
        with self.client.messages.stream(model=upstream.model, max_tokens=200, messages=[{"role": "user", "content": prompt(mark)}]) as stream:
            for event in stream:
                kinds.append(event.type)
                if event.type == "text":
                    pieces.append(event.text)
            answer = stream.get_final_message()
        kinds = [k for k in kinds if k not in ("text", "ping")]
        equal([kinds[0], kinds[1], kinds[-3:]], ["message_start", "content_block_start", ["content_block_stop", "message_delta", "message_stop"]], "events")
        equal("".join(pieces), self.suite.text, "text")
        true(len(pieces) > 3, f"the text came in {len(pieces)} pieces")
        equal((self.text(answer), answer.stop_reason), (self.suite.text, "end_turn"), "final message")
        self.usage(mark, answer.usage)

    def tools_round_trip(self, upstream):
        messages = [{"role": "user", "content": prompt(new_mark())}]
        answer = self.client.messages.create(model=upstream.model, max_tokens=200, messages=messages, tools=self.tools, tool_choice={"type": "auto"})
        self.finish(upstream, messages, answer)

    def finish(self, upstream, messages, answer):
        """Answers the calls of a message and reads what the model says then."""
        equal(answer.stop_reason, "tool_use", "stop reason")
        calls = [block for block in answer.content if block.type == "tool_use"]
        equal(len({c.id for c in calls}), 2, "ids of calls")
        for call in calls:
            equal((call.name, call.input), (TOOL_NAME, TOOL_ARGUMENTS), "call")
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": TOOL_RESULT}]} for call in calls]
        messages = messages + [{"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
        answer = self.client.messages.create(model=upstream.model, max_tokens=200, messages=messages, tools=self.tools)
        equal((self.text(answer), answer.stop_reason), (self.suite.text, "end_turn"), "answer after the tools")

    def tools_streamed(self, upstream):
        messages = [{"role": "user", "content": prompt(new_mark())}]
        with self.client.messages.stream(model=upstream.model, max_tokens=200, messages=messages, tools=self.tools) as stream:
            for _ in stream:
                pass
            answer = stream.get_final_message()
        self.finish(upstream, messages, answer)

    def structured(self, upstream):
        answer = self.client.messages.parse(
            model=upstream.model, max_tokens=200, messages=[{"role": "user", "content": prompt(new_mark())}], output_format=Train,
        )
        equal(answer.parsed_output.model_dump(), OUTPUT, "parsed answer")
        equal(answer.stop_reason, "end_turn", "stop reason")

    def forced_tool(self, upstream):
        answer = self.ask(upstream.model, prompt(new_mark()), tools=self.tools, tool_choice={"type": "tool", "name": TOOL_NAME})
        calls = [b.input for b in answer.content if b.type == "tool_use"]
        true(calls, "the tool was not called")
        equal([c for c in calls if c != TOOL_ARGUMENTS], [], "calls with other arguments")
        equal(answer.stop_reason, "tool_use", "stop reason")

    def reasoning(self, upstream):
        """Thinking comes with a signature and goes back unchanged with the results of the tools."""
        messages = [{"role": "user", "content": prompt(new_mark())}]
        self.thought(upstream, messages, upstream.models["reason"])

    def reasoning_moved(self, upstream):
        """A conversation goes on at a model that cannot read the thinking: it is left out, and the call works."""
        messages = [{"role": "user", "content": prompt(new_mark())}]
        at = [u.name for u in self.suite.upstreams].index(upstream.name)
        for other in (self.suite.upstreams[at - 1], self.suite.upstreams[(at + 1) % len(self.suite.upstreams)]):
            self.thought(upstream, messages, other.models["reason"])

    def thought(self, upstream, messages, then):
        """One turn with thinking and tools at the upstream, and the next one at the model then."""
        thinking = {"type": "enabled", "budget_tokens": 1024}
        answer = self.client.messages.create(
            model=upstream.models["reason"], max_tokens=2000, messages=messages, tools=self.tools, thinking=thinking,
        )
        kinds = [block.type for block in answer.content]
        equal(kinds[-2:], ["tool_use", "tool_use"], "last blocks")
        if upstream.name not in HIDES_REASONING:
            # OpenAI's Responses give what was thought in encrypted form, unless a summary is asked for.
            true(kinds[0] in ("thinking", "redacted_thinking"), f"there is no thinking but {kinds}")
        results = [{"type": "tool_result", "tool_use_id": b.id, "content": TOOL_RESULT} for b in answer.content if b.type == "tool_use"]
        messages = messages + [{"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
        answer = self.client.messages.create(model=then, max_tokens=2000, messages=messages, tools=self.tools, thinking=thinking)
        equal(self.text(answer), self.suite.text, "text after the tools")

    def image(self, upstream):
        mark = new_mark()
        source = {"type": "base64", "media_type": "image/png", "data": self.suite.image}
        answer = self.ask(upstream.model, [{"type": "image", "source": source}, {"type": "text", "text": prompt(mark)}])
        equal(self.text(answer), self.suite.text, "text")
        self.suite.saw_image(mark)

    def image_by_url(self, upstream):
        mark = new_mark()
        url = "https://images.example.com/signal-box.png"
        answer = self.ask(upstream.model, [{"type": "image", "source": {"type": "url", "url": url}}, {"type": "text", "text": prompt(mark)}])
        equal(self.text(answer), self.suite.text, "text")
        true(url in self.suite.record(mark)["body"], "the provider did not get the URL")

    def stop(self, upstream):
        before, word, _ = self.suite.text.partition("the points")
        answer = self.ask(upstream.model, prompt(new_mark()), stop_sequences=[word, "never said"])
        equal(self.text(answer), before, "text")
        true(answer.stop_reason in ("stop_sequence", "end_turn"), f"stop reason {answer.stop_reason}")

    def cut_by_limit(self, upstream):
        answer = self.client.messages.create(model=upstream.model, max_tokens=16, messages=[{"role": "user", "content": prompt(new_mark())}])
        equal(answer.stop_reason, "max_tokens", "stop reason")

    def count_tokens(self, upstream):
        counted = self.client.messages.count_tokens(model=upstream.model, messages=[{"role": "user", "content": prompt(new_mark())}], tools=self.tools)
        true(counted.input_tokens > 5, f"{counted.input_tokens} tokens")

    def unknown_model(self, upstream):
        with raises(anthropic.NotFoundError, 404, "not_found_error", "no-such-model"):
            self.ask("no-such-model", prompt(new_mark()))

    def busy(self, upstream):
        with raises(anthropic.RateLimitError, 429, "rate_limit_error", self.suite.plan["busy"]):
            self.ask(upstream.busy, prompt(new_mark()))

    def broken_stream(self, upstream):
        with raises(anthropic.APIStatusError, None, self.suite.plan["broken"]):
            for _ in self.ask(upstream.broken, prompt(new_mark()), stream=True):
                pass

    def cancel(self, upstream):
        def start(mark):
            with self.client.messages.stream(model=upstream.stall, max_tokens=200, messages=[{"role": "user", "content": prompt(mark)}]) as stream:
                for event in stream:
                    if event.type == "text":
                        return
        self.suite.cancelled(start)

    def models(self, upstream):
        ids = [m.id for m in self.client.models.list()]
        true(upstream.model in ids, f"{upstream.model} is not among {ids}")
        equal(self.client.models.retrieve(upstream.model).type, "model", "model by its id")


def main():
    messages = Messages()
    messages.suite.run({
        "plain": messages.plain, "system-inside": messages.system_inside, "streamed": messages.streamed, "tools": messages.tools_round_trip, "tools-streamed": messages.tools_streamed,
        "forced-tool": messages.forced_tool, "structured": messages.structured, "reasoning": messages.reasoning,
        "reasoning-moved": messages.reasoning_moved, "image": messages.image, "image-by-url": messages.image_by_url,
        "stop": messages.stop, "cut-by-limit": messages.cut_by_limit, "count-tokens": messages.count_tokens, "unknown-model": messages.unknown_model, "busy": messages.busy,
        "broken-stream": messages.broken_stream, "cancel": messages.cancel, "models": messages.models,
    })
    Routing().run()
    Money().run()


main()
