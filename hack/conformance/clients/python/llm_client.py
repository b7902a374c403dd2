"""Simon Willison's llm with llm-groq and llm-openrouter, which call their vendors' hosts and take no other address."""

import gc
import json
import os
import pathlib
import tempfile
import urllib.request

os.environ["LLM_USER_PATH"] = tempfile.mkdtemp(prefix="conformance-llm")

import llm
import pydantic

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
    """One plugin."""

    def __init__(self, surface, prefix, unknown):
        self.suite = Suite("llm", surface)
        self.prefix, self.unknown = prefix, unknown
        self.registered = {m.model_id: m for m in llm.get_models()}

    def model(self, name):
        return self.registered[self.prefix + name]

    def ask(self, model, mark, **options):
        return model.prompt(prompt(mark), key=self.suite.key, **options)

    def usage(self, mark, answer):
        self.suite.usage(mark, answer.input_tokens, answer.output_tokens)

    def plain(self, upstream):
        mark = new_mark()
        answer = self.ask(self.model(upstream.model), mark, system="Be brief.", stream=False)
        equal(answer.text(), self.suite.text, "text")
        self.usage(mark, answer)

    def streamed(self, upstream):
        mark = new_mark()
        answer = self.ask(self.model(upstream.model), mark, stream=True)
        pieces = [piece for piece in answer if piece]
        equal("".join(pieces), self.suite.text, "text")
        true(len(pieces) > 3, f"the text came in {len(pieces)} pieces")
        self.usage(mark, answer)

    def conversation(self, upstream):
        conversation = self.model(upstream.model).conversation()
        conversation.prompt(prompt(new_mark()), key=self.suite.key).text()
        mark = new_mark()
        equal(conversation.prompt(prompt(mark), key=self.suite.key).text(), self.suite.text, "second text")
        text = json.dumps(self.suite.text, ensure_ascii=False)[1:-1]
        body = self.suite.record(mark)["body"]
        true(text in body or json.dumps(self.suite.text)[1:-1] in body, "the first answer was not sent back")

    def tools_round_trip(self, upstream):
        called = []

        def before(tool, call):
            called.append((call.name, call.arguments))

        chain = self.model(upstream.model).chain(prompt(new_mark()), tools=[get_weather], key=self.suite.key, before_call=before)
        equal(chain.text(), self.suite.text, "text after the tools")
        equal(called, [(TOOL_NAME, TOOL_ARGUMENTS)] * 2, "calls")

    def structured(self, upstream):
        answer = self.ask(self.model(upstream.model), new_mark(), schema=Train)
        equal(json.loads(answer.text()), OUTPUT, "answer")

    def image(self, upstream):
        mark = new_mark()
        attachment = llm.Attachment(type="image/png", content=self.suite.image_bytes)
        equal(self.ask(self.model(upstream.model), mark, attachments=[attachment]).text(), self.suite.text, "text")
        self.suite.saw_image(mark)

    def unknown_model(self, upstream):
        with raises(Exception, 404, "no-such-model"):
            self.ask(self.unknown("no-such-model"), new_mark()).text()

    def busy(self, upstream):
        with raises(Exception, 429, self.suite.plan["busy"]):
            self.ask(self.model(upstream.busy), new_mark()).text()

    def cancel(self, upstream):
        def start(mark):
            pieces = iter(self.ask(self.model(upstream.stall), mark, stream=True))
            for piece in pieces:
                if piece:
                    break
            # The library closes the connection when nothing refers to the answer any more.
            del pieces, piece
            gc.collect()
        self.suite.cancelled(start)

    def models(self, upstream):
        true(self.prefix + upstream.model in self.registered, f"{self.prefix + upstream.model} is not among {list(self.registered)}")


def save_models(suite):
    """llm-openrouter reads OpenRouter's list of models without a key, which Signalbox refuses: a saved list is used in its place."""
    request = urllib.request.Request(suite.bases["openrouter"] + "/models", headers={"Authorization": "Bearer " + suite.key})
    with urllib.request.urlopen(request, timeout=5) as answer:
        pathlib.Path(os.environ["LLM_USER_PATH"], "openrouter_models.json").write_bytes(answer.read())


def main():
    import llm_groq
    import llm_openrouter

    suite = Suite("llm", "")
    os.environ["OPENROUTER_KEY"] = os.environ["LLM_GROQ_KEY"] = os.environ["GROQ_API_KEY"] = suite.key
    save_models(suite)

    def responses(name):
        return llm_openrouter.OpenRouterResponses(model_id=name, model_name=name, api_base="https://openrouter.ai/api/v1")

    openrouter = Checks("openrouter-responses", "openrouter/", responses)
    openrouter.suite.run({
        "plain": openrouter.plain, "streamed": openrouter.streamed, "conversation": openrouter.conversation, "tools": openrouter.tools_round_trip,
        "structured": openrouter.structured, "image": openrouter.image, "unknown-model": openrouter.unknown_model, "busy": openrouter.busy,
        "cancel": openrouter.cancel, "models": openrouter.models,
    })
    groq = Checks("groq-chat", "groq/", lambda name: llm_groq.LLMGroq(name, name))
    groq.suite.run({
        "plain": groq.plain, "streamed": groq.streamed, "conversation": groq.conversation, "unknown-model": groq.unknown_model, "busy": groq.busy,
        "cancel": groq.cancel, "models": groq.models,
    })


main()
