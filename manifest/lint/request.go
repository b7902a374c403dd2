package lint

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/server"
)

// DefaultRequestPath is what a request is taken for unless somebody says otherwise.
const DefaultRequestPath = "/v1/chat/completions"

// ExplainRequest says for each namespace which targets a request to a path would try, in which order, and why each other one is left out, as a proxy would
// decide it with all providers in good health and nothing spent yet. It is false when no namespace serves the request's model; an error is of the request.
func (l Linter) ExplainRequest(ctx context.Context, path string, body []byte) (text string, known bool, err error) {
	var out strings.Builder
	for _, namespace := range l.Set.Names() {
		compiled := compile.Compile(l.input(namespace)).Table
		dry, err := server.NewDry(&compiled)
		if err != nil {
			return "", false, fmt.Errorf("reading the routes of namespace %s: %w", namespace, err)
		}
		told, err := dry.Explain(ctx, path, body)
		var refusal *server.Error
		switch {
		case errors.As(err, &refusal) && refusal.Code == server.CodeModelNotFound:
			continue
		case errors.As(err, &refusal):
			return "", false, errors.New(refusal.Message)
		case err != nil:
			return "", false, err
		}
		known = true
		writeExplanation(&out, namespace, told)
	}
	if !known {
		out.WriteString("the request's model is not served by any ModelRoute\n")
	}
	return out.String(), known, nil
}

func writeExplanation(out *strings.Builder, namespace string, told server.Explanation) {
	fmt.Fprintf(out, "request for %q in namespace %s: about %d prompt tokens, needs %s\n", told.Model, namespace, told.PromptTokens, orNone(told.Needs))
	for _, route := range told.Routes {
		fmt.Fprintf(out, "  ModelRoute/%s serves %s: strategy %s, %s, budgets: %s\n", route.Route, route.Model, route.Strategy, affinity(route), orNone(route.Budgets))
		if route.Refusal != "" {
			fmt.Fprintf(out, "    refused: %s\n", route.Refusal)
		}
	}
	for i := range told.Targets {
		writeTarget(out, &told.Targets[i])
	}
}

func affinity(route server.ExplainedRoute) string {
	switch {
	case route.Affinity == "":
		return "no affinity"
	case route.Bound:
		return "affinity by " + route.Affinity
	default:
		return "affinity by " + route.Affinity + ", which the request does not name"
	}
}

func writeTarget(out *strings.Builder, target *server.ExplainedTarget) {
	if target.Excluded != "" {
		fmt.Fprintf(out, "  left out: %s/%s: %s\n", target.Route, target.Target, target.Excluded)
		return
	}
	fmt.Fprintf(out, "  %d. %s/%s: %s %s, priority %d, weight %d", target.Order, target.Route, target.Target, target.Provider, target.Model, target.Priority, target.Weight)
	if target.Key != "" {
		fmt.Fprintf(out, ", key %s", target.Key)
	}
	if target.EstimatedCost != "" {
		fmt.Fprintf(out, ", about %s USD", target.EstimatedCost)
	}
	if len(target.Dropped) > 0 {
		fmt.Fprintf(out, ", without %s", strings.Join(target.Dropped, ", "))
	}
	out.WriteString("\n")
}
