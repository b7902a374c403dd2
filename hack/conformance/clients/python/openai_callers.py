"""openai: a token file that changes while the client runs, which is read as docs/clients.md says."""

import asyncio
import os
import pathlib
import tempfile

import openai

from routing import refused
from suite import Suite, equal, new_mark, prompt


class Callers:
    """chat.completions with keys out of a file. The route "renewed" admits the renewed key alone."""

    def __init__(self):
        self.suite = Suite("openai-python", "callers")
        self.folder = tempfile.TemporaryDirectory()
        self.token = pathlib.Path(self.folder.name) / "token"

    def holds(self, key):
        """Puts the key into the place of the one before, as the kubelet does: nobody sees half a file."""
        fresh = self.token.with_suffix(".new")
        fresh.write_text(key + "\n")
        os.replace(fresh, self.token)

    def client(self):
        return openai.OpenAI(base_url=self.suite.bases["openai"], api_key=lambda: self.token.read_text().strip())

    @staticmethod
    def question(model):
        return {"model": model, "messages": [{"role": "user", "content": prompt(new_mark())}]}

    def text(self, client, model):
        return client.chat.completions.create(**self.question(model)).choices[0].message.content

    def streamed_text(self, client, model):
        chunks = client.chat.completions.create(stream=True, **self.question(model))
        return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)

    def renews(self, upstream, text):
        """The same client calls with the first key, and with the next one once the file holds that."""
        self.holds(self.suite.key)
        client = self.client()
        equal(text(client, upstream.model), self.suite.text, "text before the change")
        refused(openai.PermissionDeniedError, 403, lambda: text(client, upstream.models["renewed"]), "access_denied")
        self.holds(self.suite.plan["renewedKey"])
        for _ in range(2):
            equal(text(client, upstream.models["renewed"]), self.suite.text, "text after the change")

    def renewed(self, upstream):
        self.renews(upstream, self.text)

    def renewed_streamed(self, upstream):
        self.renews(upstream, self.streamed_text)

    def renewed_async(self, upstream):
        """AsyncOpenAI takes an async function."""
        async def read():
            return self.token.read_text().strip()

        async def ask(client, model):
            return (await client.chat.completions.create(**self.question(model))).choices[0].message.content

        async def calls():
            async with openai.AsyncOpenAI(base_url=self.suite.bases["openai"], api_key=read) as client:
                self.holds(self.suite.key)
                equal(await ask(client, upstream.model), self.suite.text, "text before the change")
                self.holds(self.suite.plan["renewedKey"])
                equal(await ask(client, upstream.models["renewed"]), self.suite.text, "text after the change")

        asyncio.run(calls())

    def revoked(self, upstream):
        """A key that is no longer one is refused; the same client goes on once the file holds another."""
        self.holds(self.suite.plan["revokedKey"])
        client = self.client()
        refused(openai.AuthenticationError, 401, lambda: self.text(client, upstream.model), "invalid_credentials")
        self.holds(self.suite.plan["renewedKey"])
        equal(self.text(client, upstream.models["renewed"]), self.suite.text, "text after the change")

    def run(self):
        """Makes the checks."""
        with self.folder:
            self.suite.run({
                "renewed-token": self.renewed, "renewed-token-streamed": self.renewed_streamed, "renewed-token-async": self.renewed_async,
                "revoked-token": self.revoked,
            })
