// @ai-sdk/openai: chat completions, and Responses, which is its default.
import { createOpenAI } from '@ai-sdk/openai';

import { runChecks } from './ai_sdk_checks.mjs';

const provider = (suite) => createOpenAI({ baseURL: suite.bases.openai, apiKey: suite.key });

await runChecks('ai-sdk-openai', 'chat', (suite) => provider(suite).chat);
// Without this option the SDK refers to items that OpenAI would have stored.
await runChecks('ai-sdk-openai', 'responses', (suite) => (model) => provider(suite)(model), { openai: { store: false } });
