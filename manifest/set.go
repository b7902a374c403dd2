package manifest

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
)

// Set is the objects of some files.
type Set struct {
	// Routes that the API server would admit.
	Routes []v1alpha1.ModelRoute
	// Credentials that the API server would admit.
	Credentials []v1alpha1.ProviderCredential
	// Budgets that the API server would admit.
	Budgets []v1alpha1.SpendBudget
	// Secrets with stringData merged into data.
	Secrets []corev1.Secret
	// Namespaces that are declared.
	Namespaces []corev1.Namespace

	places map[key]place
}

// key tells objects apart.
type key struct {
	kind, namespace, name string
}

// Names returns the namespaces of the objects, sorted.
func (s *Set) Names() []string {
	found := map[string]struct{}{}
	for k := range s.places {
		if k.namespace != "" {
			found[k.namespace] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// Declares tells whether the files declare an object, be it one with errors.
func (s *Set) Declares(kind, namespace, name string) bool {
	_, declared := s.places[key{kind, namespace, name}]
	return declared
}

// Position returns where a field of an object is, or what is nearest to it; the zero Position for an object that is not there.
func (s *Set) Position(kind, namespace, name, field string) Position {
	found, declared := s.places[key{kind, namespace, name}]
	if !declared {
		return Position{}
	}
	return found.position(field)
}

// Input returns what the table of a namespace is compiled from. The caller adds what no file holds.
func (s *Set) Input(namespace string) compile.Input {
	in := compile.Input{Namespace: namespace, View: compile.AllNamespaces, Namespaces: s.allNamespaces()}
	in.Routes = inNamespace(s.Routes, namespace, func(o *v1alpha1.ModelRoute) *metav1.ObjectMeta { return &o.ObjectMeta })
	in.Credentials = inNamespace(s.Credentials, namespace, func(o *v1alpha1.ProviderCredential) *metav1.ObjectMeta { return &o.ObjectMeta })
	in.Budgets = inNamespace(s.Budgets, namespace, func(o *v1alpha1.SpendBudget) *metav1.ObjectMeta { return &o.ObjectMeta })
	for _, secret := range inNamespace(s.Secrets, namespace, func(o *corev1.Secret) *metav1.ObjectMeta { return &o.ObjectMeta }) {
		if secret.Labels[v1alpha1.LabelProviderKey] == "true" {
			in.ProviderKeys = append(in.ProviderKeys, secret)
		} else {
			in.UnlabelledSecrets = append(in.UnlabelledSecrets, secret.Name)
		}
		if secret.Labels[v1alpha1.LabelAccessKey] == "true" {
			in.AccessKeys = append(in.AccessKeys, secret)
		}
	}
	return in
}

func inNamespace[O any](objects []O, namespace string, meta func(*O) *metav1.ObjectMeta) []O {
	var chosen []O
	for i := range objects {
		if meta(&objects[i]).Namespace == namespace {
			chosen = append(chosen, objects[i])
		}
	}
	return chosen
}

// allNamespaces returns the declared Namespaces and those that objects are in, with the label that the API server gives each.
func (s *Set) allNamespaces() []corev1.Namespace {
	all := slices.Clone(s.Namespaces)
	for _, name := range s.Names() {
		if !slices.ContainsFunc(all, func(n corev1.Namespace) bool { return n.Name == name }) {
			all = append(all, corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
		}
	}
	for i := range all {
		all[i].Labels = maps.Clone(all[i].Labels)
		if all[i].Labels == nil {
			all[i].Labels = map[string]string{}
		}
		all[i].Labels[corev1.LabelMetadataName] = all[i].Name
	}
	return all
}

func (s *Set) addNamespace(meta metav1.ObjectMeta) {
	s.Namespaces = append(s.Namespaces, corev1.Namespace{ObjectMeta: meta})
}
