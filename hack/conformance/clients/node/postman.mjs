// newman, Postman's runner, with the collection of examples.
import newman from 'newman';

import { Suite } from './suite.mjs';

const suite = new Suite('postman', 'collection');

for (const upstream of suite.upstreams) {
  const variables = { url: suite.bases.anthropic, key: suite.key, ...suite.plan.variables };
  const envVar = Object.entries(variables).map(([key, value]) => ({ key, value }));
  const summary = await new Promise((resolve, reject) => {
    const options = { collection: suite.plan.collection, workingDir: suite.plan.uploads, envVar, reporters: [], timeoutRequest: 20000 };
    newman.run(options, (error, result) => (error ? reject(error) : resolve(result)));
  });
  for (const execution of summary.run.executions) {
    await suite.one(execution.item.name, upstream, () => {
      if (execution.requestError) throw execution.requestError;
      const failed = (execution.assertions ?? []).filter((a) => a.error).map((a) => `${a.assertion}: ${a.error.message}`);
      if (failed.length > 0) throw new Error(`${failed.join('; ')} (${execution.response?.stream?.toString().slice(0, 300)})`);
    });
  }
}
