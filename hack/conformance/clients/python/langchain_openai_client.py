"""langchain-openai: ChatOpenAI, on chat completions and on Responses."""

import openai
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from langchain_checks import Checks
from suite import Suite, equal, new_mark, true


class Chat(Checks):
    """ChatOpenAI on chat completions."""

    surface, responses = "chat", False
    not_found, rate_limit = openai.NotFoundError, openai.RateLimitError

    def __init__(self):
        super().__init__(Suite("langchain-openai", self.surface))

    def model(self, name, **options):
        return ChatOpenAI(
            model=name, base_url=self.suite.bases["openai"], api_key=self.suite.key, max_retries=0, use_responses_api=self.responses, stream_usage=True,
            **options,
        )


class Responses(Chat):
    """ChatOpenAI on Responses."""

    surface, responses = "responses", True


class Embeddings:
    """OpenAIEmbeddings, which sends lists of tokens unless it is told not to."""

    def __init__(self):
        self.suite = Suite("langchain-openai", "embeddings")

    def plain(self, upstream):
        embeddings = OpenAIEmbeddings(
            model=upstream.models["embedding"], base_url=self.suite.bases["openai"], api_key=self.suite.key, max_retries=0, check_embedding_ctx_length=False,
        )
        vectors = embeddings.embed_documents(["a signal box " + new_mark(), "a level crossing"])
        equal(len(vectors), 2, "vectors")
        true(len(vectors[0]) > 8 and len(vectors[0]) == len(vectors[1]), "vectors of one length")


Chat().run()
Responses().run()
embeddings = Embeddings()
embeddings.suite.run({"plain": embeddings.plain})
