"""langchain-groq: ChatGroq."""

import groq
from langchain_groq import ChatGroq

from langchain_checks import Checks
from suite import Suite


class Groq(Checks):
    """ChatGroq, which is pointed elsewhere by base_url, without a path."""

    not_found, rate_limit = groq.NotFoundError, groq.RateLimitError

    def __init__(self):
        super().__init__(Suite("langchain-groq", "chat"))

    def model(self, name, **options):
        return ChatGroq(model=name, base_url=self.suite.bases["groq"], api_key=self.suite.key, max_retries=0, **options)


Groq().run()
