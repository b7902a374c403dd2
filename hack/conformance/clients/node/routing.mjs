// What the checks of routing share, whatever library asks: the routes with policies, which plan/plan.go of the runner documents, and how limits are read.
import { assert, newMark, prompt, raises } from './suite.mjs';

// So many sessions are all at one side once in many thousand runs.
const sessions = 16;
// The limits of the route "limited".
const limitedRequests = '5000';
const limitedTokens = '5000000';

export const metadataHeader = { 'X-OpenRouter-Metadata': 'enabled' };
// Sends a call of the route "limited" to the target that keeps its place taken.
export const stalls = { provider: { only: ['stalls'] } };
// Asks for what does not exist.
export const unknown = { provider: { colour: 'red' } };

/** served: the answer says which route and target it comes from, after how many attempts. */
export function served(headers, upstream, purpose, target, attempts = 1) {
  const got = ['route', 'target', 'attempts'].map((name) => headers.get(`x-signalbox-${name}`));
  assert.deepEqual(got, [`${upstream}-${purpose}`, target, String(attempts)], 'route, target and attempts');
}

/** stays: targetOf makes a call of a session and returns what served it; calls of a session stay together, and sessions are spread. */
export async function stays(targetOf) {
  const all = new Set();
  for (let i = 0; i < sessions; i++) all.add(await targetOf(`session ${i}`));
  assert.deepEqual([...all].sort(), ['left', 'right'], 'targets of all sessions');
  const one = new Set();
  for (let i = 0; i < 4; i++) one.add(await targetOf('always the same'));
  assert.equal(one.size, 1, 'targets of one session');
}

/** standing is what is left of the caller's requests and tokens. */
export function standing(headers) {
  const of = (name) => headers.get(`x-ratelimit-${name}`);
  assert.deepEqual([of('limit-requests'), of('limit-tokens')], [limitedRequests, limitedTokens], 'limits');
  for (const name of ['reset-requests', 'reset-tokens']) assert.match(of(name), /^(?=\d)(\d+h)?(\d+m)?(\d+(\.\d+)?s)?(\d+(\.\d+)?ms)?$/);
  return { requests: Number(of('remaining-requests')), tokens: Number(of('remaining-tokens')) };
}

/** falls: between two answers a request was counted, and tokens. */
export function falls(first, then) {
  const [before, after] = [standing(first), standing(then)];
  assert.equal(after.requests, before.requests - 1, 'requests left after one more');
  assert.ok(after.tokens < before.tokens, `${after.tokens} tokens are left, and there were ${before.tokens}`);
}

/** fellBack looks at the metadata block of a call of the route "fallback". */
export function fellBack(told, models) {
  assert.deepEqual(told.attempts.map((a) => a.status), [400, 200], 'statuses of the attempts');
  assert.deepEqual([told.requested, told.attempt], [models.fallback, 2], 'model asked for, and which attempt answered');
  assert.deepEqual(told.endpoints.available.map((e) => e.selected), [false, true], 'endpoints that answered');
}

/** Watch wraps fetch: it sees requests and refusals. At the first refusal the place that was taken is let go. */
export class Watch {
  constructor(letGo) {
    this.sent = [];
    this.fetch = async (...request) => {
      this.sent.push(performance.now());
      const answer = await fetch(...request);
      if (answer.status === 429 && !this.refusal) {
        this.refusal = answer.headers;
        await letGo();
      }
      return answer;
    };
  }

  /** honoured: the library came back once and was let in, not before the time that the refusal names. Timers may be a millisecond early. */
  honoured() {
    assert.equal(this.sent.length, 2, 'requests that the library made');
    const asked = 1000 * Number(this.refusal.get('retry-after'));
    assert.ok(asked > 0 && this.sent[1] - this.sent[0] >= asked - 2, `the library did not wait for ${asked} ms`);
    assert.equal(this.refusal.get('x-ratelimit-limit-requests'), limitedRequests, 'limit of requests in the refusal');
  }
}

/** chatRouting are the checks with a library that has chat.completions; clientOf makes a client with more options, and library has its errors. */
export function chatRouting(suite, library, clientOf) {
  const user = () => [{ role: 'user', content: prompt(newMark()) }];
  const ask = (model, more, options, client = clientOf({ maxRetries: 0 })) => client.chat.completions.create({ model, messages: user(), ...more }, options).withResponse();
  const answered = async (...request) => {
    const { data, response } = await ask(...request);
    assert.equal(data.choices[0].message.content, suite.text);
    return response.headers;
  };
  const streamed = async (model, options) => {
    const { data, response } = await ask(model, { stream: true }, options);
    const chunks = [];
    for await (const chunk of data) chunks.push(chunk);
    assert.equal(chunks.map((c) => c.choices[0]?.delta?.content ?? '').join(''), suite.text);
    return { chunks, headers: response.headers };
  };
  return {
    alternatives: async (models, upstream) => {
      const wanted = [[models.picky, { models: [models.chat] }], ['no-such-model', { models: ['nor-this', models.picky, 'nor-that', models.chat] }], [`${models.picky},${models.chat}`]];
      for (const request of wanted) served(await answered(...request), upstream, 'chat', 'only', 2);
    },
    fallback: async (models, upstream) => {
      served(await answered(models.fallback), upstream, 'fallback', 'spare', 2);
      served((await streamed(models.fallback)).headers, upstream, 'fallback', 'spare', 2);
    },
    variants: async (models, upstream) => {
      served(await answered(`${models.priced}:floor`), upstream, 'priced', 'cheap');
      assert.equal((await answered(`${models.priced}:nitro`)).get('x-signalbox-route'), `${upstream}-priced`);
    },
    preferences: async (models, upstream) => {
      for (const provider of [{ only: ['cheap'] }, { ignore: ['dear'] }, { order: ['cheap', 'dear'] }, { sort: 'price' }]) {
        served(await answered(models.priced, { provider }), upstream, 'priced', 'cheap');
      }
    },
    session: async (models) => {
      await stays(async (session_id) => (await answered(models.session, { session_id })).get('x-signalbox-target'));
      await stays(async (prompt_cache_key) => (await answered(models.session, { prompt_cache_key })).get('x-signalbox-target'));
    },
    metadata: async (models) => {
      fellBack((await ask(models.fallback, {}, { headers: metadataHeader })).data.openrouter_metadata, models);
      const { chunks } = await streamed(models.fallback, { headers: metadataHeader });
      const told = chunks.filter((c) => c.openrouter_metadata);
      assert.equal(told.length, 1, 'chunks with metadata');
      fellBack(told[0].openrouter_metadata, models);
    },
    limits: async (models) => {
      const [first, then] = [await answered(models.limited), await answered(models.limited)];
      falls(first, then);
      falls(then, (await streamed(models.limited)).headers);
    },
    'limit-reached': async (models) => {
      const { data } = await ask(models.limited, { ...stalls, stream: true });
      for await (const chunk of data) {
        if (!chunk.choices[0]?.delta?.content) continue;
        await raises(library.RateLimitError, 429, ['rate_limit_exceeded', 'concurrent calls'], () => ask(models.limited));
        const watch = new Watch(() => data.controller.abort());
        standing(await answered(models.limited, {}, {}, clientOf({ maxRetries: 2, fetch: watch.fetch })));
        watch.honoured();
        return;
      }
      assert.fail('the stream had no beginning');
    },
    'unknown-preference': (models) => raises(library.BadRequestError, 400, ['provider.colour', 'unsupported_parameter'], () => ask(models.chat, unknown)),
    'no-target': async (models) => {
      await raises(library.InternalServerError, 503, ['no_eligible_target', '"targets":[{"target":"open","reason":'], () => ask(models.closed));
      await raises(library.BadRequestError, 400, ['unsupported_by_targets', '"targets":[{"target":"only","reason":'], () => ask(models.chat, { provider: { ignore: ['only'] } }));
    },
  };
}

/** only picks checks by name. */
export function only(checks, ...names) {
  return Object.fromEntries(names.map((name) => [name, checks[name]]));
}
