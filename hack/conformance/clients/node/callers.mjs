// A token file that changes while the client runs, which is read as docs/clients.md says. The route "renewed" admits the renewed key alone.
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { assert, newMark, prompt, raises } from './suite.mjs';

/** fileCallers makes the checks; clientOf makes a client of the function that reads the file. */
export async function fileCallers(suite, library, clientOf) {
  const folder = await mkdtemp(join(tmpdir(), 'conformance-'));
  try {
    await suite.run(checks(suite, library, clientOf, join(folder, 'token')));
  } finally {
    await rm(folder, { recursive: true });
  }
}

function checks(suite, library, clientOf, file) {
  const fromFile = () => clientOf(async () => (await readFile(file, 'utf8')).trim());
  // Puts the key into the place of the one before, as the kubelet does: nobody sees half a file.
  const holds = async (key) => {
    await writeFile(file + '.new', key + '\n');
    await rename(file + '.new', file);
  };
  const question = (model) => ({ model, messages: [{ role: 'user', content: prompt(newMark()) }] });
  const textOf = async (client, model) => (await client.chat.completions.create(question(model))).choices[0].message.content;
  const streamedTextOf = async (client, model) => {
    let text = '';
    for await (const chunk of await client.chat.completions.create({ ...question(model), stream: true })) text += chunk.choices[0]?.delta?.content ?? '';
    return text;
  };
  // The same client calls with the first key, and with the next one once the file holds that.
  const renews = async (models, ask) => {
    await holds(suite.key);
    const client = fromFile();
    assert.equal(await ask(client, models.chat), suite.text, 'text before the change');
    await raises(library.PermissionDeniedError, 403, ['access_denied'], () => ask(client, models.renewed));
    await holds(suite.plan.renewedKey);
    for (let i = 0; i < 2; i++) assert.equal(await ask(client, models.renewed), suite.text, 'text after the change');
  };
  return {
    'renewed-token': (models) => renews(models, textOf),
    'renewed-token-streamed': (models) => renews(models, streamedTextOf),
    // A key that is no longer one is refused; the same client goes on once the file holds another.
    'revoked-token': async (models) => {
      await holds(suite.plan.revokedKey);
      const client = fromFile();
      await raises(library.AuthenticationError, 401, ['invalid_credentials'], () => textOf(client, models.chat));
      await holds(suite.plan.renewedKey);
      assert.equal(await textOf(client, models.renewed), suite.text, 'text after the change');
    },
  };
}
