package node

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAdapt(t *testing.T) {
	const proxy = `{"serviceAccountName":"signalbox","priorityClassName":"high","containers":[{"name":"proxy","image":"i",
		"args":["proxy","--table-dir=/etc/signalbox/table","--addr=:8080","--control-addr=:8443"],
		"ports":[{"name":"data","containerPort":8080,"protocol":"TCP"},{"name":"control","containerPort":8443},{"name":"metrics","containerPort":9090}],
		"volumeMounts":[{"name":"outer","mountPath":"/etc/signalbox"},{"name":"table","mountPath":"/etc/signalbox/table"}]}]}`
	adapted, err := adapt(json.RawMessage(proxy), place{folder: "/pods/a", ports: []int{1001, 1002, 1003}})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(adapted, &got); err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	const expected = `{"serviceAccountName":"signalbox","priorityClassName":"high","nodeName":"processes","containers":[{"name":"proxy","image":"i",
		"args":["proxy","--table-dir=/pods/a/mounts/table","--addr=127.0.0.1:1001","--control-addr=127.0.0.1:1002","--metrics-addr=127.0.0.1:1003"],
		"ports":[{"name":"data","containerPort":1001,"protocol":"TCP"},{"name":"control","containerPort":1002},{"name":"metrics","containerPort":1003}],
		"volumeMounts":[{"name":"outer","mountPath":"/etc/signalbox"},{"name":"table","mountPath":"/etc/signalbox/table"}]}]}`
	if err := json.Unmarshal([]byte(expected), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAdaptRefuses(t *testing.T) {
	tests := map[string]struct {
		spec  string
		ports []int
	}{
		"two containers":          {spec: `{"containers":[{},{}]}`},
		"no container":            {spec: `{}`},
		"fewer ports than wanted": {spec: `{"containers":[{"ports":[{"name":"a","containerPort":1}]}]}`},
		"no object":               {spec: `[]`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if adapted, err := adapt(json.RawMessage(tc.spec), place{ports: tc.ports}); err == nil {
				t.Errorf("adapt() = %s", adapted)
			}
		})
	}
}

func TestVariables(t *testing.T) {
	of := container{}
	const env = `{"env":[{"name":"PLAIN","value":"x"},{"name":"POD_NAME","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}},
		{"name":"POD_UID","valueFrom":{"fieldRef":{"fieldPath":"metadata.uid"}}},{"name":"POD_IP","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}}]}`
	if err := json.Unmarshal([]byte(env), &of); err != nil {
		t.Fatal(err)
	}
	values, err := variables(of, meta{Name: "a", UID: "u"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"--pod=a/u", "--ip=", "--plain=x", "--other=$(OTHER)"}
	if diff := cmp.Diff(want, expand([]string{"--pod=$(POD_NAME)/$(POD_UID)", "--ip=$(POD_IP)", "--plain=$(PLAIN)", "--other=$(OTHER)"}, values)); diff != "" {
		t.Error(diff)
	}
	of.Env[1].ValueFrom.FieldRef.FieldPath = "spec.nodeName"
	if _, err := variables(of, meta{}); err == nil {
		t.Error("a field that is not known must be an error, not an empty variable")
	}
}

func TestProbeURL(t *testing.T) {
	tests := map[string]struct {
		container string
		want      string
		refused   bool
	}{
		"none":            {container: `{}`},
		"by name":         {container: `{"ports":[{"name":"m","containerPort":7}],"readinessProbe":{"httpGet":{"path":"/r","port":"m"}}}`, want: "http://127.0.0.1:7/r"},
		"by number":       {container: `{"ports":[{"name":"m","containerPort":7}],"readinessProbe":{"httpGet":{"path":"/r","port":7}}}`, want: "http://127.0.0.1:7/r"},
		"of another port": {container: `{"ports":[{"name":"m","containerPort":7}],"readinessProbe":{"httpGet":{"path":"/r","port":"x"}}}`, refused: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var of container
			if err := json.Unmarshal([]byte(tc.container), &of); err != nil {
				t.Fatal(err)
			}
			got, err := probeURL(of)
			if got != tc.want || (err != nil) != tc.refused {
				t.Errorf("probeURL() = %q, %v", got, err)
			}
		})
	}
}
