package compile

import (
	"cmp"
	"fmt"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	// standardCounters is the default of maxCounters, mostCounters its bound.
	standardCounters = 1000
	mostCounters     = 10000
)

// readCounters reads what a budget counts apart, and the limits of single counters.
func readCounters(entry *table.Budget, spec *v1alpha1.SpendBudgetSpec) []Finding {
	var findings []Finding
	switch spec.Counter {
	case "", v1alpha1.CounterShared:
		return sharedDefects(spec)
	case v1alpha1.CounterPerCaller:
		entry.Counter = table.CountPerCaller
	case v1alpha1.CounterPerEndUser:
		entry.Counter = table.CountPerEndUser
	case v1alpha1.CounterPerTag:
		entry.Counter, entry.TagKey = table.CountPerTag, spec.TagKey
	default:
		return []Finding{unsupported(v1alpha1.ConditionEnforced, "spec.counter", string(spec.Counter))}
	}
	if (spec.TagKey != "") != (spec.Counter == v1alpha1.CounterPerTag) {
		findings = append(findings, misfit("spec.tagKey", "tagKey is needed with counter PerTag, and only there"))
	}
	if spec.Counter != v1alpha1.CounterPerCaller && len(spec.TrustedCallers) == 0 {
		findings = append(findings, misfit("spec.trustedCallers",
			"counter PerEndUser and PerTag need trustedCallers: nobody else is believed when it names an end user or a tag"))
	}
	entry.MaxCounters = standardCounters
	if spec.MaxCounters != nil {
		entry.MaxCounters = *spec.MaxCounters
	}
	if entry.MaxCounters < 1 || entry.MaxCounters > mostCounters {
		findings = append(findings, misfit("spec.maxCounters", fmt.Sprintf("%d is not between 1 and %d", entry.MaxCounters, mostCounters)))
	}
	return append(findings, readLimits(entry, spec)...)
}

// sharedDefects tells of fields that mean nothing when all calls are counted together.
func sharedDefects(spec *v1alpha1.SpendBudgetSpec) []Finding {
	var findings []Finding
	if spec.TagKey != "" {
		findings = append(findings, misfit("spec.tagKey", "tagKey is needed with counter PerTag, and only there"))
	}
	if spec.MaxCounters != nil {
		findings = append(findings, misfit("spec.maxCounters", "maxCounters needs a counter other than Shared"))
	}
	if len(spec.Limits) > 0 {
		findings = append(findings, misfit("spec.limits", "limits need a counter other than Shared"))
	}
	return findings
}

// readLimits reads the limits of single counters.
func readLimits(entry *table.Budget, spec *v1alpha1.SpendBudgetSpec) []Finding {
	var findings []Finding
	for i := range spec.Limits {
		path := fmt.Sprintf("spec.limits[%d]", i)
		subject, problem := limitSubject(entry.Counter, &spec.Limits[i])
		if problem != "" {
			findings = append(findings, misfit(path, problem))
			continue
		}
		amount, defects := budgetAmount(spec.Limits[i].Amount, path+".amount")
		findings = append(findings, defects...)
		if _, twice := entry.Limits[subject]; twice {
			findings = append(findings, misfit(path, fmt.Sprintf("the limit of %q is there twice", bounded(subject))))
		}
		if entry.Limits == nil {
			entry.Limits = make(map[string]int64, len(spec.Limits))
		}
		entry.Limits[subject] = amount
	}
	return findings
}

// limitSubject is the subject whose limit it is, or what is wrong with it.
func limitSubject(counter table.Counter, limit *v1alpha1.CounterLimit) (subject, problem string) {
	if limitKinds(limit) != 1 {
		return "", "a limit needs exactly one of serviceAccount, accessKey, user, endUser and tagValue"
	}
	subject = LimitSubject(limit)
	switch counter {
	case table.CountPerCaller:
		if limit.EndUser != "" || limit.TagValue != "" {
			problem = "with counter PerCaller each of limits names a serviceAccount, an accessKey or a user"
		} else if limit.User != nil {
			problem = userDefect(limit.User)
		}
	case table.CountPerEndUser:
		if limit.EndUser == "" {
			problem = "with counter PerEndUser each of limits names an endUser"
		}
	default:
		if limit.TagValue == "" {
			problem = "with counter PerTag each of limits names a tagValue"
		}
	}
	return subject, problem
}

func limitKinds(limit *v1alpha1.CounterLimit) int {
	kinds := given(limit.AccessKey, limit.EndUser, limit.TagValue)
	if limit.ServiceAccount != nil {
		kinds++
	}
	if limit.User != nil {
		kinds++
	}
	return kinds
}

// userDefect is what is wrong with the name of one caller of an issuer; empty if nothing is.
func userDefect(user *v1alpha1.UserReference) string {
	if problem := issuerDefect(user.Issuer); problem != "" {
		return "user.issuer: " + problem
	}
	if user.Name == "" {
		return "user.name: nobody has an empty name"
	}
	return ""
}

// LimitSubject is whose counter has the limit: the caller as a proxy names it, the end user, or the tag's value.
func LimitSubject(limit *v1alpha1.CounterLimit) string {
	switch {
	case limit.ServiceAccount != nil:
		return ledger.Caller{Namespace: limit.ServiceAccount.Namespace, ServiceAccount: limit.ServiceAccount.Name}.Subject()
	case limit.AccessKey != "":
		return ledger.Caller{AccessKey: limit.AccessKey}.Subject()
	case limit.User != nil:
		return ledger.Caller{Issuer: limit.User.Issuer, User: limit.User.Name}.Subject()
	default:
		return cmp.Or(limit.EndUser, limit.TagValue)
	}
}
