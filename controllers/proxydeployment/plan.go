package proxydeployment

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/controllers/secrets"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	// foreignRecheck is when to look again whether somebody else's object is still in the way; nothing tells when it goes.
	foreignRecheck = 30 * time.Second
	// drainRecheck is when to look again whether the last proxies have ended.
	drainRecheck = 5 * time.Second
	// soonest keeps a time that has come already from asking again without a pause.
	soonest = 100 * time.Millisecond
	// longest is the longest time until the next look, when nothing happens.
	longest = 12 * time.Hour
)

// plan is what is to be written, in this order.
type plan struct {
	namespace string
	// access lists the objects that let the proxies read what the table names. They come first: a table must name nothing that a proxy is refused.
	access []write
	// handover, if not nil, is the number of replicas to hand over to the autoscaler before anything else.
	handover *int32
	// table, if not nil, is the Secret to write, and tableSize the bytes in it.
	table     *write
	tableSize int
	// notices to give once the table is written.
	notices []notice
	// objects to apply besides access.
	objects []write
	// remove lists objects that are no longer wanted.
	remove []object
	// next is when to look again.
	next time.Duration
}

// write is one object to apply.
type write struct {
	document *unstructured.Unstructured
	// uid of the object that is applied to; empty if it has to be made.
	uid types.UID
	// resourceVersion that it must still have; empty if any will do.
	resourceVersion string
}

// makePlan decides what to write. It is pure.
func makePlan(in *input) (*plan, error) {
	p := &plan{namespace: in.namespace, next: longest}
	if !in.serves() {
		p.next = 0
		p.addRemoval(in)
		return p, nil
	}
	compiled := compile.Compile(in.compileInput())
	addConflicts(&compiled.Report, in.foreign)
	addLedgerTrouble(&compiled.Report, in.ledgerTrouble)
	if in.foreign[tablePart()] {
		// Nothing can be delivered, so nothing is started.
		p.next = foreignRecheck
		return p, nil
	}
	if err := p.addTable(in, compiled); err != nil {
		return nil, err
	}
	s := in.settings(ledgerNames(in, compiled.Table))
	s.ownTokens = needsOwnTokens(compiled.Table)
	var err error
	if s.ledgerStore, err = compiled.Table.Ledgers.Digest(); err != nil {
		return nil, fmt.Errorf("telling the ledgers' store apart: %w", err)
	}
	if err := p.addObjects(in, objects(s)); err != nil {
		return nil, err
	}
	for _, part := range unwanted(in, wantedParts(s)) {
		p.remove = append(p.remove, in.existing[part])
	}
	p.addTimes(in, &compiled)
	return p, nil
}

// compileInput is what the compiler reads.
func (in *input) compileInput() compile.Input {
	return compile.Input{
		Namespace:         in.namespace,
		Routes:            in.routes,
		Credentials:       in.credentials,
		Budgets:           in.budgets,
		ProviderKeys:      in.referenced.Labelled,
		UnlabelledSecrets: in.referenced.Unlabelled,
		AccessKeys:        in.accessKeys,
		Namespaces:        in.namespaces,
		View:              in.view(),
		Remote:            in.remote,
		Issuers:           in.issuers(),
		Endpoints:         in.config.EndpointRules(in.facts.Addresses),
		ClusterDomain:     in.config.ClusterDomain,
		Ledgers:           in.stores.ledgers,
		Usage:             in.stores.usage,
		Tracing:           in.config.TraceTarget(),
		Lists:             in.lists,
		Verdicts:          in.verdicts,
		Previous:          in.previous,
		Fresh:             in.fresh,
		Now:               in.now,
	}
}

// addConflicts tells every route which objects are somebody else's.
func addConflicts(report *compile.Report, foreign map[part]bool) {
	if len(foreign) == 0 {
		return
	}
	names := make([]string, 0, len(foreign))
	for part := range foreign {
		names = append(names, part.String())
	}
	slices.Sort(names)
	finding := compile.Finding{
		Condition: v1alpha1.ConditionProgrammed,
		Reason:    v1alpha1.ReasonConflict,
		Message:   conflictMessage(names),
	}
	for i := range report.Objects {
		if report.Objects[i].Kind == compile.KindModelRoute {
			report.Objects[i].Findings = append(report.Objects[i].Findings, finding)
		}
	}
}

// conflictMessage tells which objects are in the way.
func conflictMessage(names []string) string {
	return fmt.Sprintf("the proxy needs names that are taken by objects that Signalbox did not make, and it does not take them over: %s; rename or delete them",
		strings.Join(names, ", "))
}

// addTable plans the Secret, if it changed and it is time to write.
func (p *plan) addTable(in *input, compiled compile.Result) error {
	encoded, err := table.Encode(compiled.Table)
	if err != nil {
		return err
	}
	report, err := compile.EncodeReport(compiled.Report)
	if err != nil {
		return err
	}
	if in.secret != nil && bytes.Equal(in.secret.Data[platform.TableKey], encoded) && bytes.Equal(in.secret.Data[platform.ReportKey], report) &&
		in.secret.Labels[v1alpha1.LabelComponent] == v1alpha1.ComponentProxy {
		return nil
	}
	if wait := in.waitFor(&compiled.Table); wait > 0 {
		p.next = wait
		return nil
	}
	secret := &corev1.Secret{
		TypeMeta:   typeMeta(secretKind()),
		ObjectMeta: in.settings(nil).meta(platform.TableSecret),
		Type:       corev1.SecretTypeOpaque,
		Data:       map[string][]byte{platform.TableKey: encoded, platform.ReportKey: report},
	}
	secret.Annotations = map[string]string{platform.AnnotationRevision: compiled.Table.Revision}
	built, err := document(secret)
	if err != nil {
		return err
	}
	p.table, p.tableSize = &write{document: built}, len(encoded)+len(report)
	p.notices = notices(in, &compiled)
	if in.secret != nil {
		p.table.uid, p.table.resourceVersion = in.secret.UID, in.secret.ResourceVersion
	}
	return nil
}

// waitFor is how long a table has to wait.
func (in *input) waitFor(next *table.Table) time.Duration {
	if in.pace > 0 && in.previous != nil && compile.TakesAway(in.previous, next) {
		return in.urgent
	}
	return in.pace
}

// addObjects plans the objects that are not yet as wanted. Those of others are left alone.
func (p *plan) addObjects(in *input, wanted []object) error {
	for _, next := range wanted {
		if in.foreign[partOf(next)] {
			continue
		}
		built, err := document(next)
		if err != nil {
			return err
		}
		existing := in.existing[partOf(next)]
		done, err := inForce(built, existing)
		if err != nil {
			return err
		}
		if done {
			continue
		}
		planned := write{document: built, uid: in.unseen[partOf(next)]}
		if existing != nil {
			planned.uid = existing.GetUID()
		}
		if grantsAccess(partOf(next)) {
			p.access = append(p.access, planned)
			continue
		}
		p.objects = append(p.objects, planned)
		p.addHandover(next, existing)
	}
	return nil
}

// addRemoval plans to remove everything. What the last proxies need to write down what they spent, and what keeps others out of them, stays until they
// have ended: a stream may go on for as long as the drain limit.
func (p *plan) addRemoval(in *input) {
	parts := unwanted(in, nil)
	draining := in.pods > 0 || slices.ContainsFunc(parts, func(part part) bool { return part.kind.Kind == kindDeployment })
	for _, part := range parts {
		if draining && (grantsAccess(part) || part.kind.Kind == kindNetworkPolicy) {
			p.next = drainRecheck
			continue
		}
		p.remove = append(p.remove, in.existing[part])
	}
}

// addHandover keeps the number of replicas when an autoscaler takes over.
func (p *plan) addHandover(wanted, existing object) {
	want, isDeployment := wanted.(*appsv1.Deployment)
	have, exists := existing.(*appsv1.Deployment)
	if isDeployment && exists && want.Spec.Replicas == nil && ownsReplicas(have) {
		p.handover = have.Spec.Replicas
	}
}

// unwanted lists our objects that are not among the wanted parts, ordered by kind and name.
func unwanted(in *input, wanted []part) []part {
	byName := func(a, b part) int { return strings.Compare(a.kind.Kind+"/"+a.name, b.kind.Kind+"/"+b.name) }
	var parts []part
	for _, part := range slices.SortedFunc(maps.Keys(in.existing), byName) {
		if !slices.Contains(wanted, part) && in.existing[part].GetDeletionTimestamp().IsZero() {
			parts = append(parts, part)
		}
	}
	return parts
}

// ledgerNames are the ledger objects that the proxies may write: those of the table's budgets, and those whose budget is gone but whose window is not over.
// With ledgers elsewhere the latter alone are left, for proxies that began before the move.
func ledgerNames(in *input, compiled table.Table) []string {
	names := slices.Clone(in.ledgers)
	if compiled.Ledgers.Valkey != nil {
		slices.Sort(names)
		return names
	}
	for i := range compiled.Budgets {
		names = append(names, compiled.Budgets[i].Ledger)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// needsOwnTokens tells whether the proxies need tokens of their ServiceAccount from the API server.
func needsOwnTokens(compiled table.Table) bool {
	for i := range compiled.Credentials {
		if slices.ContainsFunc(compiled.Credentials[i].Keys, func(key table.Key) bool { return key.Kind.OwnToken() }) {
			return true
		}
	}
	return false
}

// addTimes finds out when to look again though nothing happened.
func (p *plan) addTimes(in *input, compiled *compile.Result) {
	p.next = min(p.next, max(renewAt(&compiled.Table).Sub(in.now), time.Second))
	if !compiled.Next.IsZero() {
		p.next = min(p.next, max(compiled.Next.Sub(in.now), soonest))
	}
	if !in.referenced.Complete() {
		p.next = min(p.next, secrets.RecheckAfter)
	}
	if len(in.foreign) > 0 {
		p.next = min(p.next, foreignRecheck)
	}
}
