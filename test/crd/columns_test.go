package crd

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
)

const (
	// terminal is how wide a line of `kubectl get` may be, and gap what it puts between two columns.
	terminal = 120
	gap      = 3
)

// A SpendBudget whose columns are as long as they get in practice still fits on a line.
func TestColumnsOfSpendBudgetsFit(t *testing.T) {
	config := startEnvironment(t)
	kinds := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(kinds); err != nil {
		t.Fatal(err)
	}
	api, err := client.New(config, client.Options{Scheme: kinds})
	if err != nil {
		t.Fatal(err)
	}
	budget := &v1alpha1.SpendBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "platform-production"},
		Spec: v1alpha1.SpendBudgetSpec{
			Limit: v1alpha1.SpendLimit{Amount: "100000.00"}, Window: v1alpha1.BudgetWindow{Period: v1alpha1.PeriodMonth}, Enforcement: v1alpha1.EnforcementObserve,
		},
	}
	if err := api.Create(t.Context(), budget); err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC)
	budget.Status = v1alpha1.SpendBudgetStatus{
		Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionUnknown, Reason: "x", LastTransitionTime: metav1.NewTime(start)}},
		Window:     &v1alpha1.WindowStatus{Start: metav1.NewTime(start), End: metav1.NewTime(start.AddDate(0, 1, 0))},
		Spent:      "98765.123456789", Reserved: "1.5", Lost: "0.25", Remaining: "1234.876543211", Percent: new(int64(98)),
	}
	if err := api.Status().Update(t.Context(), budget); err != nil {
		t.Fatal(err)
	}
	width := 0
	for name, cell := range printed(t, config, budget) {
		if cell == "" {
			t.Errorf("column %s is empty", name)
		}
		width += max(len(name), len(cell)) + gap
	}
	if width-gap > terminal {
		t.Errorf("a line has %d characters; want at most %d", width-gap, terminal)
	}
}

// printed is what `kubectl get` shows of a SpendBudget without -o wide, by column.
func printed(t *testing.T, config *rest.Config, budget *v1alpha1.SpendBudget) map[string]string {
	t.Helper()
	config = rest.CopyConfig(config)
	group := v1alpha1.SchemeGroupVersion()
	config.GroupVersion = &group
	config.APIPath, config.NegotiatedSerializer = "/apis", scheme.Codecs.WithoutConversion()
	reader, err := rest.RESTClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := reader.Get().Namespace(budget.Namespace).Resource("spendbudgets").Name(budget.Name).
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var table metav1.Table
	if err := json.Unmarshal(answer, &table); err != nil {
		t.Fatal(err)
	}
	if len(table.Rows) != 1 {
		t.Fatalf("%d rows", len(table.Rows))
	}
	cells := map[string]string{}
	for i, column := range table.ColumnDefinitions {
		if column.Priority == 0 {
			cells[column.Name] = fmt.Sprint(table.Rows[0].Cells[i])
		}
	}
	return cells
}
