"""The checks that all of LangChain's chat models share."""

import pydantic
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool

from suite import OUTPUT, TOOL_ARGUMENTS, TOOL_NAME, TOOL_RESULT, equal, new_mark, prompt, raises, true


class Train(pydantic.BaseModel):
    """What the structured answer holds."""

    name: str
    cars: int
    late: bool


@tool
def get_weather(city: str, days: int) -> str:
    """Tells the weather of a city."""
    return TOOL_RESULT


class Checks:
    """A subclass makes the models, and names the errors that come through."""

    not_found = rate_limit = Exception

    def __init__(self, suite):
        self.suite = suite

    def model(self, name, **options):
        raise NotImplementedError

    def text(self, message):
        """A message's content is a string or a list of blocks."""
        return message.text() if callable(message.text) else message.text

    def usage(self, mark, message):
        self.suite.usage(mark, message.usage_metadata["input_tokens"], message.usage_metadata["output_tokens"])

    def plain(self, upstream):
        mark = new_mark()
        answer = self.model(upstream.model, max_tokens=200, temperature=0.5).invoke([SystemMessage("Be brief."), HumanMessage(prompt(mark))])
        equal(self.text(answer), self.suite.text, "text")
        self.usage(mark, answer)

    def streamed(self, upstream):
        mark = new_mark()
        pieces = list(self.model(upstream.model).stream(prompt(mark)))
        true(len([p for p in pieces if self.text(p)]) > 3, "the text came in few pieces")
        whole = pieces[0]
        for piece in pieces[1:]:
            whole = whole + piece
        equal(self.text(whole), self.suite.text, "text")
        self.usage(mark, whole)

    def tools_round_trip(self, upstream):
        model = self.model(upstream.model).bind_tools([get_weather])
        self.finish(model, [HumanMessage(prompt(new_mark()))], model.invoke)

    def tools_streamed(self, upstream):
        model = self.model(upstream.model).bind_tools([get_weather])

        def whole(messages):
            pieces = list(model.stream(messages))
            message = pieces[0]
            for piece in pieces[1:]:
                message = message + piece
            return message

        self.finish(model, [HumanMessage(prompt(new_mark()))], whole)

    def finish(self, model, messages, ask):
        """Asks, answers the calls and reads what the model says then."""
        answer = ask(messages)
        equal(len({c["id"] for c in answer.tool_calls}), 2, "ids of calls")
        for call in answer.tool_calls:
            equal((call["name"], call["args"]), (TOOL_NAME, TOOL_ARGUMENTS), "call")
        messages = messages + [answer] + [ToolMessage(TOOL_RESULT, tool_call_id=c["id"]) for c in answer.tool_calls]
        equal(self.text(model.invoke(messages)), self.suite.text, "text after the tools")

    def structured(self, upstream):
        model = self.model(upstream.model).with_structured_output(Train, method="json_schema")
        equal(model.invoke(prompt(new_mark())).model_dump(), OUTPUT, "parsed answer")

    def structured_by_tool(self, upstream):
        model = self.model(upstream.model).with_structured_output(Train, method="function_calling")
        equal(model.invoke(prompt(new_mark())).model_dump(), OUTPUT, "parsed answer")

    def image(self, upstream):
        mark = new_mark()
        content = [{"type": "text", "text": prompt(mark)}, {"type": "image_url", "image_url": {"url": self.suite.image_url}}]
        equal(self.text(self.model(upstream.model).invoke([HumanMessage(content)])), self.suite.text, "text")
        self.suite.saw_image(mark)

    def unknown_model(self, upstream):
        with raises(self.not_found, 404, "no-such-model"):
            self.model("no-such-model").invoke(prompt(new_mark()))

    def busy(self, upstream):
        with raises(self.rate_limit, 429, self.suite.plan["busy"]):
            self.model(upstream.busy).invoke(prompt(new_mark()))

    def cancel(self, upstream):
        def start(mark):
            stream = self.model(upstream.stall).stream(prompt(mark))
            for piece in stream:
                if self.text(piece):
                    break
            stream.close()
        self.suite.cancelled(start)

    def run(self):
        self.suite.run({
            "plain": self.plain, "streamed": self.streamed, "tools": self.tools_round_trip, "tools-streamed": self.tools_streamed,
            "structured": self.structured, "structured-by-tool": self.structured_by_tool, "image": self.image, "unknown-model": self.unknown_model,
            "busy": self.busy, "cancel": self.cancel,
        })
