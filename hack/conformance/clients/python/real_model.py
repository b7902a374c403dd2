"""A real model, which says nothing sensible: what counts are the formats and the tokens. Each check returns the tokens that it was told."""

import anthropic
import openai

from suite import Suite, equal, true

PROMPT = "The signal box at Löbau"
LIMIT = 24


class Checks:
    """One surface; the model that is asked for has the name of surface and check."""

    def __init__(self, surface):
        self.suite = Suite("llama.cpp", surface)
        self.surface = surface
        self.openai = openai.OpenAI(base_url=self.suite.bases["openai"], api_key=self.suite.key, max_retries=0, timeout=120)
        self.anthropic = anthropic.Anthropic(base_url=self.suite.bases["anthropic"], api_key=self.suite.key, max_retries=0, timeout=120)

    def model(self, check):
        return f"{self.surface}-{check}"

    def chat_plain(self, upstream):
        answer = self.openai.chat.completions.create(
            model=self.model("plain"), messages=[{"role": "user", "content": PROMPT}], max_completion_tokens=LIMIT,
        )
        true(answer.choices[0].message.content, "there is no text")
        true(answer.choices[0].finish_reason in ("stop", "length"), f"finish reason {answer.choices[0].finish_reason}")
        return answer.usage.prompt_tokens, answer.usage.completion_tokens

    def chat_streamed(self, upstream):
        usage, pieces = None, 0
        stream = self.openai.chat.completions.create(
            model=self.model("streamed"), messages=[{"role": "user", "content": PROMPT}], max_completion_tokens=LIMIT, stream=True,
            stream_options={"include_usage": True},
        )
        for chunk in stream:
            usage = chunk.usage or usage
            pieces += bool(chunk.choices and chunk.choices[0].delta.content)
        true(pieces > 1, f"the text came in {pieces} pieces")
        return usage.prompt_tokens, usage.completion_tokens

    def responses_plain(self, upstream):
        answer = self.openai.responses.create(model=self.model("plain"), input=PROMPT, max_output_tokens=LIMIT, store=False)
        true(answer.output_text, "there is no text")
        return answer.usage.input_tokens, answer.usage.output_tokens

    def responses_streamed(self, upstream):
        events = list(self.openai.responses.create(model=self.model("streamed"), input=PROMPT, max_output_tokens=LIMIT, store=False, stream=True))
        true(len([e for e in events if e.type == "response.output_text.delta"]) > 1, "the text came in one piece")
        true(events[-1].type in ("response.completed", "response.incomplete"), f"the last event is {events[-1].type}")
        usage = events[-1].response.usage
        return usage.input_tokens, usage.output_tokens

    def messages_plain(self, upstream):
        answer = self.anthropic.messages.create(model=self.model("plain"), max_tokens=LIMIT, messages=[{"role": "user", "content": PROMPT}])
        true(answer.content[0].text, "there is no text")
        return self.told(answer.usage)

    def messages_streamed(self, upstream):
        with self.anthropic.messages.stream(
            model=self.model("streamed"), max_tokens=LIMIT, messages=[{"role": "user", "content": PROMPT}],
        ) as stream:
            pieces = len(list(stream.text_stream))
            answer = stream.get_final_message()
        true(pieces > 1, f"the text came in {pieces} pieces")
        return self.told(answer.usage)

    def told(self, usage):
        """Anthropic counts the tokens that the cache took or gave outside of input_tokens."""
        return usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0), usage.output_tokens

    def embeddings_plain(self, upstream):
        answer = self.openai.embeddings.create(model=self.model("plain"), input=[PROMPT, "a level crossing"], encoding_format="float")
        equal(len(answer.data), 2, "vectors")
        true(len(answer.data[0].embedding) > 100, "the vector is short")
        return answer.usage.prompt_tokens, 0


def main():
    for surface in ("chat", "responses", "responses-native", "messages", "messages-native"):
        checks = Checks(surface)
        kind = surface.partition("-")[0]
        checks.suite.run({"plain": getattr(checks, kind + "_plain"), "streamed": getattr(checks, kind + "_streamed")})
    embeddings = Checks("embeddings")
    embeddings.suite.run({"plain": embeddings.embeddings_plain})


main()
