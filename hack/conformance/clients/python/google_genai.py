"""google-genai: generateContent, streamGenerateContent, countTokens, embeddings and models, on Gemini's native surface."""

import pydantic
from google import genai
from google.genai import errors, types

from google_money import Money
from suite import OUTPUT, TOOL_ARGUMENTS, TOOL_DESCRIPTION, TOOL_NAME, Suite, equal, new_mark, prompt, raises, true


class Train(pydantic.BaseModel):
    """What the structured answer holds."""

    name: str
    cars: int
    late: bool


class Generate:
    """models.generate_content and what belongs to it."""

    tools = [types.Tool(function_declarations=[types.FunctionDeclaration(
        name=TOOL_NAME, description=TOOL_DESCRIPTION,
        parameters=types.Schema(
            type="OBJECT", properties={"city": types.Schema(type="STRING"), "days": types.Schema(type="INTEGER")}, required=["city", "days"],
        ),
    )])]

    def __init__(self):
        self.suite = Suite("google-genai", "gemini")
        self.client = genai.Client(api_key=self.suite.key, vertexai=False, http_options=types.HttpOptions(base_url=self.suite.bases["gemini"]))

    def ask(self, model, contents, **config):
        return self.client.models.generate_content(model=model, contents=contents, config=types.GenerateContentConfig(**config))

    def usage(self, mark, usage):
        """Gemini counts thoughts outside of the candidates' tokens."""
        self.suite.usage(mark, usage.prompt_token_count, usage.candidates_token_count + (usage.thoughts_token_count or 0))

    def plain(self, upstream):
        mark = new_mark()
        answer = self.ask(upstream.model, prompt(mark), system_instruction="Be brief.", temperature=0.5, max_output_tokens=200)
        equal(answer.text, self.suite.text, "text")
        equal((answer.candidates[0].finish_reason, answer.candidates[0].content.role), (types.FinishReason.STOP, "model"), "candidate")
        self.usage(mark, answer.usage_metadata)

    def streamed(self, upstream):
        mark = new_mark()
        chunks = list(self.client.models.generate_content_stream(model=upstream.model, contents=prompt(mark)))
        pieces = [c.text for c in chunks if c.text]
        equal("".join(pieces), self.suite.text, "text")
        true(len(pieces) > 3, f"the text came in {len(pieces)} pieces")
        equal(chunks[-1].candidates[0].finish_reason, types.FinishReason.STOP, "finish reason")
        self.usage(mark, chunks[-1].usage_metadata)

    def stop(self, upstream):
        before, word, _ = self.suite.text.partition("the points")
        answer = self.ask(upstream.model, prompt(new_mark()), stop_sequences=[word, "never said"])
        equal(answer.text, before, "text")
        equal(answer.candidates[0].finish_reason, types.FinishReason.STOP, "finish reason")

    def tools_round_trip(self, upstream):
        contents = [types.Content(role="user", parts=[types.Part(text=prompt(new_mark()))])]
        answer = self.ask(upstream.model, contents, tools=self.tools)
        for call in answer.function_calls:
            equal((call.name, call.args), (TOOL_NAME, TOOL_ARGUMENTS), "call")
        equal(len(answer.function_calls), 2, "calls")
        results = [
            types.Part(function_response=types.FunctionResponse(id=c.id, name=c.name, response={"sky": "clear"})) for c in answer.function_calls
        ]
        contents = contents + [answer.candidates[0].content, types.Content(role="user", parts=results)]
        equal(self.ask(upstream.model, contents, tools=self.tools).text, self.suite.text, "text after the tools")

    def structured(self, upstream):
        answer = self.ask(upstream.model, prompt(new_mark()), response_mime_type="application/json", response_schema=Train)
        equal(answer.parsed.model_dump(), OUTPUT, "parsed answer")

    def image(self, upstream):
        mark = new_mark()
        picture = types.Part.from_bytes(data=self.suite.image_bytes, mime_type="image/png")
        equal(self.ask(upstream.model, [picture, prompt(mark)]).text, self.suite.text, "text")
        self.suite.saw_image(mark)

    def unknown_model(self, upstream):
        with raises(errors.ClientError, 404, "NOT_FOUND", "no-such-model"):
            self.ask("no-such-model", prompt(new_mark()))

    def busy(self, upstream):
        with raises(errors.ClientError, 429, "RESOURCE_EXHAUSTED", self.suite.plan["busy"]):
            self.ask(upstream.busy, prompt(new_mark()))

    def cancel(self, upstream):
        def start(mark):
            stream = self.client.models.generate_content_stream(model=upstream.stall, contents=prompt(mark))
            for chunk in stream:
                if chunk.text:
                    break
            stream.close()
        self.suite.cancelled(start)

    def count_tokens(self, upstream):
        counted = self.client.models.count_tokens(model=upstream.model, contents=prompt(new_mark()))
        true(counted.total_tokens > 5, f"{counted.total_tokens} tokens")

    def models(self, upstream):
        names = [m.name for m in self.client.models.list()]
        true("models/" + upstream.model in names, f"models/{upstream.model} is not among {names}")
        equal(self.client.models.get(model=upstream.model).name, "models/" + upstream.model, "model by its name")


def main():
    generate = Generate()
    generate.suite.run({
        "plain": generate.plain, "streamed": generate.streamed, "tools": generate.tools_round_trip, "structured": generate.structured,
        "image": generate.image, "unknown-model": generate.unknown_model, "busy": generate.busy, "cancel": generate.cancel,
        "stop": generate.stop, "count-tokens": generate.count_tokens, "models": generate.models,
    })
    Money().run()


main()
