package shell

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// No program may see the user's own cluster, whatever the user's environment says.
func TestEnvironmentIsTheDemosOwn(t *testing.T) {
	t.Setenv("KUBECONFIG", "/home/me/.kube/config")
	t.Setenv("HELM_KUBECONTEXT", "production")
	t.Setenv("MAKEFLAGS", "-j8")
	sh := Shell{Root: t.TempDir(), State: "/state", Kubeconfig: "/state/kubeconfig"}
	text, err := sh.Read(context.Background(), "env")
	if err != nil {
		t.Fatal(err)
	}
	for _, unwanted := range []string{"/home/me", "production", "-j8"} {
		if strings.Contains(text, unwanted) {
			t.Errorf("%s reached a program", unwanted)
		}
	}
	for _, wanted := range []string{"KUBECONFIG=/state/kubeconfig", "KUBECACHEDIR=/state/kubectl", "HELM_CACHE_HOME=/state/helm"} {
		if !strings.Contains(text, wanted) {
			t.Errorf("%s is missing", wanted)
		}
	}
}

func TestShowIndentsAndErrorsSayWhatFailed(t *testing.T) {
	var out bytes.Buffer
	sh := Shell{Root: t.TempDir(), Out: &out}
	if err := sh.Show(context.Background(), "printf", `one\ntwo`); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "    one\n    two"; got != want {
		t.Errorf("shown %q, want %q", got, want)
	}
	_, err := sh.Read(context.Background(), "sh", "-c", "echo the reason >&2; exit 3")
	if err == nil || !strings.Contains(err.Error(), "the reason") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("Read() = %v", err)
	}
	if _, err := sh.Read(context.Background(), "no-such-program"); err == nil || !strings.Contains(err.Error(), "not installed") {
		t.Errorf("Read() = %v", err)
	}
}

func TestUntil(t *testing.T) {
	looks := 0
	err := Until(context.Background(), time.Minute, func(context.Context) error {
		if looks++; looks < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil || looks != 3 {
		t.Errorf("Until() = %v after %d looks", err, looks)
	}
	missing := errors.New("a pod is missing")
	if err := Until(context.Background(), time.Millisecond, func(context.Context) error { return missing }); !errors.Is(err, missing) {
		t.Errorf("Until() = %v, want what was missing", err)
	}
}
