package cmd

import (
	"io"
	"net/netip"
	"strings"
	"testing"

	"signalbox.dev/signalbox/proxy/server"
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
		"no journal":      {[]string{"--namespace=n", "--pod-uid=u", "--journal-bytes=1000"}, "--journal-bytes must be at least"},
		"no address":      {[]string{"--namespace=n", "--pod-uid=u", "--pod-ip=here"}, "reading --pod-ip"},
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

// TestLargestBodyFitsTheBuffers: what can never be held is refused as too large, not as something to try again.
func TestLargestBodyFitsTheBuffers(t *testing.T) {
	for name, tc := range map[string]struct{ body, buffered, want int64 }{
		"roomy": {body: 32 << 20, buffered: 1 << 30, want: 32 << 20},
		"tight": {body: 32 << 20, buffered: 32 << 20, want: 16 << 20},
		"tiny":  {body: 32 << 20, buffered: 1, want: 1},
	} {
		t.Run(name, func(t *testing.T) {
			flags := proxyFlags{limits: server.Limits{BodyBytes: tc.body, BufferedBytes: tc.buffered}}
			if got := flags.bounded(); got.BodyBytes != tc.want || got.BufferedBytes != tc.buffered {
				t.Errorf("bodies of %d bytes in buffers of %d, want %d", got.BodyBytes, got.BufferedBytes, tc.want)
			}
		})
	}
}

// TestReplicasAreLookedForByTheirOwnFamily: without an address or a Service there is nobody to look for.
func TestReplicasAreLookedForByTheirOwnFamily(t *testing.T) {
	pod := netip.MustParseAddr("10.0.0.1")
	if lookup("", pod) != nil || lookup("signalbox-control", netip.Addr{}) != nil {
		t.Error("something is looked up that cannot be")
	}
	for name, tc := range map[string]struct{ service, pod, want string }{
		"IPv4":           {service: "192.0.2.7", pod: "10.0.0.1", want: "192.0.2.7"},
		"IPv4 in IPv6":   {service: "192.0.2.7", pod: "::ffff:10.0.0.1", want: "192.0.2.7"},
		"IPv6":           {service: "2001:db8::7", pod: "fd00::1", want: "2001:db8::7"},
		"another family": {service: "2001:db8::7", pod: "10.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := lookup(tc.service, netip.MustParseAddr(tc.pod))(t.Context())
			if tc.want == "" {
				if err == nil {
					t.Errorf("found %v", found)
				}
				return
			}
			if err != nil || len(found) != 1 || found[0].Unmap().String() != tc.want {
				t.Errorf("found %v, %v, want %s", found, err, tc.want)
			}
		})
	}
}
