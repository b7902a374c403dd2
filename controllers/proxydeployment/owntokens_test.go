package proxydeployment

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"

	"signalbox.dev/signalbox/proxy/table"
)

// The proxies may ask for tokens of their own ServiceAccount, and of no other, only while a key needs that.
func TestRoleAllowsOwnTokensWhereAKeyNeedsThem(t *testing.T) {
	cases := map[string]struct {
		keys []table.Key
		want bool
	}{
		"no keys":               {},
		"keys in Secrets":       {keys: []table.Key{{Kind: table.APIKey}, {Kind: table.AWSKey}, {Kind: table.GoogleKey}, {Kind: table.AzureSecret}}},
		"other proxies":         {keys: []table.Key{{Kind: table.APIKey}, {Kind: table.ServiceAccountToken}}, want: true},
		"role of AWS":           {keys: []table.Key{{Kind: table.AWSWebIdentity}}, want: true},
		"agent of EKS":          {keys: []table.Key{{Kind: table.AWSPodIdentity}}, want: true},
		"federation of Google":  {keys: []table.Key{{Kind: table.GoogleWorkloadIdentity}}, want: true},
		"federation of Azure":   {keys: []table.Key{{Kind: table.AzureWorkloadIdentity}}, want: true},
		"kind of a later table": {keys: []table.Key{{Kind: "Quantum"}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			compiled := table.Table{Credentials: []table.Credential{{Keys: []table.Key{{}}}, {Keys: tc.keys}}}
			given := role(settings{namespace: "team-a", ownTokens: needsOwnTokens(compiled)}).Rules
			var want []rbacv1.PolicyRule
			if tc.want {
				want = []rbacv1.PolicyRule{{
					APIGroups: []string{""}, Resources: []string{"serviceaccounts/token"}, ResourceNames: []string{"signalbox"}, Verbs: []string{"create"},
				}}
			}
			if diff := cmp.Diff(want, given[1:]); want != nil && diff != "" || len(given) != 1+len(want) {
				t.Errorf("rules beside that of the table (-want +got):\n%s", diff)
			}
		})
	}
}
