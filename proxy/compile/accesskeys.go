package compile

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

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
		d := accessKey(&in.AccessKeys[i], salt, in.Now)
		if before := previous[d.key.name]; before != nil && d.fresh != nil && hmac.Equal(before.HMAC, d.fresh.HMAC) {
			d.last = narrowKey(before, d.fresh)
			d.changed = d.last == nil || !reflect.DeepEqual(d.last, d.fresh)
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

// narrowKey returns the key with what both entries grant, nil if that is nothing: whatever else waits, what is taken away applies.
func narrowKey(before, now *table.AccessKey) *table.AccessKey {
	both := *now
	if both.ExpiresAt.IsZero() || !before.ExpiresAt.IsZero() && before.ExpiresAt.Before(both.ExpiresAt) {
		both.ExpiresAt = before.ExpiresAt
	}
	switch {
	case len(before.Routes) == 0:
	case len(now.Routes) == 0:
		both.Routes = before.Routes
	default:
		both.Routes = slices.DeleteFunc(slices.Clone(now.Routes), func(name string) bool { return !slices.Contains(before.Routes, name) })
		if len(both.Routes) == 0 {
			return nil
		}
	}
	return &both
}

func accessKey(secret *corev1.Secret, salt []byte, now time.Time) *accessKeyDraft {
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
	entry := table.AccessKey{Name: secret.Name, HMAC: mac.Sum(nil)}
	if problem := readTerms(&entry, secret.Annotations, now); problem != nil {
		d.findings = append(d.findings, *problem)
		return &d
	}
	d.accept(&entry)
	return &d
}

// MaxKeyRoutes bounds how many routes an access key lists.
const MaxKeyRoutes = 64

// readTerms reads until when and for which routes a key is good, or says why it is good for nothing. What cannot be read never widens what a key opens.
func readTerms(entry *table.AccessKey, annotations map[string]string, now time.Time) *Finding {
	if text, given := annotations[v1alpha1.AnnotationExpiresAt]; given {
		expiresAt, err := time.Parse(time.RFC3339, strings.TrimSpace(text))
		if err != nil || expiresAt.IsZero() {
			return keyFinding(v1alpha1.ReasonInvalid, v1alpha1.AnnotationExpiresAt,
				fmt.Sprintf("%q is no time; write it as 2027-01-31T00:00:00Z, or remove the annotation for a key without end", bounded(text)))
		}
		entry.ExpiresAt = expiresAt.UTC()
		if !now.IsZero() && !now.Before(entry.ExpiresAt) {
			return keyFinding(v1alpha1.ReasonKeyExpired, v1alpha1.AnnotationExpiresAt,
				fmt.Sprintf("the key expired at %s; delete the Secret, or put in a new key and a later time", entry.ExpiresAt.Format(time.RFC3339)))
		}
	}
	text := annotations[v1alpha1.AnnotationRoutes]
	if strings.TrimSpace(text) == "" {
		return nil
	}
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name != "" && len(name) <= validation.DNS1123SubdomainMaxLength {
			entry.Routes = append(entry.Routes, name)
		}
		if len(entry.Routes) > MaxKeyRoutes {
			return keyFinding(v1alpha1.ReasonInvalid, v1alpha1.AnnotationRoutes, fmt.Sprintf("it lists more than %d routes", MaxKeyRoutes))
		}
	}
	if entry.Routes = unique(entry.Routes); entry.Routes == nil {
		return keyFinding(v1alpha1.ReasonInvalid, v1alpha1.AnnotationRoutes, "it names no ModelRoute; list names separated by commas, or remove the annotation")
	}
	return nil
}

func keyFinding(reason, annotation, problem string) *Finding {
	field := "metadata.annotations[" + annotation + "]"
	return &Finding{Condition: v1alpha1.ConditionReady, Reason: reason, Message: field + ": " + problem, Field: field}
}

// unknownRoutes tells of routes that a key lists and that do not exist. The key opens the others.
func unknownRoutes(entry *table.AccessKey, routes []v1alpha1.ModelRoute) []Finding {
	var unknown []string
	for _, name := range entry.Routes {
		if !slices.ContainsFunc(routes, func(r v1alpha1.ModelRoute) bool { return r.Name == name }) {
			unknown = append(unknown, fmt.Sprintf("%q", bounded(name)))
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return []Finding{*keyFinding(v1alpha1.ReasonRouteNotFound, v1alpha1.AnnotationRoutes,
		"this namespace has no ModelRoute "+bounded(strings.Join(unknown, ", "))+"; correct the names or create the routes")}
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
