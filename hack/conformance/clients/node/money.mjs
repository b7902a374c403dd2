// What the checks of money share, whatever library asks: the routes with Hard budgets, which plan/plan.go of the runner documents.
import { assert, newMark, prompt, raises } from './suite.mjs';

// The longest answer of the route "budgeted", in tokens.
export const outputLimit = 300;
// Limits that clients send, none first, and those that then reach the provider.
export const limits = [[undefined, outputLimit], [200, 200], [250, 250]];
// Tags of one who has spent all, and of another.
export const brokeTag = { 'x-signalbox-tags': 'team=broke' };
export const richTag = { 'x-signalbox-tags': 'stage=test, team=rich' };
// An image that nobody has measured.
export const imageURL = 'https://images.example.com/signal-box.png';
// Nano-dollars for a token, of the prompt and of the answer.
const promptPrice = 2000;
const completionPrice = 10000;

/** costs: the header says what so many tokens cost, exactly; OpenRouter's own word is taken where it answers. */
export function costs(header, upstream, promptTokens, completionTokens) {
  const nano = Math.round(Number(header) * 1e9);
  if (upstream === 'openrouter') assert.ok(nano > 0, `the call cost ${header}`);
  else assert.equal(nano, promptTokens * promptPrice + completionTokens * completionPrice, `cost of ${promptTokens} and ${completionTokens} tokens`);
}

/** limited: the provider was asked for so many tokens at most. */
export async function limited(suite, mark, limit) {
  const body = JSON.parse((await suite.record(mark)).body);
  const names = ['max_tokens', 'max_completion_tokens', 'max_output_tokens', 'maxOutputTokens'];
  const found = [body, body.generationConfig ?? {}].flatMap((holder) => names.filter((name) => name in holder).map((name) => holder[name]));
  assert.deepEqual(found, [limit], 'limits of the answer that the provider got');
}

/** spentWords are those of a refusal by the budget of the route "spent". */
export function spentWords(upstream) {
  return [`${upstream}-spent`, 'has 0.000000001 USD left of 0.000000001, and this call could cost 0.00', 'does not reset'];
}

/** unsent: no provider saw the call. */
export async function unsent(suite, mark) {
  const all = await (await fetch(suite.plan.control + '/requests')).json();
  assert.ok(!all.some((r) => r.body.includes(mark)), 'a provider saw the call');
}

/** chatMoney are the checks with a library that has chat.completions and responses; library has its errors. */
export function chatMoney(suite, library, client) {
  const ask = (model, mark, more, options) => client.chat.completions.create({ model, messages: [{ role: 'user', content: prompt(mark) }], ...more }, options);
  const exceeded = (parts, act) => raises(library.APIError, 402, ['budget_exceeded', 'insufficient_quota', ...parts], act);
  return {
    cost: async (models, upstream) => {
      const { data: { usage }, response } = await ask(models.budgeted, newMark()).withResponse();
      costs(response.headers.get('x-signalbox-cost'), upstream, usage.prompt_tokens, usage.completion_tokens);
      assert.equal(usage.cost, Number(response.headers.get('x-signalbox-cost')), 'cost in the usage');
      let last;
      for await (const chunk of await ask(models.budgeted, newMark(), { stream: true, stream_options: { include_usage: true } })) last = chunk.usage ?? last;
      costs(last.cost, upstream, last.prompt_tokens, last.completion_tokens);
    },
    'output-limit': async (models) => {
      for (const [asked, sent] of limits) {
        const mark = newMark();
        await ask(models.budgeted, mark, { max_completion_tokens: asked });
        await limited(suite, mark, sent);
      }
      const mark = newMark();
      await client.responses.create({ model: models.budgeted, input: prompt(mark), store: false });
      await limited(suite, mark, outputLimit);
    },
    'budget-exceeded': async (models, upstream) => {
      for (const stream of [false, true]) {
        const mark = newMark();
        await exceeded([...spentWords(upstream), '"limit":"0.000000001"'], () => ask(models.spent, mark, { stream }));
        await unsent(suite, mark);
      }
      await exceeded(spentWords(upstream), () => client.responses.create({ model: models.spent, input: prompt(newMark()), store: false }));
    },
    unbounded: async (models, upstream) => {
      await raises(library.BadRequestError, 400, ['unbounded_cost', `${upstream}-unbounded`], () => ask(models.unbounded, newMark()));
      await ask(models.unbounded, newMark(), { max_completion_tokens: 200 });
    },
    tags: async (models, upstream) => {
      await exceeded([`${upstream}-teams`], () => ask(models.budgeted, newMark(), {}, { headers: brokeTag }));
      await exceeded([`${upstream}-teams`], () => ask(models.budgeted, newMark(), { metadata: { team: 'broke' } }));
      await ask(models.budgeted, newMark(), { metadata: { team: 'rich' } }, { headers: richTag });
    },
    'end-user': async (models, upstream) => {
      for (const name of ['user', 'safety_identifier']) {
        await exceeded([`${upstream}-users`], () => ask(models.budgeted, newMark(), { [name]: 'broke' }));
        await ask(models.budgeted, newMark(), { [name]: 'rich' });
      }
    },
  };
}
