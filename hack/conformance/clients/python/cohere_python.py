"""cohere: rerank."""

import cohere

from suite import Suite, equal, new_mark, raises, true


class Rerank:
    """v2.rerank."""

    documents = ["A signal shows whether the line is clear.", "Bread is baked in the morning.", "Points lead a train to another track."]

    def __init__(self):
        self.suite = Suite("cohere-python", "rerank")
        self.client = cohere.ClientV2(api_key=self.suite.key, base_url=self.suite.bases["cohere"], max_retries=0)

    def plain(self, upstream):
        mark = new_mark()
        answer = self.client.rerank(model=upstream.models["rerank"], query="What does a signal show? " + mark, documents=self.documents, top_n=2)
        equal(len(answer.results), 2, "results")
        scores = [r.relevance_score for r in answer.results]
        equal(scores, sorted(scores, reverse=True), "scores in order")
        true(all(0 <= r.index < 3 for r in answer.results), "an index is out of bounds")
        self.suite.record(mark)

    def unknown_model(self, upstream):
        with raises(cohere.core.api_error.ApiError, 404, "no-such-model"):
            self.client.rerank(model="no-such-model", query="What?", documents=self.documents)


def main():
    rerank = Rerank()
    rerank.suite.run({"plain": rerank.plain, "unknown-model": rerank.unknown_model})


main()
