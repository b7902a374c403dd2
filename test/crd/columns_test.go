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

// Objects whose columns are as long as they get in practice still fit on a line.
func TestColumnsFit(t *testing.T) {
	config := startEnvironment(t)
	kinds := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(kinds); err != nil {
		t.Fatal(err)
	}
	api, err := client.New(config, client.Options{Scheme: kinds})
	if err != nil {
		t.Fatal(err)
	}
	for resource, fill := range map[string]func() (client.Object, func()){"spendbudgets": longBudget, "providercredentials": longCredential, "modelroutes": longRoute} {
		t.Run(resource, func(t *testing.T) {
			object, observe := fill()
			if err := api.Create(t.Context(), object); err != nil {
				t.Fatal(err)
			}
			observe()
			if err := api.Status().Update(t.Context(), object); err != nil {
				t.Fatal(err)
			}
			width := 0
			for name, cell := range printed(t, config, resource, object) {
				if cell == "" {
					t.Errorf("column %s is empty", name)
				}
				width += max(len(name), len(cell)) + gap
			}
			if width-gap > terminal {
				t.Errorf("a line has %d characters; want at most %d", width-gap, terminal)
			}
		})
	}
}

// since is so long ago that an age is as wide as ages get.
func since() metav1.Time {
	return metav1.NewTime(time.Now().Add(-94 * time.Hour))
}

func metadata() metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "default", Name: "platform-production"}
}

func unknown(kind, reason string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionUnknown, Reason: reason, LastTransitionTime: since()}
}

// longBudget is a SpendBudget, and what writes its status.
func longBudget() (client.Object, func()) {
	budget := &v1alpha1.SpendBudget{
		ObjectMeta: metadata(),
		Spec: v1alpha1.SpendBudgetSpec{
			Limit: v1alpha1.SpendLimit{Amount: "100000.00"}, Window: v1alpha1.BudgetWindow{Period: v1alpha1.PeriodMonth}, Enforcement: v1alpha1.EnforcementObserve,
		},
	}
	start := time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC)
	return budget, func() {
		budget.Status = v1alpha1.SpendBudgetStatus{
			Conditions: []metav1.Condition{unknown(v1alpha1.ConditionReady, "x")},
			Window:     &v1alpha1.WindowStatus{Start: metav1.NewTime(start), End: metav1.NewTime(start.AddDate(0, 1, 0))},
			Spent:      "98765.123456789", Reserved: "1.5", Lost: "0.25", Remaining: "1234.876543211", Percent: new(int64(98)),
		}
	}
}

// longCredential is a ProviderCredential, and what writes its status.
func longCredential() (client.Object, func()) {
	credential := &v1alpha1.ProviderCredential{
		ObjectMeta: metadata(),
		Spec: v1alpha1.ProviderCredentialSpec{
			Provider: v1alpha1.ProviderOpenAICompatible, Endpoint: "http://vllm.models:8000/v1", Auth: v1alpha1.ProviderAuth{None: &v1alpha1.NoAuth{}},
		},
	}
	return credential, func() {
		credential.Status = v1alpha1.ProviderCredentialStatus{
			Conditions: []metav1.Condition{unknown(v1alpha1.ConditionReady, "x"), unknown(v1alpha1.ConditionRotating, v1alpha1.ReasonCheckingKey)},
			UsableKeys: "16/16",
			Health:     &v1alpha1.ProviderHealth{State: v1alpha1.HealthRateLimited, Reason: v1alpha1.ReasonProbeContradicted, Since: since()},
		}
	}
}

// longRoute is a ModelRoute, and what writes its status.
func longRoute() (client.Object, func()) {
	route := &v1alpha1.ModelRoute{
		ObjectMeta: metadata(),
		Spec: v1alpha1.ModelRouteSpec{
			Models:  []v1alpha1.ModelPattern{"claude-sonnet-4-5", "gpt-5.2-mini"},
			Targets: []v1alpha1.RouteTarget{{Name: "primary", CredentialRef: v1alpha1.LocalReference{Name: "openai"}, Model: "gpt-5.2-mini"}},
		},
	}
	return route, func() {
		route.Status = v1alpha1.ModelRouteStatus{
			Conditions: []metav1.Condition{unknown(v1alpha1.ConditionReady, v1alpha1.ReasonSecretNotLabelled)},
			Address:    "http://signalbox.platform-production/v1", AvailableTargets: "16/16",
		}
	}
}

// printed is what `kubectl get` shows of an object without -o wide, by column.
func printed(t *testing.T, config *rest.Config, resource string, object client.Object) map[string]string {
	t.Helper()
	config = rest.CopyConfig(config)
	group := v1alpha1.SchemeGroupVersion()
	config.GroupVersion = &group
	config.APIPath, config.NegotiatedSerializer = "/apis", scheme.Codecs.WithoutConversion()
	reader, err := rest.RESTClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := reader.Get().Namespace(object.GetNamespace()).Resource(resource).Name(object.GetName()).
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
