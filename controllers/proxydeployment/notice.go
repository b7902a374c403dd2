package proxydeployment

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"signalbox.dev/signalbox/proxy/compile"
)

// noticeAction is what the events say was being done.
const noticeAction = "Compile"

// notice is an event about an access-key Secret: it has no status of ours that could say what is wrong with it.
type notice struct {
	secret  *corev1.Secret
	reason  string
	message string
}

// notices lists the access-key Secrets of which a report says something that the one in force did not. What was told is kept beside the table, so it is
// told once, also when the manager starts anew.
func notices(in *input, compiled *compile.Result) []notice {
	told, known := secretFindings(&compiled.Report), secretFindings(in.reported)
	opens := make(map[string]bool, len(compiled.Table.AccessKeys))
	for i := range compiled.Table.AccessKeys {
		opens[compiled.Table.AccessKeys[i].Name] = true
	}
	var list []notice
	for i := range in.accessKeys {
		secret := &in.accessKeys[i]
		now := told[secret.UID]
		if len(now) == 0 || slices.Equal(now, known[secret.UID]) {
			continue
		}
		messages := make([]string, 0, len(now))
		for _, finding := range now {
			messages = append(messages, finding.Message)
		}
		effect := "this access key opens nothing: "
		if opens[secret.Name] {
			effect = "this access key works, but "
		}
		list = append(list, notice{secret: secret, reason: now[0].Reason, message: effect + strings.Join(messages, "; ")})
	}
	return list
}

// secretFindings returns what a report says of Secrets, nothing if there is no report.
func secretFindings(report *compile.Report) map[types.UID][]compile.Finding {
	if report == nil {
		return nil
	}
	found := map[types.UID][]compile.Finding{}
	for i := range report.Objects {
		if object := &report.Objects[i]; object.Kind == compile.KindSecret {
			found[types.UID(object.UID)] = object.Findings
		}
	}
	return found
}

// give emits notices as events.
func (r *Reconciler) give(notices []notice) {
	for _, n := range notices {
		r.Events.Eventf(n.secret, nil, corev1.EventTypeWarning, n.reason, noticeAction, "%s", n.message)
	}
}
