// @openrouter/ai-sdk-provider.
import { createOpenRouter } from '@openrouter/ai-sdk-provider';
import { generateText, jsonSchema, tool } from 'ai';

import { runChecks } from './ai_sdk_checks.mjs';
import { Suite, assert, newMark, prompt, toolDescription, toolName, toolResult, toolSchema } from './suite.mjs';

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
