package report_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/controllers/report"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/table"
)

// secret holds a table and a report of that sequence.
func secret(t *testing.T, sequence int64) *corev1.Secret {
	t.Helper()
	encoded, err := table.Encode(table.Table{Format: table.Format, Sequence: sequence})
	if err != nil {
		t.Fatal(err)
	}
	packed, err := compile.EncodeReport(compile.Report{Sequence: sequence, Objects: []compile.ObjectReport{
		{Kind: compile.KindModelRoute, Name: "chat", Served: sequence}, {Kind: compile.KindSpendBudget, Name: "chat", Served: 99},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: platform.TableSecret, UID: "uid-1"},
		Data:       map[string][]byte{platform.TableKey: encoded, platform.ReportKey: packed},
	}
}

func newReader(objects ...client.Object) (*report.Reader, client.Client) {
	secrets := fake.NewClientBuilder().WithScheme(controllertest.Scheme()).WithObjects(objects...).Build()
	return report.NewReader(secrets), secrets
}

func TestReaderDecodesEachVersionOnce(t *testing.T) {
	reader, _ := newReader(secret(t, 5))
	first, err := reader.View(t.Context(), "team-a")
	if err != nil {
		t.Fatal(err)
	}
	route, ok := first.Object(compile.KindModelRoute, "chat")
	if !ok || route.Served != 5 {
		t.Errorf("the route is %+v", route)
	}
	if _, ok := first.Object(compile.KindModelRoute, "other"); ok {
		t.Error("found what is not there")
	}
	if again, err := reader.View(t.Context(), "team-a"); err != nil || again != first {
		t.Errorf("the same version is decoded again, or %v", err)
	}
}

func TestReaderSeesTheNextVersion(t *testing.T) {
	reader, secrets := newReader(secret(t, 5))
	if _, err := reader.View(t.Context(), "team-a"); err != nil {
		t.Fatal(err)
	}
	next := secret(t, 6)
	if err := secrets.Update(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	second, err := reader.Report(t.Context(), "team-a")
	if err != nil || second.Sequence != 6 {
		t.Errorf("the next version is %+v, %v", second, err)
	}
	delivered, from, err := reader.Table(t.Context(), "team-a")
	if err != nil || delivered.Sequence != 6 || from.Name != platform.TableSecret {
		t.Errorf("the table is %+v, %v", delivered, err)
	}
	if again, _, err := reader.Table(t.Context(), "team-a"); err != nil || again != delivered {
		t.Errorf("the same table is decoded again, or %v", err)
	}
}

func TestReaderWithoutTable(t *testing.T) {
	reader, secrets := newReader(secret(t, 5))
	if view, err := reader.View(t.Context(), "team-b"); view != nil || err != nil {
		t.Errorf("another namespace has %+v, %v", view, err)
	}
	if _, err := reader.View(t.Context(), "team-a"); err != nil {
		t.Fatal(err)
	}
	if err := secrets.Delete(t.Context(), secret(t, 5)); err != nil {
		t.Fatal(err)
	}
	if found, err := reader.Report(t.Context(), "team-a"); found != nil || err != nil {
		t.Errorf("after deletion: %+v, %v", found, err)
	}
	if found, from, err := reader.Table(t.Context(), "team-a"); found != nil || from != nil || err != nil {
		t.Errorf("after deletion: %+v, %v", found, err)
	}
}

func TestReaderTellsWhatItCannotRead(t *testing.T) {
	broken := secret(t, 5)
	broken.Data = map[string][]byte{platform.TableKey: []byte("x"), platform.ReportKey: []byte("x")}
	reader, _ := newReader(broken)
	if _, err := reader.View(t.Context(), "team-a"); err == nil {
		t.Error("a broken report was read")
	}
	if _, from, err := reader.Table(t.Context(), "team-a"); err == nil || from == nil {
		t.Errorf("a broken table was read: %v", err)
	}
}
