// The checks that all providers of the AI SDK share.
import { APICallError, Output, generateText, jsonSchema, streamText, tool } from 'ai';

import { Suite, assert, expectCall, newMark, output, outputSchema, prompt, raises, toolDescription, toolName, toolResult, toolSchema } from './suite.mjs';

// Warnings of the SDK about settings that a model may not support would go to the log.
globalThis.AI_SDK_LOG_WARNINGS = false;

// Packages have copies of the class of their own.
function isCallError(error) {
  return APICallError.isInstance(error);
}

/** runChecks runs them with the models that modelOf makes, and with options for the provider. */
export async function runChecks(client, surface, makeModelOf, providerOptions = {}) {
  const suite = new Suite(client, surface);
  const modelOf = makeModelOf(suite);
  const tools = { [toolName]: tool({ description: toolDescription, inputSchema: jsonSchema(toolSchema) }) };
  const ask = (model, mark, more) => generateText({ model: modelOf(model), prompt: prompt(mark), maxRetries: 0, providerOptions, ...more });

  async function finish(model, messages, answer) {
    assert.equal(new Set(answer.calls.map((c) => c.toolCallId)).size, 2, 'ids of calls');
    for (const c of answer.calls) expectCall(c.toolName, c.input);
    const content = answer.calls.map((c) => ({ type: 'tool-result', toolCallId: c.toolCallId, toolName: c.toolName, output: { type: 'text', value: toolResult } }));
    const next = await generateText({ model: modelOf(model), messages: [...messages, ...answer.messages, { role: 'tool', content }], tools, maxRetries: 0, providerOptions });
    assert.equal(next.text, suite.text);
  }

  await suite.run({
    plain: async (models) => {
      const mark = newMark();
      const answer = await ask(models.chat, mark, { maxOutputTokens: 200 });
      assert.deepEqual([answer.text, answer.finishReason], [suite.text, 'stop']);
      await suite.usage(mark, answer.usage.inputTokens, answer.usage.outputTokens);
    },
    streamed: async (models) => {
      const mark = newMark();
      const answer = streamText({ model: modelOf(models.chat), prompt: prompt(mark), maxRetries: 0, providerOptions });
      const pieces = [];
      for await (const piece of answer.textStream) if (piece) pieces.push(piece);
      assert.equal(pieces.join(''), suite.text);
      assert.ok(pieces.length > 3, `the text came in ${pieces.length} pieces`);
      const usage = await answer.usage;
      await suite.usage(mark, usage.inputTokens, usage.outputTokens);
    },
    tools: async (models) => {
      const messages = [{ role: 'user', content: prompt(newMark()) }];
      const answer = await generateText({ model: modelOf(models.chat), messages, tools, maxRetries: 0, providerOptions });
      assert.equal(answer.finishReason, 'tool-calls');
      await finish(models.chat, messages, { calls: answer.toolCalls, messages: answer.response.messages });
    },
    'tools-streamed': async (models) => {
      const messages = [{ role: 'user', content: prompt(newMark()) }];
      const answer = streamText({ model: modelOf(models.chat), messages, tools, maxRetries: 0, providerOptions });
      await finish(models.chat, messages, { calls: await answer.toolCalls, messages: (await answer.response).messages });
    },
    structured: async (models) => {
      const answer = await ask(models.chat, newMark(), { output: Output.object({ schema: jsonSchema(outputSchema) }) });
      assert.deepEqual(answer.output, output);
    },
    image: async (models) => {
      const mark = newMark();
      const content = [{ type: 'text', text: prompt(mark) }, { type: 'file', data: Buffer.from(suite.image, 'base64'), mediaType: 'image/png' }];
      const answer = await generateText({ model: modelOf(models.chat), messages: [{ role: 'user', content }], maxRetries: 0, providerOptions });
      assert.equal(answer.text, suite.text);
      await suite.sawImage(mark);
    },
    'unknown-model': () => raises(isCallError, 404, ['no-such-model'], () => ask('no-such-model', newMark())),
    busy: (models) => raises(isCallError, 429, [suite.plan.busy], () => ask(models.busy, newMark())),
    'broken-stream': async (models) => {
      let problem;
      const answer = streamText({ model: modelOf(models.broken), prompt: prompt(newMark()), maxRetries: 0, providerOptions, onError: ({ error }) => { problem = error; } });
      for await (const part of answer.textStream) assert.ok(part);
      assert.ok(JSON.stringify(problem ?? null, Object.getOwnPropertyNames(problem ?? {})).includes(suite.plan.broken), `the provider's words are not in: ${problem}`);
    },
    cancel: (models) => suite.cancelled(async (mark) => {
      const leave = new AbortController();
      const answer = streamText({ model: modelOf(models.stall), prompt: prompt(mark), maxRetries: 0, providerOptions, abortSignal: leave.signal });
      for await (const piece of answer.textStream) {
        if (piece) break;
      }
      leave.abort();
    }),
  });
}
