package compile

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/table"
)

type accessKeyDraft = draft[table.AccessKey]

// accessKeyDrafts reads the access keys under the salt. Of two Secrets with the same key the older one is the caller, and then the smaller name.
func accessKeyDrafts(in *Input, salt []byte) []*accessKeyDraft {
	previous := map[string]*table.AccessKey{}
	if in.Previous != nil {
		for i := range in.Previous.AccessKeys {
			previous[in.Previous.AccessKeys[i].Name] = &in.Previous.AccessKeys[i]
		}
	}
	drafts := make([]*accessKeyDraft, 0, len(in.AccessKeys))
	for i := range in.AccessKeys {
		d := accessKey(&in.AccessKeys[i], salt)
		if before := previous[d.key.name]; before != nil && d.fresh != nil && hmac.Equal(before.HMAC, d.fresh.HMAC) {
			d.last, d.changed = before, false
		}
		drafts = append(drafts, d)
	}
	slices.SortFunc(drafts, (*accessKeyDraft).compareAge)
	owners := make(map[string]string, len(drafts))
	for _, d := range drafts {
		if d.fresh == nil {
			continue
		}
		if owner, taken := owners[string(d.fresh.HMAC)]; taken {
			refuse(d, fmt.Sprintf("Secret %q holds the same key and was there first", owner))
			continue
		}
		owners[string(d.fresh.HMAC)] = d.key.name
	}
	return drafts
}

func accessKey(secret *corev1.Secret, salt []byte) *accessKeyDraft {
	d := newDraft[table.AccessKey](KindSecret, secret.ObjectMeta)
	stored, ok := secret.Data[v1alpha1.AccessKeySecretKey]
	if !ok {
		refuse(&d, fmt.Sprintf("an access-key Secret holds its key under %q", v1alpha1.AccessKeySecretKey))
		return &d
	}
	text, defect := keyText(stored)
	if defect == "" && strings.Contains(text, " ") {
		defect = "has a space in it"
	}
	if defect != "" {
		refuse(&d, fmt.Sprintf("the value of %q %s", v1alpha1.AccessKeySecretKey, defect))
		return &d
	}
	mac := hmac.New(sha256.New, salt)
	mac.Write([]byte(text))
	d.accept(&table.AccessKey{Name: secret.Name, HMAC: mac.Sum(nil)})
	return &d
}

// refuse leaves an access key out: an old value that was replaced must not open anything, so there is no last good one.
func refuse(d *accessKeyDraft, problem string) {
	d.fresh, d.last, d.changed = nil, nil, false
	d.findings = append(d.findings, Finding{
		Condition: v1alpha1.ConditionReady,
		Reason:    v1alpha1.ReasonInvalidKey,
		Message:   problem,
		Field:     "data." + v1alpha1.AccessKeySecretKey,
	})
}
