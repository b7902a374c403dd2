// @openrouter/sdk: chat completions, Responses and models, each read by the library's own schemas.
import { HTTPClient, OpenRouter } from '@openrouter/sdk';
import * as errors from '@openrouter/sdk/models/errors';

import { brokeTag, costs, limited, limits, richTag, spentWords, unsent } from './money.mjs';
import { Watch, fellBack, stays } from './routing.mjs';
import { Suite, assert, expectCall, newMark, output, outputSchema, prompt, raises, toolDescription, toolName, toolResult, toolSchema } from './suite.mjs';

const name = 'openrouter-sdk';
const patient = { strategy: 'backoff', backoff: { initialInterval: 10, maxInterval: 60000, exponent: 1.5, maxElapsedTime: 60000 } };
const clientOf = (suite, more) => new OpenRouter({ serverURL: suite.bases.openrouter, apiKey: suite.key, retryConfig: { strategy: 'none' }, ...more });
const user = () => [{ role: 'user', content: prompt(newMark()) }];

async function chat() {
  const suite = new Suite(name, 'chat');
  const client = clientOf(suite);
  const tools = [{ type: 'function', function: { name: toolName, description: toolDescription, parameters: toolSchema } }];
  const send = (chatRequest) => client.chat.send({ chatRequest });
  const ask = (model, mark, more) => send({ model, messages: [{ role: 'user', content: prompt(mark) }], ...more });

  async function finish(model, messages, calls) {
    assert.equal(new Set(calls.map((c) => c.id)).size, 2, 'ids of calls');
    for (const c of calls) expectCall(c.function.name, c.function.arguments);
    const results = calls.map((c) => ({ role: 'tool', toolCallId: c.id, content: toolResult }));
    const answer = await send({ model, messages: [...messages, { role: 'assistant', toolCalls: calls }, ...results], tools });
    assert.equal(answer.choices[0].message.content, suite.text);
  }

  await suite.run({
    plain: async (models) => {
      const mark = newMark();
      const answer = await ask(models.chat, mark, { maxCompletionTokens: 200 });
      assert.deepEqual([answer.choices[0].message.content, answer.choices[0].finishReason], [suite.text, 'stop']);
      await suite.usage(mark, answer.usage.promptTokens, answer.usage.completionTokens);
    },
    streamed: async (models) => {
      const mark = newMark();
      let [text, usage] = [''];
      for await (const chunk of await ask(models.chat, mark, { stream: true })) {
        text += chunk.choices[0]?.delta.content ?? '';
        usage = chunk.usage ?? usage;
      }
      assert.equal(text, suite.text);
      await suite.usage(mark, usage.promptTokens, usage.completionTokens);
    },
    tools: async (models) => {
      const messages = user();
      const { choices } = await send({ model: models.chat, messages, tools });
      await finish(models.chat, messages, choices[0].message.toolCalls);
    },
    'tools-streamed': async (models) => {
      const messages = user();
      const calls = [];
      for await (const chunk of await send({ model: models.chat, messages, tools, stream: true })) {
        for (const piece of chunk.choices[0]?.delta.toolCalls ?? []) {
          calls[piece.index] ??= { id: piece.id, type: 'function', function: { name: piece.function.name, arguments: '' } };
          calls[piece.index].function.arguments += piece.function.arguments ?? '';
        }
      }
      await finish(models.chat, messages, calls);
    },
    structured: async (models) => {
      const answer = await ask(models.chat, newMark(), { responseFormat: { type: 'json_schema', jsonSchema: { name: 'train', schema: outputSchema, strict: true } } });
      assert.deepEqual(JSON.parse(answer.choices[0].message.content), output);
    },
    image: async (models) => {
      const mark = newMark();
      const content = [{ type: 'text', text: prompt(mark) }, { type: 'image_url', imageUrl: { url: suite.imageURL } }];
      assert.equal((await send({ model: models.chat, messages: [{ role: 'user', content }] })).choices[0].message.content, suite.text);
      await suite.sawImage(mark);
    },
    'unknown-model': () => raises(errors.NotFoundResponseError, 404, ['no-such-model'], () => ask('no-such-model', newMark())),
    busy: (models) => raises(errors.TooManyRequestsResponseError, 429, [suite.plan.busy], () => ask(models.busy, newMark())),
    'broken-stream': async (models) => {
      let problem = '';
      for await (const chunk of await ask(models.broken, newMark(), { stream: true })) problem = chunk.error?.message ?? problem;
      assert.ok(problem.includes(suite.plan.broken), `the provider's words are not in: ${problem}`);
    },
    cancel: (models) => suite.cancelled(async (mark) => {
      for await (const chunk of await ask(models.stall, mark, { stream: true })) {
        if (chunk.choices[0]?.delta.content) break;
      }
    }),
  });
}

async function models() {
  const suite = new Suite(name, 'models');
  await suite.run({
    list: async ({ chat: wanted }) => {
      const ids = [];
      for await (const page of await clientOf(suite).models.list()) ids.push(...page.result.data.map((m) => m.id));
      assert.ok(ids.includes(wanted), `${wanted} is not among ${ids}`);
    },
  });
}

async function responses() {
  const suite = new Suite(name, 'responses');
  const client = clientOf(suite);
  await suite.run({
    plain: async (models) => {
      const mark = newMark();
      const answer = await client.responses.send({ responsesRequest: { model: models.chat, input: prompt(mark) } });
      assert.equal(answer.output.flatMap((item) => item.content ?? []).map((part) => part.text ?? '').join(''), suite.text);
      await suite.usage(mark, answer.usage.inputTokens, answer.usage.outputTokens);
    },
    streamed: async (models) => {
      let [text, last] = [''];
      for await (const event of await client.responses.send({ responsesRequest: { model: models.chat, input: prompt(newMark()), stream: true } })) {
        if (event.type === 'response.output_text.delta') text += event.delta;
        last = event;
      }
      assert.deepEqual([text, last.type], [suite.text, 'response.completed']);
    },
  });
}

async function routing() {
  const suite = new Suite(name, 'routing');
  const send = (chatRequest, client = clientOf(suite)) => client.chat.send({ xOpenRouterMetadata: 'enabled', chatRequest: { messages: user(), ...chatRequest } });
  // What the metadata block of a right answer says.
  const answered = async (request, client) => {
    const answer = await send(request, client);
    assert.equal(answer.choices[0].message.content, suite.text);
    return answer.openrouterMetadata;
  };
  const statuses = (told) => told.attempts.map((a) => a.status);
  // The targets of the route "priced" are told apart by what an answer costs.
  const price = async (request) => (await send(request)).usage.cost;

  await suite.run({
    alternatives: async (models) => {
      for (const request of [{ model: models.picky, models: [models.chat] }, { models: ['no-such-model', models.picky, models.chat] }, { model: `${models.picky},${models.chat}` }]) {
        const told = await answered(request);
        assert.deepEqual([statuses(told), told.strategy], [[400, 200], 'fallback']);
      }
    },
    fallback: async (models) => fellBack(await answered({ model: models.fallback }), models),
    variants: async (models) => {
      assert.ok(await price({ model: `${models.priced}:floor` }) < await price({ model: models.chat }), 'the cheap target costs less');
    },
    preferences: async (models) => {
      const dear = await price({ model: models.priced, provider: { only: ['dear'] } });
      const all = [{ only: ['cheap'] }, { ignore: ['dear'] }, { order: ['cheap', 'dear'], allowFallbacks: false }, { sort: 'price' }, { sort: { by: 'price', partition: 'none' } }, { maxPrice: { prompt: '1.5', completion: '2' } }];
      for (const provider of all) assert.ok(await price({ model: models.priced, provider }) < dear, `${JSON.stringify(provider)} does not lead to the cheap target`);
    },
    session: async (models) => {
      let target;
      const httpClient = new HTTPClient().addHook('response', (answer) => { target = answer.headers.get('x-signalbox-target'); });
      const client = clientOf(suite, { httpClient });
      await stays(async (sessionId) => {
        await answered({ model: models.session, sessionId }, client);
        return target;
      });
    },
    metadata: async (models) => {
      const told = [];
      for await (const chunk of await send({ model: models.fallback, stream: true })) if (chunk.openrouterMetadata) told.push(chunk.openrouterMetadata);
      assert.equal(told.length, 1, 'chunks with metadata');
      fellBack(told[0], models);
    },
    'limit-reached': async (models) => {
      // The stream is let go by cancelling it: the library hands an abort signal over inside a Request, and Node forgets it there with the next garbage collection.
      const held = await clientOf(suite).chat.send({ chatRequest: { model: models.limited, messages: user(), provider: { only: ['stalls'] }, stream: true } });
      const pieces = held[Symbol.asyncIterator]();
      while (!(await pieces.next()).value.choices[0]?.delta.content);
      await raises(errors.TooManyRequestsResponseError, 429, ['rate_limit_exceeded', 'concurrent calls'], () => send({ model: models.limited }));
      const watch = new Watch(() => pieces.return());
      const client = clientOf(suite, { httpClient: new HTTPClient({ fetcher: watch.fetch }), retryConfig: patient });
      await client.chat.send({ chatRequest: { model: models.limited, messages: user() } }, { retryCodes: ['429'] });
      watch.honoured();
    },
    // The library itself refuses to send members that it does not know, so this one has a value that nobody has.
    'unknown-preference': (models) => raises(errors.BadRequestResponseError, 400, ['provider.sort'], () => send({ model: models.chat, provider: { sort: 'colour' } })),
    'no-target': async (models) => {
      await raises(errors.ServiceUnavailableResponseError, 503, ['no_eligible_target', '"targets":[{"target":"open","reason":'], () => send({ model: models.closed }));
    },
  });
}

// What the account of this client may spend, in US dollars.
const allowance = 1000;

async function money() {
  const suite = new Suite(name, 'money');
  const client = clientOf(suite);
  const ask = (model, mark, more, options) => client.chat.send({ chatRequest: { model, messages: [{ role: 'user', content: prompt(mark) }], ...more } }, options);
  const exceeded = (parts, act) => raises(errors.PaymentRequiredResponseError, 402, parts, act);
  // What a stream tells of itself: its usage, the id of its chunks, and that of its header.
  async function streamed(model) {
    let header;
    const httpClient = new HTTPClient().addHook('response', (answer) => { header = answer.headers.get('x-generation-id'); });
    let told;
    for await (const chunk of await clientOf(suite, { httpClient }).chat.send({ chatRequest: { model, messages: user(), stream: true } })) {
      if (chunk.usage) told = { id: chunk.id, ...chunk.usage };
    }
    return { header, ...told };
  }
  const credits = async () => (await client.credits.getCredits()).data;

  await suite.run({
    // A stream, known as soon as it has ended by the id that its header has.
    generation: async (models) => {
      const told = await streamed(models.budgeted);
      const { data } = await client.generations.getGeneration({ id: told.header });
      assert.deepEqual([data.id, data.model, data.streamed, data.cancelled], [told.header, models.budgeted, true, false]);
      assert.deepEqual([data.totalCost, data.usage, data.tokensPrompt, data.tokensCompletion], [told.cost, told.cost, told.promptTokens, told.completionTokens]);
      assert.deepEqual(data.providerResponses.map((r) => r.status), [200], 'attempts');
      await raises(errors.NotFoundResponseError, 404, ['no call of yours'], () => client.generations.getGeneration({ id: 'gen-never' }));
    },
    // The same by the id of the answer itself.
    'generation-of-answer': async (models) => {
      const told = await streamed(models.budgeted);
      assert.equal((await client.generations.getGeneration({ id: told.id })).data.totalCost, told.cost);
    },
    // Credits and key stand for the budget that counts this client, so a call is seen in both.
    key: async (models) => {
      const before = await credits();
      const { usage } = await ask(models.budgeted, newMark());
      const [after, { data: key }] = [await credits(), await client.apiKeys.getCurrentKeyMetadata()];
      assert.deepEqual([before.totalCredits, key.limit, key.limitReset], [allowance, allowance, null]);
      assert.ok(Math.abs(after.totalUsage - before.totalUsage - usage.cost) < 1e-9, `${usage.cost} is not what lies between ${before.totalUsage} and ${after.totalUsage}`);
      assert.ok(Math.abs(key.usage + key.limitRemaining - allowance) < 1e-9 && key.usage === after.totalUsage, `used ${key.usage}, left ${key.limitRemaining}`);
      assert.ok(key.usageDaily > 0 && key.usageDaily <= key.usage && key.label.includes(name), `used today ${key.usageDaily} by ${key.label}`);
    },
    activity: async (models) => {
      const rows = async () => (await client.analytics.getUserActivity()).data.filter((row) => row.model === models.budgeted);
      const sum = (all, what) => all.reduce((total, row) => total + row[what], 0);
      const before = await rows();
      const { usage } = await ask(models.budgeted, newMark());
      const after = await rows();
      assert.equal(sum(after, 'requests'), sum(before, 'requests') + 1, 'requests');
      assert.equal(sum(after, 'promptTokens'), sum(before, 'promptTokens') + usage.promptTokens, 'tokens of prompts');
      assert.ok(Math.abs(sum(after, 'usage') - sum(before, 'usage') - usage.cost) < 1e-9, 'cost');
    },
    cost: async (models, upstream) => {
      let header;
      const httpClient = new HTTPClient().addHook('response', (answer) => { header = answer.headers.get('x-signalbox-cost'); });
      const { usage } = await clientOf(suite, { httpClient }).chat.send({ chatRequest: { model: models.budgeted, messages: user() } });
      costs(header, upstream, usage.promptTokens, usage.completionTokens);
      assert.equal(usage.cost, Number(header), 'cost in the usage');
    },
    'output-limit': async (models) => {
      for (const [asked, sent] of limits) {
        const mark = newMark();
        await ask(models.budgeted, mark, { maxCompletionTokens: asked });
        await limited(suite, mark, sent);
      }
    },
    'budget-exceeded': async (models, upstream) => {
      for (const stream of [false, true]) {
        const mark = newMark();
        await exceeded(spentWords(upstream), () => ask(models.spent, mark, { stream }));
        await unsent(suite, mark);
      }
    },
    unbounded: async (models, upstream) => {
      await raises(errors.BadRequestResponseError, 400, ['no upper bound', `${upstream}-unbounded`], () => ask(models.unbounded, newMark()));
      await ask(models.unbounded, newMark(), { maxCompletionTokens: 200 });
    },
    tags: async (models, upstream) => {
      const asked = [[{}, { headers: brokeTag }], [{ metadata: { team: 'broke' } }], [{ trace: { additionalProperties: { team: 'broke' } } }]];
      for (const request of asked) await exceeded([`${upstream}-teams`], () => ask(models.budgeted, newMark(), ...request));
      const served = [[{}, { headers: richTag }], [{ metadata: { team: 'rich' } }], [{ trace: { additionalProperties: { team: 'rich' } } }]];
      for (const request of served) await ask(models.budgeted, newMark(), ...request);
    },
    'end-user': async (models, upstream) => {
      await exceeded([`${upstream}-users`], () => ask(models.budgeted, newMark(), { user: 'broke' }));
      await ask(models.budgeted, newMark(), { user: 'rich' });
    },
  });
}

await chat();
await models();
await responses();
await routing();
await money();
