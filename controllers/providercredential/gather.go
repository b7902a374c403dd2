package providercredential

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/fleet"
	"signalbox.dev/signalbox/controllers/retry"
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
	// entry is what a table would hold of the credential now; nil if it cannot be used.
	entry *table.Credential
	// waiting are the values of keys that would not be in it.
	waiting []table.Key
	// keys are the values of the keys and what they are used for: by the table in force, where there is one.
	keys []compile.KeyReport
	// incomplete tells that a Secret is missing or has no label.
	incomplete bool
	// outcomes are what the last probes of this process found, by the fingerprint of the key; latest is that of the last one of all, zero if there was none.
	outcomes map[string]Outcome
	latest   Outcome
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
	in.incomplete = !found.Complete()
	name := types.NamespacedName{Namespace: credential.Namespace, Name: credential.Name}
	in.outcomes, in.latest = r.Prober.Outcomes(name)
	in.traffic = r.Traffic.Credential(credential.Namespace, credential.Name)
	in.health = r.memories.get(name)
	delivered, _, err := r.Tables.Table(ctx, credential.Namespace)
	if err != nil {
		// A table that cannot be read is replaced by its own controller, and says nothing until then.
		delivered = nil
	}
	in.compile(compile.Input{
		Namespace:         credential.Namespace,
		Credentials:       single,
		ProviderKeys:      found.Labelled,
		UnlabelledSecrets: found.Unlabelled,
		Endpoints:         r.Config.EndpointRules(facts.Addresses),
		ClusterDomain:     r.Config.ClusterDomain,
		Now:               in.now,
		Verdicts:          r.Prober.Verdicts(credential.Namespace),
	}, delivered)
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

// compile finds out what a table would hold of the credential now, going on from the one that was delivered, if there is one.
func (in *input) compile(from compile.Input, delivered *table.Table) {
	inForce := in.find(delivered)
	if inForce != nil {
		from.Previous = &table.Table{Namespace: from.Namespace, Credentials: []table.Credential{*inForce}}
	}
	compiled := compile.Compile(from)
	if report, ok := compiled.Report.Object(compile.KindProviderCredential, in.credential.Name); ok {
		in.report = *report
	}
	in.entry = in.find(&compiled.Table)
	in.waiting = compiled.Waiting[in.credential.Name]
	in.keys = in.report.Keys
	if delivered != nil {
		in.keys = compile.KeyReports(in.report.Values, inForce)
	}
}

// find returns what a table holds of the credential; nil for nothing.
func (in *input) find(holder *table.Table) *table.Credential {
	if holder == nil {
		return nil
	}
	for i := range holder.Credentials {
		if holder.Credentials[i].Name == in.credential.Name && holder.Credentials[i].UID == string(in.credential.UID) {
			return &holder.Credentials[i]
		}
	}
	return nil
}
