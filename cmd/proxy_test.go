package cmd

import (
	"io"
	"strings"
	"testing"
)

func TestProxyRefusesFlagsThatMakeNoSense(t *testing.T) {
	cases := map[string]struct {
		args []string
		want string
	}{
		"no namespace":    {[]string{"--pod-uid=u", "--namespace="}, "--namespace is required"},
		"no pod UID":      {[]string{"--namespace=n", "--pod-uid="}, "--pod-uid is required"},
		"negative delay":  {[]string{"--namespace=n", "--pod-uid=u", "--drain-delay=-1s"}, "must not be negative"},
		"negative limit":  {[]string{"--namespace=n", "--pod-uid=u", "--drain-limit=-1s"}, "must not be negative"},
		"no bodies":       {[]string{"--namespace=n", "--pod-uid=u", "--max-body-bytes=0"}, "must be greater than zero"},
		"no concurrency":  {[]string{"--namespace=n", "--pod-uid=u", "--max-concurrent=-1"}, "must be greater than zero"},
		"log level":       {[]string{"--log-level=LOUD"}, "log-level"},
		"an argument":     {[]string{"file.yaml"}, "file.yaml"},
		"no such cluster": {[]string{"--namespace=n", "--pod-uid=u", "--kubeconfig=/does/not/exist"}, "reading the kubeconfig"},
		"address that is none": {
			[]string{"--namespace=n", "--pod-uid=u", "--kubeconfig=testdata/kubeconfig", "--addr=nonsense"}, "listening on nonsense",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			command := NewProxy()
			command.SetArgs(tc.args)
			command.SetOut(io.Discard)
			command.SetErr(io.Discard)
			command.SilenceUsage, command.SilenceErrors = true, true
			if err := command.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want it to contain %q", err, tc.want)
			}
		})
	}
}
