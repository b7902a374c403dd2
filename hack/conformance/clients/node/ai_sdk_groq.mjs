// @ai-sdk/groq.
import { createGroq } from '@ai-sdk/groq';

import { runChecks } from './ai_sdk_checks.mjs';

await runChecks('ai-sdk-groq', 'chat', (suite) => createGroq({ baseURL: suite.bases.groq + '/openai/v1', apiKey: suite.key }));
