// @openrouter/ai-sdk-provider.
import { createOpenRouter } from '@openrouter/ai-sdk-provider';
import { APICallError, generateText, jsonSchema, streamText, tool } from 'ai';

import { runChecks } from './ai_sdk_checks.mjs';
import { Watch, fellBack, metadataHeader, stays, unknown } from './routing.mjs';
import { Suite, assert, newMark, prompt, raises, toolDescription, toolName, toolResult, toolSchema } from './suite.mjs';

const provider = (suite) => createOpenRouter({ baseURL: suite.bases.openrouter, apiKey: suite.key });

await runChecks('ai-sdk-openrouter', 'chat', (suite) => provider(suite).chat);

// OpenAI's chat completions never show what the model thought, its Responses only in encrypted form here, and Amazon's own models on Bedrock are not asked to.
const hidesReasoning = ['openai', 'azure', 'azure-v1', 'responses', 'bedrock'];

const suite = new Suite('ai-sdk-openrouter', 'reasoning');
const tools = { [toolName]: tool({ description: toolDescription, inputSchema: jsonSchema(toolSchema) }) };
await suite.run({
  // Reasoning comes with its details and goes back unchanged with the results of the tools.
  'round-trip': async (models, upstream) => {
    const model = provider(suite).chat(models.reason, { reasoning: { max_tokens: 1024 } });
    const messages = [{ role: 'user', content: prompt(newMark()) }];
    const answer = await generateText({ model, messages, tools, maxRetries: 0, maxOutputTokens: 2000 });
    if (!hidesReasoning.includes(upstream)) assert.ok(answer.reasoningText, 'there is no reasoning');
    const content = answer.toolCalls.map((c) => ({ type: 'tool-result', toolCallId: c.toolCallId, toolName: c.toolName, output: { type: 'text', value: toolResult } }));
    const next = [...messages, ...answer.response.messages, { role: 'tool', content }];
    assert.equal((await generateText({ model, messages: next, tools, maxRetries: 0, maxOutputTokens: 2000 })).text, suite.text);
  },
});

const routes = new Suite('ai-sdk-openrouter', 'routing');
// settings are those of the model, extraBody among them, for what it has no setting for.
const ask = (model, settings, more) => generateText({ model: provider(routes).chat(model, settings), prompt: prompt(newMark()), maxRetries: 0, ...more });
const answered = async (...request) => {
  const answer = await ask(...request);
  assert.equal(answer.text, routes.text);
  return answer.response;
};
const target = (response) => response.headers['x-signalbox-target'];
const isCallError = (error) => APICallError.isInstance(error);

await routes.run({
  alternatives: async (models, upstream) => {
    const { headers } = await answered(models.picky, { models: ['no-such-model', models.chat] });
    assert.deepEqual([headers['x-signalbox-route'], headers['x-signalbox-attempts']], [`${upstream}-chat`, '2']);
  },
  preferences: async (models) => {
    for (const preferred of [{ only: ['cheap'] }, { ignore: ['dear'] }, { order: ['cheap'], allow_fallbacks: false }, { sort: 'price' }]) {
      assert.equal(target(await answered(models.priced, { provider: preferred })), 'cheap', JSON.stringify(preferred));
    }
  },
  session: (models) => stays(async (session_id) => target(await answered(models.session, { extraBody: { session_id } }))),
  metadata: async (models) => {
    const { body } = await answered(models.fallback, {}, { headers: metadataHeader, include: { responseBody: true } });
    fellBack(body.openrouter_metadata, models);
    const streamed = streamText({ model: provider(routes).chat(models.fallback), prompt: prompt(newMark()), maxRetries: 0, headers: metadataHeader });
    assert.equal(await streamed.text, routes.text);
  },
  'limit-reached': async (models) => {
    const leave = new AbortController();
    const held = streamText({
      model: provider(routes).chat(models.limited, { provider: { only: ['stalls'] } }), prompt: prompt(newMark()), maxRetries: 0, abortSignal: leave.signal,
    });
    const pieces = held.textStream[Symbol.asyncIterator]();
    while (!(await pieces.next()).value);
    await raises(isCallError, 429, ['rate_limit_exceeded', 'concurrent calls'], () => ask(models.limited));
    const watch = new Watch(() => leave.abort());
    const { chat } = createOpenRouter({ baseURL: routes.bases.openrouter, apiKey: routes.key, fetch: watch.fetch });
    assert.equal((await generateText({ model: chat(models.limited), prompt: prompt(newMark()), maxRetries: 2 })).text, routes.text);
    watch.honoured();
  },
  'unknown-preference': (models) => raises(isCallError, 400, ['provider.colour'], () => ask(models.chat, { extraBody: unknown })),
  'no-target': (models) => raises(isCallError, 503, ['no_eligible_target', '"targets":[{"target":"open","reason":'], () => ask(models.closed)),
});
