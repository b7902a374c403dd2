package proxydeployment

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/controllers/report"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/table"
)

// A namespace whose proxies have no port without TLS, and only that, is called with TLS, once it has a table that tells the certificates.
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
			there := newInput(t, func(in *input) { in.namespace, in.routes[0] = "ai", *called })
			applied(t, there, planFor(t, there))
			client := fake.NewClientBuilder().WithScheme(controllertest.Scheme()).WithObjects(called).Build()
			tables := fake.NewClientBuilder().WithScheme(controllertest.Scheme()).Build()
			r := &Reconciler{Client: client, Config: config, Tables: report.NewReader(tables)}
			in := newInput(t, func(in *input) { in.config = config })
			calling("ai", "llama")(&in.routes[0])
			gather := func() {
				if err := r.gatherRemote(t.Context(), in); err != nil {
					t.Fatal(err)
				}
				in.secret, in.previous, in.fresh = nil, nil, newInput(t).fresh
				applied(t, in, planFor(t, in))
			}
			gather()
			found, _ := in.reported.Object(compile.KindModelRoute, "chat")
			if excluded := len(found.Findings) == 1 && found.Findings[0].Reason == v1alpha1.ReasonPending; excluded != tc.want {
				t.Errorf("findings before there is a table: %+v", found.Findings)
			}
			there.secret.UID, there.secret.ResourceVersion = "", ""
			if err := tables.Create(t.Context(), there.secret); err != nil {
				t.Fatal(err)
			}
			gather()
			found, _ = in.reported.Object(compile.KindModelRoute, "chat")
			if len(found.Findings) > 0 {
				t.Errorf("findings %+v", found.Findings)
			}
			at := slices.IndexFunc(in.previous.Credentials, func(c table.Credential) bool { return c.Name == "route:ai" })
			want := table.Credential{Endpoint: "http://signalbox.ai.svc.cluster.local/v1"}
			if tc.want {
				want = table.Credential{Endpoint: "https://signalbox.ai.svc.cluster.local/v1", Certificates: there.previous.Control.CertificatePEM}
			}
			got := table.Credential{Endpoint: in.previous.Credentials[at].Endpoint, Certificates: in.previous.Credentials[at].Certificates}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("called at (-want +got):\n%s", diff)
			}
		})
	}
}
