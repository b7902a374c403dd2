package providercredential

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/fleet"
	"signalbox.dev/signalbox/controllers/retry"
	"signalbox.dev/signalbox/controllers/secrets"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/table"
)

// input is all that a plan is made from.
type input struct {
	credential *v1alpha1.ProviderCredential
	now        time.Time
	// wait is not zero if it is too early for a plan.
	wait time.Duration
	// report says what is wrong with the spec and its Secrets.
	report compile.ObjectReport
	// entry is what a table would hold of the credential; nil if it cannot be used.
	entry *table.Credential
	// incomplete tells that a Secret is missing or has no label.
	incomplete bool
	// outcome is what the last probe of this process found; nil if there was none.
	outcome *Outcome
	// traffic is what the proxies saw of calls.
	traffic fleet.Credential
	// health is what was known of the provider's health, and with assess is. answersOthers tells that the provider does well for other credentials.
	health        memory
	answersOthers bool
	// provisioned says how the making of keys stands; nil while that is not known.
	provisioned *metav1.Condition
}

// gather reads everything about one credential. It compiles the credential by itself, with the compiler that makes the tables: a namespace without
// ModelRoute has no table, and a status all the same.
func (r *Reconciler) gather(ctx context.Context, credential *v1alpha1.ProviderCredential) (*input, error) {
	in := &input{credential: credential, now: r.Clock.Now()}
	facts, known := r.Facts.Facts()
	if !known {
		in.wait = retryFacts
		return in, nil
	}
	single := []v1alpha1.ProviderCredential{*credential}
	found, err := r.Lookup.Referenced(ctx, credential.Namespace, single)
	if err != nil {
		return nil, err
	}
	if found.Behind {
		in.wait = retry.Soon
		return in, nil
	}
	in.compile(single, found, r.Config.EndpointRules(facts.Addresses), r.Config.ClusterDomain)
	in.incomplete = !found.Complete()
	name := types.NamespacedName{Namespace: credential.Namespace, Name: credential.Name}
	if outcome, ok := r.Prober.Outcome(name); ok {
		in.outcome = &outcome
	}
	in.traffic = r.Traffic.Credential(credential.Namespace, credential.Name)
	in.health = r.memories.get(name)
	if in.answersOthers, err = r.answersOthers(ctx, in); err != nil {
		return nil, err
	}
	if r.Provisions != nil {
		if provisioned, ok := r.Provisions.Provisioned(name); ok {
			in.provisioned = &provisioned
		}
	}
	return in, nil
}

// compile finds out what a table would hold of the credential.
func (in *input) compile(single []v1alpha1.ProviderCredential, found secrets.Referenced, rules table.EndpointRules, domain string) {
	compiled := compile.Compile(compile.Input{
		Namespace:         in.credential.Namespace,
		Credentials:       single,
		ProviderKeys:      found.Labelled,
		UnlabelledSecrets: found.Unlabelled,
		Endpoints:         rules,
		ClusterDomain:     domain,
	})
	if report, ok := compiled.Report.Object(compile.KindProviderCredential, in.credential.Name); ok {
		in.report = *report
	}
	for i := range compiled.Table.Credentials {
		if compiled.Table.Credentials[i].Name == in.credential.Name {
			in.entry = &compiled.Table.Credentials[i]
		}
	}
}
