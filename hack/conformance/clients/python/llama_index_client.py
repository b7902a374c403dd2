"""LlamaIndex: its classes for Groq, OpenRouter and servers like OpenAI's."""

import openai
import pydantic
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from llama_index.core.tools import FunctionTool
from llama_index.llms.groq import Groq
from llama_index.llms.openai_like import OpenAILike
from llama_index.llms.openrouter import OpenRouter

from suite import OUTPUT, TOOL_ARGUMENTS, TOOL_NAME, TOOL_RESULT, Suite, equal, new_mark, prompt, raises, true


class Train(pydantic.BaseModel):
    """What the structured answer holds."""

    name: str
    cars: int
    late: bool


def get_weather(city: str, days: int) -> str:
    """Tells the weather of a city."""
    return TOOL_RESULT


class Checks:
    """One class of LlamaIndex."""

    tools = [FunctionTool.from_defaults(get_weather)]

    def __init__(self, client, surface, kind, base):
        self.suite = Suite(client, surface)
        self.kind, self.base = kind, base

    def model(self, name, **options):
        return self.kind(
            model=name, api_base=self.base(self.suite.bases), api_key=self.suite.key, max_retries=0, is_chat_model=True, is_function_calling_model=True,
            context_window=8192, **options,
        )

    def plain(self, upstream):
        mark = new_mark()
        answer = self.model(upstream.model).chat([ChatMessage(role="system", content="Be brief."), ChatMessage(role="user", content=prompt(mark))])
        equal(answer.message.content, self.suite.text, "text")
        self.suite.usage(mark, answer.raw.usage.prompt_tokens, answer.raw.usage.completion_tokens)

    def streamed(self, upstream):
        pieces = [p.delta for p in self.model(upstream.model).stream_chat([ChatMessage(role="user", content=prompt(new_mark()))]) if p.delta]
        equal("".join(pieces), self.suite.text, "text")
        true(len(pieces) > 3, f"the text came in {len(pieces)} pieces")

    def tools_round_trip(self, upstream):
        model = self.model(upstream.model)
        messages = [ChatMessage(role="user", content=prompt(new_mark()))]
        answer = model.chat_with_tools(self.tools, chat_history=messages, allow_parallel_tool_calls=True)
        calls = model.get_tool_calls_from_response(answer)
        equal(len({c.tool_id for c in calls}), 2, "ids of calls")
        for call in calls:
            equal((call.tool_name, call.tool_kwargs), (TOOL_NAME, TOOL_ARGUMENTS), "call")
        results = [ChatMessage(role="tool", content=TOOL_RESULT, additional_kwargs={"tool_call_id": c.tool_id}) for c in calls]
        answer = model.chat_with_tools(self.tools, chat_history=messages + [answer.message] + results)
        equal(answer.message.content, self.suite.text, "text after the tools")

    def structured(self, upstream):
        answer = self.model(upstream.model).as_structured_llm(Train).chat([ChatMessage(role="user", content=prompt(new_mark()))])
        equal(answer.raw.model_dump(), OUTPUT, "parsed answer")

    def image(self, upstream):
        mark = new_mark()
        blocks = [TextBlock(text=prompt(mark)), ImageBlock(image=self.suite.image_bytes, image_mimetype="image/png")]
        equal(self.model(upstream.model).chat([ChatMessage(role="user", blocks=blocks)]).message.content, self.suite.text, "text")
        self.suite.saw_image(mark)

    def unknown_model(self, upstream):
        with raises(openai.NotFoundError, 404, "no-such-model"):
            self.model("no-such-model").chat([ChatMessage(role="user", content=prompt(new_mark()))])

    def busy(self, upstream):
        with raises(openai.RateLimitError, 429, self.suite.plan["busy"]):
            self.model(upstream.busy).chat([ChatMessage(role="user", content=prompt(new_mark()))])

    def cancel(self, upstream):
        def start(mark):
            stream = self.model(upstream.stall).stream_chat([ChatMessage(role="user", content=prompt(mark))])
            for piece in stream:
                if piece.delta:
                    break
            stream.close()
        self.suite.cancelled(start)

    def run(self):
        self.suite.run({
            "plain": self.plain, "streamed": self.streamed, "tools": self.tools_round_trip, "structured": self.structured, "image": self.image,
            "unknown-model": self.unknown_model, "busy": self.busy, "cancel": self.cancel,
        })


Checks("llama-index", "groq", Groq, lambda bases: bases["groq"] + "/openai/v1").run()
Checks("llama-index", "openrouter", OpenRouter, lambda bases: bases["openrouter"]).run()
Checks("llama-index", "chat", OpenAILike, lambda bases: bases["openai"]).run()
