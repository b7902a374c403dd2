// @langchain/groq.
import { HumanMessage, SystemMessage, ToolMessage } from '@langchain/core/messages';
import { tool } from '@langchain/core/tools';
import { ChatGroq } from '@langchain/groq';
import { z } from 'zod';

import { Suite, assert, expectCall, newMark, output, prompt, raises, toolDescription, toolName, toolResult } from './suite.mjs';

const suite = new Suite('langchain-groq-js', 'chat');
const weather = tool(() => toolResult, { name: toolName, description: toolDescription, schema: z.object({ city: z.string(), days: z.number().int() }) });
const Train = z.object({ name: z.string(), cars: z.number().int(), late: z.boolean() });
const modelOf = (model, more) => new ChatGroq({ model, baseUrl: suite.bases.groq, apiKey: suite.key, maxRetries: 0, ...more });

await suite.run({
  plain: async (models) => {
    const mark = newMark();
    const answer = await modelOf(models.chat).invoke([new SystemMessage('Be brief.'), new HumanMessage(prompt(mark))]);
    assert.equal(answer.content, suite.text);
    await suite.usage(mark, answer.usage_metadata.input_tokens, answer.usage_metadata.output_tokens);
  },
  streamed: async (models) => {
    const pieces = [];
    for await (const piece of await modelOf(models.chat).stream(prompt(newMark()))) if (piece.content) pieces.push(piece.content);
    assert.equal(pieces.join(''), suite.text);
    assert.ok(pieces.length > 3, `the text came in ${pieces.length} pieces`);
  },
  tools: async (models) => {
    const model = modelOf(models.chat).bindTools([weather]);
    const question = new HumanMessage(prompt(newMark()));
    const answer = await model.invoke([question]);
    assert.equal(new Set(answer.tool_calls.map((c) => c.id)).size, 2, 'ids of calls');
    for (const c of answer.tool_calls) expectCall(c.name, c.args);
    const results = answer.tool_calls.map((c) => new ToolMessage({ content: toolResult, tool_call_id: c.id }));
    assert.equal((await model.invoke([question, answer, ...results])).content, suite.text);
  },
  // The library refuses json_schema for models whose name does not begin with "openai/gpt-oss".
  structured: async (models) => {
    const answer = await modelOf(models.chat).withStructuredOutput(Train, { name: 'train', method: 'functionCalling' }).invoke(prompt(newMark()));
    assert.deepEqual(answer, output);
  },
  image: async (models) => {
    const mark = newMark();
    const content = [{ type: 'text', text: prompt(mark) }, { type: 'image_url', image_url: { url: suite.imageURL } }];
    assert.equal((await modelOf(models.chat).invoke([new HumanMessage({ content })])).content, suite.text);
    await suite.sawImage(mark);
  },
  'unknown-model': () => raises(Error, 404, ['no-such-model'], () => modelOf('no-such-model').invoke(prompt(newMark()))),
  busy: (models) => raises(Error, 429, [suite.plan.busy], () => modelOf(models.busy).invoke(prompt(newMark()))),
  cancel: (models) => suite.cancelled(async (mark) => {
    const leave = new AbortController();
    const stream = await modelOf(models.stall).stream(prompt(mark), { signal: leave.signal });
    for await (const piece of stream) {
      if (piece.content) break;
    }
    leave.abort();
  }),
});
