// @openrouter/ai-sdk-provider.
import { createOpenRouter } from '@openrouter/ai-sdk-provider';

import { runChecks } from './ai_sdk_checks.mjs';

await runChecks('ai-sdk-openrouter', 'chat', (suite) => createOpenRouter({ baseURL: suite.bases.openrouter, apiKey: suite.key }).chat);
