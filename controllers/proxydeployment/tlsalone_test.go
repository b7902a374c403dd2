package proxydeployment

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/controllers/report"
	"signalbox.dev/signalbox/proxy/compile"
)

// A namespace whose proxies have no port without TLS, and only that, cannot be called from others.
func TestRoutesOfNamespacesThatSpeakTLSAlone(t *testing.T) {
	const image = "image: 'registry.example/signalbox:1.0'"
	cases := map[string]struct {
		config string
		want   bool
	}{
		"no TLS":                         {"proxy: {" + image + "}", false},
		"TLS beside plaintext":           {"proxy: {" + image + "}\nnamespaces: {ai: {tls: {secretName: web}}}", false},
		"there":                          {"proxy: {" + image + "}\nnamespaces: {ai: {tls: {secretName: web, plaintext: Disabled}}}", true},
		"here":                           {"proxy: {" + image + "}\nnamespaces: {team-a: {tls: {secretName: web, plaintext: Disabled}}}", false},
		"everywhere":                     {"proxy: {" + image + ", tls: {secretName: web, plaintext: Disabled}}", true},
		"everywhere, with plaintext too": {"proxy: {" + image + ", tls: {secretName: web, plaintext: Disabled}}\nnamespaces: {ai: {tls: {plaintext: Enabled}}}", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			config := parseConfig(t, tc.config)
			called := controllertest.Route("ai", "llama", admitting("team-a"))
			client := fake.NewClientBuilder().WithScheme(controllertest.Scheme()).WithObjects(called).Build()
			r := &Reconciler{Client: client, Config: config, Tables: report.NewReader(client)}
			in := newInput(t, func(in *input) { in.config = config })
			calling("ai", "llama")(&in.routes[0])
			if err := r.gatherRemote(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			if got := in.remote["ai/llama"].TLSAlone; got != tc.want {
				t.Errorf("the called namespace is said to speak TLS alone: %v", got)
			}
			applied(t, in, planFor(t, in))
			found, _ := in.reported.Object(compile.KindModelRoute, "chat")
			if excluded := len(found.Findings) == 1 && found.Findings[0].Reason == v1alpha1.ReasonUnsupportedValue; excluded != tc.want {
				t.Errorf("findings %+v", found.Findings)
			}
		})
	}
}
