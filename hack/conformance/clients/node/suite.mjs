// Runs the checks of one client library and prints a line of JSON for each. The plan, a JSON file that $CONFORMANCE_PLAN names, says what is called and what
// is expected; plan/plan.go of the runner documents it.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

// What the fake providers make of the schema of a tool, and of one for the answer.
export const toolArguments = { city: 'junction', days: 7 };
export const toolResult = '{"sky": "clear"}';
export const toolName = 'get_weather';
export const toolDescription = 'Tells the weather of a city.';
export const toolSchema = {
  type: 'object',
  properties: { city: { type: 'string' }, days: { type: 'integer' } },
  required: ['city', 'days'],
  additionalProperties: false,
};
export const output = { name: 'junction', cars: 7, late: true };
export const outputSchema = {
  type: 'object',
  properties: { name: { type: 'string' }, cars: { type: 'integer' }, late: { type: 'boolean' } },
  required: ['name', 'cars', 'late'],
  additionalProperties: false,
};

// A cancelled call must reach the provider in so many milliseconds. A busy machine gets more than one try.
const cancelWithin = 100;
const cancelTries = 12;

// A stream that was left may still fail somewhere in its library, where nobody waits for it; anything else that nobody waits for is a failure.
process.on('unhandledRejection', (error) => {
  if (error?.name === 'AbortError') return;
  console.error('nobody waited for', error);
  process.exitCode = 1;
});

/** Suite holds the checks of one library on one surface. */
export class Suite {
  constructor(client, surface) {
    this.plan = JSON.parse(readFileSync(process.env.CONFORMANCE_PLAN, 'utf8'));
    this.client = client;
    this.surface = surface;
    this.key = this.plan.key;
    this.text = this.plan.text;
    this.image = this.plan.image;
    this.imageURL = 'data:image/png;base64,' + this.plan.image;
    this.bases = this.plan.bases;
    this.upstreams = this.plan.upstreams.filter((upstream) => upstream.surfaces.includes(surface));
  }

  /** run makes each check, a function of the upstream's models and its name, behind each upstream. */
  async run(checks) {
    for (const upstream of this.upstreams) {
      for (const [name, check] of Object.entries(checks)) {
        if (this.plan.checks.length === 0 || this.plan.checks.includes(name)) await this.one(name, upstream, check);
      }
    }
  }

  async one(name, upstream, check) {
    const started = Date.now();
    const refused = upstream.refused[`${this.surface}/${name}`];
    let problem = '';
    try {
      if (refused) await raises(Error, refused.status, [refused.text], () => check(upstream.models, upstream.name));
      else await check(upstream.models, upstream.name);
    } catch (error) {
      problem = `${error?.name}: ${error?.message}`;
      console.error(this.client, this.surface, name, upstream.name, error);
    }
    console.log(JSON.stringify({
      client: this.client, surface: this.surface, check: name, upstream: upstream.name, ok: problem === '', expected: refused?.reason ?? '',
      problem: problem.slice(0, 2000), milliseconds: Date.now() - started,
    }));
  }

  /** record is the one request that carries the mark, as the fake provider received it. */
  async record(mark) {
    const answer = await fetch(this.plan.control + '/requests');
    const found = (await answer.json()).filter((r) => r.body.includes(mark));
    assert.equal(found.length, 1, `requests with ${mark} that reached a provider`);
    return found[0];
  }

  /** usage compares the usage that a client got with what the provider reported. */
  async usage(mark, prompt, completion) {
    const { reported } = await this.ended(mark);
    assert.deepEqual([prompt, completion], [reported.promptTokens, reported.completionTokens], 'tokens of prompt and completion');
  }

  /** sawImage checks that the provider got the very bytes of the image. */
  async sawImage(mark) {
    const { body } = await this.record(mark);
    const urlSafe = this.image.replaceAll('+', '-').replaceAll('/', '_');
    assert.ok(body.includes(this.image) || body.includes(urlSafe), 'the provider did not get the image');
  }

  /** cancelled: start opens a stream with a mark, reads its first text and leaves; the provider has to notice at once. */
  async cancelled(start) {
    const late = [];
    for (let i = 0; i < cancelTries; i++) {
      const mark = newMark();
      await start(mark);
      const left = Date.now();
      const record = await this.ended(mark);
      assert.equal(record.state, 'ClientLeft', 'what became of the call at the provider');
      late.push(Date.parse(record.end) - left);
      if (late.at(-1) <= cancelWithin) return;
    }
    throw new Error(`the provider saw the client leave after ${late} ms`);
  }

  async ended(mark) {
    const deadline = Date.now() + 5000;
    for (;;) {
      const record = await this.record(mark);
      if (record.state !== 'Open' || Date.now() > deadline) return record;
      await pause(20);
    }
  }
}

/** newMark is a word that finds a request again. */
export function newMark() {
  return 'mark' + randomUUID().replaceAll('-', '');
}

export function prompt(mark) {
  return `Tell me about the signal box at Löbau 駅, ${mark}.`;
}

/** raises: act must fail with an error of this class (or one that a function accepts), this status unless it is null, and these words in its text. */
export async function raises(kind, status, parts, act) {
  let error;
  try {
    await act();
  } catch (caught) {
    error = caught;
  }
  assert.ok(error, `no ${kind.name} was raised`);
  if (error instanceof assert.AssertionError) throw error;
  const fits = kind.prototype instanceof Error || kind === Error ? error instanceof kind : kind(error);
  assert.ok(fits, `${error?.name} is no ${kind.name}: ${error?.message}`);
  if (status !== null) assert.equal(statusOf(error), status, `status of ${error.name}: ${error.message}`);
  const text = [error.message, error.responseBody, JSON.stringify(error.error ?? '')].join(' ').toLowerCase();
  for (const part of parts) assert.ok(text.includes(part.toLowerCase()), `"${part}" is not in: ${text}`);
}

function statusOf(error) {
  return error.status ?? error.statusCode ?? error.cause?.status;
}

/** call compares a call of the tool. */
export function expectCall(name, args) {
  assert.deepEqual([name, typeof args === 'string' ? JSON.parse(args) : args], [toolName, toolArguments], 'call');
}

export { assert };
