package controllertest

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
)

// Route is a valid ModelRoute of that name: the model "NAME-model", one target with the ProviderCredential "provider".
func Route(namespace, name string, changes ...func(*v1alpha1.ModelRoute)) *v1alpha1.ModelRoute {
	route := &v1alpha1.ModelRoute{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.ModelRouteSpec{
			Models: []v1alpha1.ModelPattern{v1alpha1.ModelPattern(name + "-model")},
			Targets: []v1alpha1.RouteTarget{{
				Name: "first", CredentialRef: v1alpha1.LocalReference{Name: "provider"}, Model: "upstream-model",
			}},
		},
	}
	for _, change := range changes {
		change(route)
	}
	return route
}

// Credential is a valid ProviderCredential for an OpenAI-compatible server in the cluster, with the key "api-key" of the Secret "provider-key".
func Credential(namespace, name string, changes ...func(*v1alpha1.ProviderCredential)) *v1alpha1.ProviderCredential {
	credential := &v1alpha1.ProviderCredential{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.ProviderCredentialSpec{
			Provider: v1alpha1.ProviderOpenAICompatible,
			Endpoint: "http://model-server." + namespace + ":8000/v1",
			Auth: v1alpha1.ProviderAuth{Keys: []v1alpha1.ProviderKey{{
				Name: "primary", SecretKeyRef: v1alpha1.SecretKeyReference{Name: "provider-key", Key: "api-key"},
			}}},
		},
	}
	for _, change := range changes {
		change(credential)
	}
	return credential
}

// KeySecret is a labelled Secret of that name with a provider's key.
func KeySecret(namespace, name, key string, changes ...func(*corev1.Secret)) *corev1.Secret {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{v1alpha1.LabelProviderKey: "true"}},
		Data:       map[string][]byte{"api-key": []byte(key)},
	}
	for _, change := range changes {
		change(secret)
	}
	return secret
}

// Unlabelled takes the labels from a Secret.
func Unlabelled(secret *corev1.Secret) { secret.Labels = nil }
