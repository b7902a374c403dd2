// groq-sdk: chat completions and models.
import Groq from 'groq-sdk';

import { chatRouting, only } from './routing.mjs';
import { Suite, assert, expectCall, newMark, output, outputSchema, prompt, raises, toolDescription, toolName, toolResult, toolSchema } from './suite.mjs';

const suite = new Suite('groq-ts', 'chat');
const client = new Groq({ baseURL: suite.bases.groq, apiKey: suite.key, maxRetries: 0 });
const tools = [{ type: 'function', function: { name: toolName, description: toolDescription, parameters: toolSchema } }];
const user = (mark) => [{ role: 'user', content: prompt(mark) }];
const ask = (model, mark, more) => client.chat.completions.create({ model, messages: user(mark), ...more });

await suite.run({
  plain: async (models) => {
    const mark = newMark();
    const answer = await ask(models.chat, mark, { max_completion_tokens: 200 });
    assert.deepEqual([answer.choices[0].message.content, answer.choices[0].finish_reason], [suite.text, 'stop']);
    assert.ok(answer.x_groq.id, 'x_groq has no id');
    await suite.usage(mark, answer.usage.prompt_tokens, answer.usage.completion_tokens);
  },
  streamed: async (models) => {
    const mark = newMark();
    let text = '';
    let usage;
    for await (const chunk of await ask(models.chat, mark, { stream: true })) {
      text += chunk.choices[0]?.delta?.content ?? '';
      usage = chunk.x_groq?.usage ?? usage;
    }
    assert.equal(text, suite.text);
    await suite.usage(mark, usage.prompt_tokens, usage.completion_tokens);
  },
  tools: async (models) => {
    const messages = user(newMark());
    const { message } = (await client.chat.completions.create({ model: models.chat, messages, tools })).choices[0];
    assert.equal(new Set(message.tool_calls.map((c) => c.id)).size, 2, 'ids of calls');
    for (const c of message.tool_calls) expectCall(c.function.name, c.function.arguments);
    const results = message.tool_calls.map((c) => ({ role: 'tool', tool_call_id: c.id, content: toolResult }));
    const calls = { role: 'assistant', tool_calls: message.tool_calls };
    const answer = await client.chat.completions.create({ model: models.chat, messages: [...messages, calls, ...results], tools });
    assert.equal(answer.choices[0].message.content, suite.text);
  },
  structured: async (models) => {
    const format = { type: 'json_schema', json_schema: { name: 'train', schema: outputSchema, strict: true } };
    const answer = await ask(models.chat, newMark(), { response_format: format });
    assert.deepEqual(JSON.parse(answer.choices[0].message.content), output);
  },
  image: async (models) => {
    const mark = newMark();
    const content = [{ type: 'text', text: prompt(mark) }, { type: 'image_url', image_url: { url: suite.imageURL } }];
    const answer = await client.chat.completions.create({ model: models.chat, messages: [{ role: 'user', content }] });
    assert.equal(answer.choices[0].message.content, suite.text);
    await suite.sawImage(mark);
  },
  'unknown-model': () => raises(Groq.NotFoundError, 404, ['no-such-model'], () => ask('no-such-model', newMark())),
  busy: (models) => raises(Groq.RateLimitError, 429, [suite.plan.busy], () => ask(models.busy, newMark())),
  'broken-stream': (models) => raises(Groq.APIError, null, [suite.plan.broken], async () => {
    for await (const chunk of await ask(models.broken, newMark(), { stream: true })) assert.ok(chunk.choices);
  }),
  cancel: (models) => suite.cancelled(async (mark) => {
    for await (const chunk of await ask(models.stall, mark, { stream: true })) {
      if (chunk.choices[0]?.delta?.content) break;
    }
  }),
  models: async (models) => {
    const ids = (await client.models.list()).data.map((m) => m.id);
    assert.ok(ids.includes(models.chat), `${models.chat} is not among ${ids}`);
    assert.equal((await client.models.retrieve(models.chat)).id, models.chat);
  },
});

const limits = new Suite('groq-ts', 'routing');
const clientOf = (more) => new Groq({ baseURL: limits.bases.groq, apiKey: limits.key, ...more });
await limits.run(only(chatRouting(limits, Groq, clientOf), 'limits', 'limit-reached'));
