// openai for Node.js: chat completions, Responses, embeddings and models.
import OpenAI from 'openai';
import { zodResponseFormat, zodTextFormat } from 'openai/helpers/zod';
import { z } from 'zod';

import { fileCallers } from './callers.mjs';
import { chatMoney } from './money.mjs';
import { chatRouting } from './routing.mjs';
import { Suite, assert, expectCall, newMark, output, prompt, raises, toolDescription, toolName, toolResult, toolSchema } from './suite.mjs';

const Train = z.object({ name: z.string(), cars: z.number().int(), late: z.boolean() });

async function chat() {
  const suite = new Suite('openai-node', 'chat');
  const client = new OpenAI({ baseURL: suite.bases.openai, apiKey: suite.key, maxRetries: 0 });
  const tools = [{ type: 'function', function: { name: toolName, description: toolDescription, parameters: toolSchema } }];
  const user = (mark) => [{ role: 'user', content: prompt(mark) }];
  const ask = (model, mark, more, options) => client.chat.completions.create({ model, messages: user(mark), ...more }, options);

  async function finish(model, messages, message) {
    assert.equal(new Set(message.tool_calls.map((c) => c.id)).size, 2, 'ids of calls');
    for (const c of message.tool_calls) expectCall(c.function.name, c.function.arguments);
    const results = message.tool_calls.map((c) => ({ role: 'tool', tool_call_id: c.id, content: toolResult }));
    const answer = await client.chat.completions.create({ model, messages: [...messages, message, ...results], tools });
    assert.equal(answer.choices[0].message.content, suite.text);
  }

  await suite.run({
    plain: async (models) => {
      const mark = newMark();
      const answer = await ask(models.chat, mark, { max_completion_tokens: 200, temperature: 0.5 });
      assert.deepEqual([answer.choices[0].message.content, answer.choices[0].finish_reason], [suite.text, 'stop']);
      await suite.usage(mark, answer.usage.prompt_tokens, answer.usage.completion_tokens);
    },
    streamed: async (models) => {
      const mark = newMark();
      let text = '';
      let pieces = 0;
      let usage;
      for await (const chunk of await ask(models.chat, mark, { stream: true, stream_options: { include_usage: true } })) {
        const piece = chunk.choices[0]?.delta?.content ?? '';
        text += piece;
        if (piece) pieces++;
        usage = chunk.usage ?? usage;
      }
      assert.equal(text, suite.text);
      assert.ok(pieces > 3, `the text came in ${pieces} pieces`);
      await suite.usage(mark, usage.prompt_tokens, usage.completion_tokens);
    },
    tools: async (models) => {
      const messages = user(newMark());
      const answer = await client.chat.completions.create({ model: models.chat, messages, tools });
      assert.equal(answer.choices[0].finish_reason, 'tool_calls');
      await finish(models.chat, messages, answer.choices[0].message);
    },
    'tools-streamed': async (models) => {
      const messages = user(newMark());
      const stream = client.chat.completions.stream({ model: models.chat, messages, tools });
      const { role, content, tool_calls: calls } = (await stream.finalChatCompletion()).choices[0].message;
      const plain = calls.map(({ id, type, function: f }) => ({ id, type, function: { name: f.name, arguments: f.arguments } }));
      await finish(models.chat, messages, { role, content, tool_calls: plain });
    },
    structured: async (models) => {
      const answer = await client.chat.completions.parse({ model: models.chat, messages: user(newMark()), response_format: zodResponseFormat(Train, 'train') });
      assert.deepEqual(answer.choices[0].message.parsed, output);
    },
    image: async (models) => {
      const mark = newMark();
      const content = [{ type: 'text', text: prompt(mark) }, { type: 'image_url', image_url: { url: suite.imageURL } }];
      const answer = await client.chat.completions.create({ model: models.chat, messages: [{ role: 'user', content }] });
      assert.equal(answer.choices[0].message.content, suite.text);
      await suite.sawImage(mark);
    },
    'unknown-model': () => raises(OpenAI.NotFoundError, 404, ['no-such-model'], () => ask('no-such-model', newMark())),
    busy: (models) => raises(OpenAI.RateLimitError, 429, [suite.plan.busy], () => ask(models.busy, newMark())),
    'broken-stream': (models) => raises(OpenAI.APIError, null, [suite.plan.broken], async () => {
      for await (const chunk of await ask(models.broken, newMark(), { stream: true })) assert.ok(chunk.choices);
    }),
    cancel: (models) => suite.cancelled(async (mark) => {
      for await (const chunk of await ask(models.stall, mark, { stream: true })) {
        if (chunk.choices[0]?.delta?.content) break;
      }
    }),
    models: async (models) => {
      const ids = [];
      for await (const model of client.models.list()) ids.push(model.id);
      assert.ok(ids.includes(models.chat), `${models.chat} is not among ${ids}`);
      assert.equal((await client.models.retrieve(models.chat)).id, models.chat);
    },
  });
}

async function responses() {
  const suite = new Suite('openai-node', 'responses');
  const client = new OpenAI({ baseURL: suite.bases.openai, apiKey: suite.key, maxRetries: 0 });
  const tools = [{ type: 'function', name: toolName, description: toolDescription, parameters: toolSchema, strict: true }];
  const ask = (model, mark, more) => client.responses.create({ model, input: prompt(mark), store: false, ...more });

  async function finish(model, input, answer) {
    const calls = answer.output.filter((item) => item.type === 'function_call');
    assert.equal(new Set(calls.map((c) => c.call_id)).size, 2, 'ids of calls');
    for (const c of calls) expectCall(c.name, c.arguments);
    const items = answer.output.map(({ parsed_arguments: _, ...item }) => item);
    const results = calls.map((c) => ({ type: 'function_call_output', call_id: c.call_id, output: toolResult }));
    const next = await client.responses.create({ model, input: [...input, ...items, ...results], tools, store: false });
    assert.equal(next.output_text, suite.text);
  }

  await suite.run({
    plain: async (models) => {
      const mark = newMark();
      const answer = await ask(models.chat, mark, { instructions: 'Be brief.', max_output_tokens: 200 });
      assert.deepEqual([answer.output_text, answer.status], [suite.text, 'completed']);
      await suite.usage(mark, answer.usage.input_tokens, answer.usage.output_tokens);
    },
    streamed: async (models) => {
      const mark = newMark();
      const stream = client.responses.stream({ model: models.chat, input: prompt(mark), store: false });
      let pieces = 0;
      let number = 0;
      for await (const event of stream) {
        assert.equal(event.sequence_number, number++, 'sequence number');
        if (event.type === 'response.output_text.delta') pieces++;
      }
      const answer = await stream.finalResponse();
      assert.equal(answer.output_text, suite.text);
      assert.ok(pieces > 3, `the text came in ${pieces} pieces`);
      await suite.usage(mark, answer.usage.input_tokens, answer.usage.output_tokens);
    },
    tools: async (models) => {
      const input = [{ role: 'user', content: prompt(newMark()) }];
      await finish(models.chat, input, await client.responses.create({ model: models.chat, input, tools, store: false }));
    },
    'tools-streamed': async (models) => {
      const input = [{ role: 'user', content: prompt(newMark()) }];
      await finish(models.chat, input, await client.responses.stream({ model: models.chat, input, tools, store: false }).finalResponse());
    },
    structured: async (models) => {
      const answer = await client.responses.parse({ model: models.chat, input: prompt(newMark()), text: { format: zodTextFormat(Train, 'train') }, store: false });
      assert.deepEqual(answer.output_parsed, output);
    },
    image: async (models) => {
      const mark = newMark();
      const content = [{ type: 'input_text', text: prompt(mark) }, { type: 'input_image', image_url: suite.imageURL, detail: 'auto' }];
      const answer = await client.responses.create({ model: models.chat, input: [{ role: 'user', content }], store: false });
      assert.equal(answer.output_text, suite.text);
      await suite.sawImage(mark);
    },
    'unknown-model': () => raises(OpenAI.NotFoundError, 404, ['no-such-model'], () => ask('no-such-model', newMark())),
    busy: (models) => raises(OpenAI.RateLimitError, 429, [suite.plan.busy], () => ask(models.busy, newMark())),
    cancel: (models) => suite.cancelled(async (mark) => {
      for await (const event of await ask(models.stall, mark, { stream: true })) {
        if (event.type === 'response.output_text.delta') break;
      }
    }),
  });
}

async function embeddings() {
  const suite = new Suite('openai-node', 'embeddings');
  const client = new OpenAI({ baseURL: suite.bases.openai, apiKey: suite.key, maxRetries: 0 });
  await suite.run({
    plain: async (models) => {
      const mark = newMark();
      const answer = await client.embeddings.create({ model: models.embedding, input: ['a signal box ' + mark, 'a level crossing'] });
      assert.equal(answer.data.length, 2);
      assert.ok(answer.data[0].embedding.length > 8 && Math.abs(Math.hypot(...answer.data[0].embedding) - 1) < 0.01, 'vector of length one');
    },
  });
}

async function routing() {
  const suite = new Suite('openai-node', 'routing');
  const clientOf = (more) => new OpenAI({ baseURL: suite.bases.openai, apiKey: suite.key, ...more });
  await suite.run(chatRouting(suite, OpenAI, clientOf));
}

async function money() {
  const suite = new Suite('openai-node', 'money');
  await suite.run(chatMoney(suite, OpenAI, new OpenAI({ baseURL: suite.bases.openai, apiKey: suite.key, maxRetries: 0 })));
}

async function callers() {
  const suite = new Suite('openai-node', 'callers');
  await fileCallers(suite, OpenAI, (apiKey) => new OpenAI({ baseURL: suite.bases.openai, apiKey }));
}

await chat();
await responses();
await embeddings();
await routing();
await money();
await callers();
