package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/route"
	"signalbox.dev/signalbox/proxy/table"
)

// Explain says for each namespace where a request for the model would go, in which order its targets are tried, what excludes the others, what it costs
// and which budgets count it. It is false when no namespace has the model.
func (l Linter) Explain(model string) (text string, known bool) {
	var out strings.Builder
	for _, namespace := range l.Set.Names() {
		compiled := compile.Compile(l.input(namespace)).Table
		found, ok := route.NewIndex(&compiled).Lookup(model)
		if !ok {
			continue
		}
		known = true
		e := explanation{out: &out, table: &compiled, route: found, model: model}
		e.write(l.Set.Position(compile.KindModelRoute, namespace, found.Name, "").String())
	}
	if !known {
		fmt.Fprintf(&out, "model %q: no ModelRoute serves it\n", model)
	}
	return out.String(), known
}

// explanation is of one model in one namespace.
type explanation struct {
	out   *strings.Builder
	table *table.Table
	route *table.Route
	model string
}

func (e explanation) write(position string) {
	fmt.Fprintf(e.out, "model %q in namespace %s: ModelRoute/%s (%s), by %s\n", e.model, e.table.Namespace, e.route.Name, position, e.matched())
	fmt.Fprintf(e.out, "  callers: %s\n", callers(e.route.Access))
	fmt.Fprintf(e.out, "  timeouts: first token %s, idle %s, total %s\n", e.route.FirstToken, e.route.Idle, e.route.Total)
	fmt.Fprintf(e.out, "  budgets: %s\n", orNone(e.budgets()))
	fmt.Fprintf(e.out, "  targets, in the order in which they are tried:\n")
	for _, target := range e.inOrder() {
		if reason := excluded(target); reason == "" {
			e.writeTarget(target)
		}
	}
	for _, target := range e.inOrder() {
		if reason := excluded(target); reason != "" {
			fmt.Fprintf(e.out, "    excluded: %s: %s\n", target.Name, reason)
		}
	}
}

// inOrder are the targets by priority; what is printed of those of one priority is the share of each.
func (e explanation) inOrder() []*table.Target {
	targets := make([]*table.Target, len(e.route.Targets))
	for i := range e.route.Targets {
		targets[i] = &e.route.Targets[i]
	}
	slices.SortStableFunc(targets, func(a, b *table.Target) int { return cmp.Compare(a.Priority, b.Priority) })
	return targets
}

// excluded says why a target gets no new calls; empty when it does.
func excluded(target *table.Target) string {
	if target.Excluded == "" && target.Weight == 0 {
		return "its weight is 0"
	}
	return target.Excluded
}

// matched says which of the route's models the name matches best.
func (e explanation) matched() string {
	best := ""
	for _, name := range e.route.Models {
		if name == e.model {
			return "its exact name"
		}
		prefix, isPattern := strings.CutSuffix(name, "*")
		if isPattern && strings.HasPrefix(e.model, prefix) && len(name) > len(best) {
			best = name
		}
	}
	return fmt.Sprintf("the pattern %q", best)
}

func (e explanation) writeTarget(target *table.Target) {
	credential := e.credential(target.Credential)
	upstream := target.Model
	if upstream == "*" {
		upstream = e.model
	}
	fmt.Fprintf(e.out, "    priority %d, %s of its calls: %s -> %s (%s), model %s, %s\n",
		target.Priority, e.share(target), target.Name, backend(target), credential.Endpoint, upstream, price(target, credential, upstream))
}

// backend names what a target calls.
func backend(target *table.Target) string {
	if target.CalledRoute != "" {
		return "ModelRoute/" + target.CalledRoute
	}
	return "ProviderCredential/" + target.Credential
}

func (e explanation) credential(name string) *table.Credential {
	index := slices.IndexFunc(e.table.Credentials, func(c table.Credential) bool { return c.Name == name })
	return &e.table.Credentials[index]
}

// share is the part of the calls at its priority that a target gets first.
func (e explanation) share(target *table.Target) string {
	var total int64
	for i := range e.route.Targets {
		if other := &e.route.Targets[i]; other.Priority == target.Priority && other.Excluded == "" {
			total += int64(other.Weight)
		}
	}
	return fmt.Sprintf("%d/%d", target.Weight, total)
}

func price(target *table.Target, credential *table.Credential, upstream string) string {
	prices, known := credential.Prices[upstream]
	if target.Prices != nil {
		prices, known = *target.Prices, true
	}
	if !known {
		return "price not known"
	}
	return fmt.Sprintf("USD per million tokens: %s input, %s cached input, %s output",
		meter.FormatUSD(prices.Input), meter.FormatUSD(prices.CachedInput), meter.FormatUSD(prices.Output))
}

func (e explanation) budgets() []string {
	var names []string
	for _, budget := range e.table.Budgets {
		if len(budget.Routes) > 0 && !slices.Contains(budget.Routes, e.route.Name) {
			continue
		}
		limited := fmt.Sprintf("%s (%s USD a %s, %s)", budget.Name, meter.FormatUSD(budget.Limit), strings.ToLower(budget.Period), budget.Enforcement)
		if budget.Period == "Total" {
			limited = fmt.Sprintf("%s (%s USD in total, %s)", budget.Name, meter.FormatUSD(budget.Limit), budget.Enforcement)
		}
		if len(budget.Callers) > 0 {
			limited += " for some callers"
		}
		names = append(names, limited)
	}
	return names
}

func callers(access table.Access) string {
	var who []string
	if access.AnyNamespace {
		who = append(who, "ServiceAccounts of all namespaces")
	}
	if len(access.Namespaces) > 0 {
		who = append(who, "ServiceAccounts of "+strings.Join(access.Namespaces, ", "))
	}
	if len(access.ServiceAccounts) > 0 {
		who = append(who, "ServiceAccounts "+strings.Join(access.ServiceAccounts, ", "))
	}
	if access.AnyAccessKey {
		who = append(who, "all access keys of the namespace")
	}
	if len(access.AccessKeys) > 0 {
		who = append(who, "access keys "+strings.Join(access.AccessKeys, ", "))
	}
	return orNone(who)
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, "; ")
}
