package compile

import (
	"fmt"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	// standardCounters is the default of maxCounters, mostCounters its bound.
	standardCounters = 1000
	mostCounters     = 10000
	// serviceAccountSubject and accessKeySubject begin the subjects of callers, as callers are written in logs.
	serviceAccountSubject = "serviceaccount:"
	accessKeySubject      = "accesskey:"
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
	account := ""
	if limit.ServiceAccount != nil {
		account = limit.ServiceAccount.Namespace + "/" + limit.ServiceAccount.Name
	}
	if given(account, limit.AccessKey, limit.EndUser, limit.TagValue) != 1 {
		return "", "a limit needs exactly one of serviceAccount, accessKey, endUser and tagValue"
	}
	switch counter {
	case table.CountPerCaller:
		if account != "" {
			return serviceAccountSubject + account, ""
		}
		if limit.AccessKey != "" {
			return accessKeySubject + limit.AccessKey, ""
		}
		return "", "with counter PerCaller each of limits names a serviceAccount or an accessKey"
	case table.CountPerEndUser:
		if limit.EndUser == "" {
			return "", "with counter PerEndUser each of limits names an endUser"
		}
		return limit.EndUser, ""
	default:
		if limit.TagValue == "" {
			return "", "with counter PerTag each of limits names a tagValue"
		}
		return limit.TagValue, ""
	}
}
