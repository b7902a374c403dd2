// @anthropic-ai/sdk: messages, count_tokens and models.
import Anthropic from '@anthropic-ai/sdk';

import { brokeTag, costs, imageURL, limited, outputLimit, richTag, spentWords, unsent } from './money.mjs';
import { Watch, served, stalls, standing } from './routing.mjs';
import { Suite, assert, expectCall, newMark, output, outputSchema, prompt, raises, toolDescription, toolName, toolResult, toolSchema } from './suite.mjs';

const suite = new Suite('anthropic-ts', 'messages');
const client = new Anthropic({ baseURL: suite.bases.anthropic, apiKey: suite.key, maxRetries: 0 });
const tools = [{ name: toolName, description: toolDescription, input_schema: toolSchema }];
const user = (mark) => [{ role: 'user', content: prompt(mark) }];
const ask = (model, mark, more) => client.messages.create({ model, max_tokens: 200, messages: user(mark), ...more });
const textOf = (answer) => answer.content.filter((b) => b.type === 'text').map((b) => b.text).join('');
// Anthropic counts the tokens that the cache took or gave outside of input_tokens.
const usage = (mark, u) => suite.usage(mark, u.input_tokens + (u.cache_read_input_tokens ?? 0) + (u.cache_creation_input_tokens ?? 0), u.output_tokens);

async function finish(model, messages, answer) {
  assert.equal(answer.stop_reason, 'tool_use');
  const calls = answer.content.filter((b) => b.type === 'tool_use');
  assert.equal(new Set(calls.map((c) => c.id)).size, 2, 'ids of calls');
  for (const c of calls) expectCall(c.name, c.input);
  const results = calls.map((c) => ({ type: 'tool_result', tool_use_id: c.id, content: toolResult }));
  const next = [...messages, { role: 'assistant', content: answer.content }, { role: 'user', content: results }];
  assert.equal(textOf(await client.messages.create({ model, max_tokens: 200, messages: next, tools })), suite.text);
}

await suite.run({
  plain: async (models) => {
    const mark = newMark();
    const answer = await ask(models.chat, mark, { system: 'Be brief.' });
    assert.deepEqual([textOf(answer), answer.stop_reason], [suite.text, 'end_turn']);
    await usage(mark, answer.usage);
  },
  streamed: async (models) => {
    const mark = newMark();
    let pieces = 0;
    const stream = client.messages.stream({ model: models.chat, max_tokens: 200, messages: user(mark) }).on('text', () => pieces++);
    const answer = await stream.finalMessage();
    assert.deepEqual([textOf(answer), answer.stop_reason], [suite.text, 'end_turn']);
    assert.ok(pieces > 3, `the text came in ${pieces} pieces`);
    await usage(mark, answer.usage);
  },
  tools: async (models) => {
    const messages = user(newMark());
    await finish(models.chat, messages, await client.messages.create({ model: models.chat, max_tokens: 200, messages, tools }));
  },
  'tools-streamed': async (models) => {
    const messages = user(newMark());
    await finish(models.chat, messages, await client.messages.stream({ model: models.chat, max_tokens: 200, messages, tools }).finalMessage());
  },
  structured: async (models) => {
    const answer = await ask(models.chat, newMark(), { output_config: { format: { type: 'json_schema', schema: outputSchema } } });
    assert.deepEqual(JSON.parse(textOf(answer)), output);
  },
  image: async (models) => {
    const mark = newMark();
    const content = [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: suite.image } }, { type: 'text', text: prompt(mark) }];
    const answer = await client.messages.create({ model: models.chat, max_tokens: 200, messages: [{ role: 'user', content }] });
    assert.equal(textOf(answer), suite.text);
    await suite.sawImage(mark);
  },
  'unknown-model': () => raises(Anthropic.NotFoundError, 404, ['not_found_error', 'no-such-model'], () => ask('no-such-model', newMark())),
  busy: (models) => raises(Anthropic.RateLimitError, 429, ['rate_limit_error', suite.plan.busy], () => ask(models.busy, newMark())),
  'broken-stream': (models) => raises(Anthropic.APIError, null, [suite.plan.broken], () =>
    client.messages.stream({ model: models.broken, max_tokens: 200, messages: user(newMark()) }).finalMessage()),
  cancel: (models) => suite.cancelled(async (mark) => {
    for await (const event of await ask(models.stall, mark, { stream: true })) {
      if (event.type === 'content_block_delta') break;
    }
  }),
  'count-tokens': async (models) => {
    const counted = await client.messages.countTokens({ model: models.chat, messages: user(newMark()) });
    assert.ok(counted.input_tokens > 5, `${counted.input_tokens} tokens`);
  },
  models: async (models) => {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    assert.ok(ids.includes(models.chat), `${models.chat} is not among ${ids}`);
    assert.equal((await client.models.retrieve(models.chat)).type, 'model');
  },
});

const routes = new Suite('anthropic-ts', 'routing');
const answered = async (model, more, options, by = client) => {
  const { data, response } = await by.messages.create({ model, max_tokens: 200, messages: user(newMark()), ...more }, options).withResponse();
  assert.equal(textOf(data), routes.text);
  return response.headers;
};
await routes.run({
  alternatives: async (models, upstream) => {
    served(await answered(models.picky, { fallbacks: [{ model: 'no-such-model' }, { model: models.chat }] }), upstream, 'chat', 'only', 2);
  },
  fallback: async (models, upstream) => {
    served(await answered(models.fallback), upstream, 'fallback', 'spare', 2);
  },
  'limit-reached': async (models) => {
    const held = await client.messages.create({ model: models.limited, max_tokens: 200, messages: user(newMark()), stream: true, ...stalls });
    for await (const event of held) {
      if (event.type !== 'content_block_delta') continue;
      await raises(Anthropic.RateLimitError, 429, ['rate_limit_error', 'concurrent calls'], () => answered(models.limited));
      const watch = new Watch(() => held.controller.abort());
      const patient = new Anthropic({ baseURL: routes.bases.anthropic, apiKey: routes.key, maxRetries: 2, fetch: watch.fetch });
      standing(await answered(models.limited, {}, {}, patient));
      watch.honoured();
      return;
    }
    assert.fail('the stream had no beginning');
  },
});

const account = new Suite('anthropic-ts', 'money');
const pay = (model, content, more, options) => client.messages.create({ model, max_tokens: 200, messages: [{ role: 'user', content }], ...more }, options);
const exceeded = (parts, act) => raises(Anthropic.APIError, 402, ['billing_error', ...parts], act);
await account.run({
  cost: async (models, upstream) => {
    const { data: { usage: u }, response } = await pay(models.budgeted, prompt(newMark())).withResponse();
    costs(response.headers.get('x-signalbox-cost'), upstream, u.input_tokens + (u.cache_read_input_tokens ?? 0) + (u.cache_creation_input_tokens ?? 0), u.output_tokens);
  },
  'output-limit': async (models) => {
    for (const max_tokens of [200, 250, outputLimit]) {
      const mark = newMark();
      await pay(models.budgeted, prompt(mark), { max_tokens });
      await limited(account, mark, max_tokens);
    }
  },
  'budget-exceeded': async (models, upstream) => {
    for (const stream of [false, true]) {
      const mark = newMark();
      await exceeded(spentWords(upstream), () => pay(models.spent, prompt(mark), { stream }));
      await unsent(account, mark);
    }
  },
  unbounded: async (models, upstream) => {
    const mark = newMark();
    const content = [{ type: 'image', source: { type: 'url', url: imageURL } }, { type: 'text', text: prompt(mark) }];
    await raises(Anthropic.BadRequestError, 400, ['invalid_request_error', 'no upper bound', `${upstream}-unbounded`], () => pay(models.unbounded, content));
    await unsent(account, mark);
    await pay(models.unbounded, prompt(newMark()));
  },
  tags: async (models, upstream) => {
    await exceeded([`${upstream}-teams`], () => pay(models.budgeted, prompt(newMark()), {}, { headers: brokeTag }));
    await pay(models.budgeted, prompt(newMark()), {}, { headers: richTag });
  },
  'end-user': async (models, upstream) => {
    await exceeded([`${upstream}-users`], () => pay(models.budgeted, prompt(newMark()), { metadata: { user_id: 'broke' } }));
    await pay(models.budgeted, prompt(newMark()), { metadata: { user_id: 'rich' } });
  },
});
