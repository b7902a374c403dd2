package spendbudget

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/controllers/report"
	"signalbox.dev/signalbox/controllers/status"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/ledger/kubernetes"
	"signalbox.dev/signalbox/proxy/usage"
)

var cluster *controllertest.Cluster

func TestSpendBudget(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "spendbudget")
}

var _ = BeforeSuite(func() {
	var err error
	cluster, err = controllertest.Start()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(cluster.Stop()).To(Succeed()) })
})

// cached hides the ConfigMaps that the manager's cache would not hold.
type cached struct {
	client.Client
	// withoutPods is a cache that no news of pods have come to.
	withoutPods bool
	// beforeUpdate happens before something is updated.
	beforeUpdate func()
}

func (c cached) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if _, ok := list.(*corev1.PodList); ok && c.withoutPods {
		return nil
	}
	return c.Client.List(ctx, list, options...)
}

func (c cached) Update(ctx context.Context, object client.Object, options ...client.UpdateOption) error {
	if c.beforeUpdate != nil {
		c.beforeUpdate()
	}
	return c.Client.Update(ctx, object, options...)
}

func (c cached) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	if _, ok := object.(*corev1.ConfigMap); ok {
		return controllertest.Labelled{Reader: c.Client, Label: v1alpha1.LabelManagedBy, Value: v1alpha1.ManagedByValue}.Get(ctx, key, object, options...)
	}
	return c.Client.Get(ctx, key, object, options...)
}

// taken are usage records.
type taken struct {
	mutex   sync.Mutex
	records []usage.Record
}

func (t *taken) Write(_ context.Context, records []*usage.Record) error {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for _, record := range records {
		t.records = append(t.records, *record)
	}
	return nil
}

// pods is a Fleet.
type pods struct{ ready, behind atomic.Int64 }

func (p *pods) Acknowledged(string, int64) (ready, behind int) {
	return int(p.ready.Load()), int(p.behind.Load())
}

func (p *pods) Settled(string) bool { return true }

// world is a namespace with a reconciler.
type world struct {
	namespace  string
	reconciler *Reconciler
	clock      *clocktesting.FakePassiveClock
	events     *events.FakeRecorder
	fleet      *pods
	store      *kubernetes.Store
	usage      *taken
}

func newWorld(ctx context.Context) *world {
	GinkgoHelper()
	namespace, err := cluster.NewNamespace(ctx)
	Expect(err).NotTo(HaveOccurred())
	core, err := typedcorev1.NewForConfig(cluster.Config)
	Expect(err).NotTo(HaveOccurred())
	w := &world{
		namespace: namespace, clock: clocktesting.NewFakePassiveClock(now()), events: events.NewFakeRecorder(100), fleet: &pods{}, usage: &taken{},
		store: kubernetes.New(core, namespace, slog.New(slog.DiscardHandler)),
	}
	w.fleet.ready.Store(1)
	w.reconciler = &Reconciler{
		Client: cached{Client: cluster.Client}, Live: cluster.Client, Reports: report.NewReader(cluster.Client), Fleet: w.fleet, Usage: w.usage,
		Status: status.Writer{Client: cluster.Client, Events: w.events, Adverse: Adverse()}, Clock: w.clock,
	}
	return w
}

// add makes a budget of 10 USD a day.
func (w *world) add(ctx context.Context, modify ...func(*v1alpha1.SpendBudget)) *v1alpha1.SpendBudget {
	GinkgoHelper()
	budget := newBudget(modify...)
	budget.Namespace, budget.UID, budget.Generation = w.namespace, "", 0
	Expect(cluster.Client.Create(ctx, budget)).To(Succeed())
	return budget
}

// pod makes a pod of a proxy.
func (w *world) pod(ctx context.Context, name string) *corev1.Pod {
	GinkgoHelper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name, Labels: platform.ProxySelector().MatchLabels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy", Image: "none"}}},
	}
	Expect(cluster.Client.Create(ctx, pod)).To(Succeed())
	return pod
}

// reconcile runs once for the budget "daily".
func (w *world) reconcile(ctx context.Context) reconcile.Result {
	GinkgoHelper()
	result, err := w.reconciler.Reconcile(ctx, reconcile.Request{NamespacedName: w.name()})
	Expect(err).NotTo(HaveOccurred())
	return result
}

func (w *world) name() types.NamespacedName {
	return types.NamespacedName{Namespace: w.namespace, Name: "daily"}
}

// budget reads the budget "daily".
func (w *world) budget(ctx context.Context) *v1alpha1.SpendBudget {
	GinkgoHelper()
	budget := &v1alpha1.SpendBudget{}
	Expect(cluster.Client.Get(ctx, w.name(), budget)).To(Succeed())
	return budget
}

// condition is "Status/Reason" of a condition of the budget "daily".
func (w *world) condition(ctx context.Context, kind string) string {
	GinkgoHelper()
	budget := w.budget(ctx)
	condition := meta.FindStatusCondition(budget.Status.Conditions, kind)
	Expect(condition).NotTo(BeNil(), kind)
	Expect(condition.ObservedGeneration).To(Equal(budget.Generation))
	return string(condition.Status) + "/" + condition.Reason
}

// ledger reads the ledger of the budget "daily".
func (w *world) ledger(ctx context.Context) (*corev1.ConfigMap, error) {
	object := &corev1.ConfigMap{}
	err := cluster.Client.Get(ctx, types.NamespacedName{Namespace: w.namespace, Name: ledger.Name("daily")}, object)
	return object, err
}

// spend enters the cumulative total of a pod in the running window, as a proxy does.
func (w *world) spend(ctx context.Context, nano, seq int64) {
	GinkgoHelper()
	w.enter(ctx, "pod-1/1", ledger.Entry{Totals: ledger.Totals{Spent: nano, Requests: seq}, Seq: seq})
}

// enter writes the entry of an owner into the running window, as a proxy does.
func (w *world) enter(ctx context.Context, owner ledger.Owner, entry ledger.Entry) {
	GinkgoHelper()
	stored, err := w.store.Load(ctx, ledger.Name("daily"))
	Expect(err).NotTo(HaveOccurred())
	spec := w.budget(ctx).Spec.Window
	window, err := ledger.NewWindow(string(spec.Period), spec.TimeZone, w.clock.Now())
	Expect(err).NotTo(HaveOccurred())
	key := ledger.Key{Period: string(spec.Period), TimeZone: spec.TimeZone, ResetID: spec.ResetID, Start: window.Start}
	stored.Record = stored.Record.Clone()
	entry.Updated = w.clock.Now().UTC().Truncate(time.Second)
	stored.Record.Put(key, window.End, owner, entry)
	_, err = w.store.Save(ctx, ledger.Name("daily"), stored)
	Expect(err).NotTo(HaveOccurred())
}

// deliver writes the report of a table that holds the budget "daily", or not.
func (w *world) deliver(ctx context.Context, modify ...func(*compile.ObjectReport)) {
	GinkgoHelper()
	budget := w.budget(ctx)
	object := compile.ObjectReport{
		Kind: compile.KindSpendBudget, Name: budget.Name, UID: string(budget.UID), Generation: budget.Generation, Served: budget.Generation, Since: 4,
	}
	for _, m := range modify {
		m(&object)
	}
	text, err := compile.EncodeReport(compile.Report{Sequence: 4, Objects: []compile.ObjectReport{object}})
	Expect(err).NotTo(HaveOccurred())
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: platform.TableSecret},
		Data:       map[string][]byte{platform.ReportKey: text},
	}
	err = cluster.Client.Create(ctx, secret)
	if apierrors.IsAlreadyExists(err) {
		err = cluster.Client.Update(ctx, secret)
	}
	Expect(err).NotTo(HaveOccurred())
}

// emitted returns the events since it was last asked.
func (w *world) emitted() []string {
	var all []string
	for {
		select {
		case event := <-w.events.Events:
			all = append(all, event)
		default:
			return all
		}
	}
}
