package compile

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/table"
)

// accessCompiler resolves who may call a route.
type accessCompiler struct {
	namespace  string
	view       NamespaceView
	namespaces []labelled
	accessKeys []labelled
	// matched remembers what selectors matched, for routes tend to share them.
	matched map[string][]string
}

// labelled is a named object and its labels.
type labelled struct {
	name   string
	labels labels.Set
}

func newAccessCompiler(in *Input) accessCompiler {
	c := accessCompiler{namespace: in.Namespace, view: in.View, matched: map[string][]string{}}
	for i := range in.Namespaces {
		c.namespaces = append(c.namespaces, labelled{name: in.Namespaces[i].Name, labels: in.Namespaces[i].Labels})
	}
	for i := range in.AccessKeys {
		c.accessKeys = append(c.accessKeys, labelled{name: in.AccessKeys[i].Name, labels: in.AccessKeys[i].Labels})
	}
	return c
}

// compile returns the access that the readable rules give, and what is wrong with the others: those admit nobody.
func (c accessCompiler) compile(spec *v1alpha1.RouteAccess) (table.Access, []Finding) {
	if spec == nil {
		return table.Access{Namespaces: []string{c.namespace}, AnyAccessKey: true}, nil
	}
	var access table.Access
	var findings []Finding
	for i, rule := range spec.Allow {
		findings = append(findings, c.add(&access, rule, fmt.Sprintf("spec.access.allow[%d]", i))...)
	}
	return canonical(access), findings
}

func (c accessCompiler) add(access *table.Access, rule v1alpha1.AccessRule, path string) []Finding {
	kinds := 0
	for _, given := range [...]bool{rule.NamespaceSelector != nil, rule.ServiceAccount != nil, rule.AccessKeySelector != nil, rule.User != nil} {
		if given {
			kinds++
		}
	}
	switch {
	case kinds != 1:
		return []Finding{invalid(v1alpha1.ConditionAccepted, path,
			"an access rule needs exactly one of namespaceSelector, serviceAccount, accessKeySelector and user")}
	case rule.NamespaceSelector != nil:
		return c.addNamespaces(access, rule.NamespaceSelector, path+".namespaceSelector")
	case rule.AccessKeySelector != nil:
		return c.addAccessKeys(access, rule.AccessKeySelector, path+".accessKeySelector")
	case rule.User != nil:
		return addUsers(access, rule.User, path+".user")
	default:
		access.ServiceAccounts = append(access.ServiceAccounts, rule.ServiceAccount.Namespace+"/"+rule.ServiceAccount.Name)
		return nil
	}
}

// addUsers admits callers of an OIDC issuer. A name is compared as it is, so one that no token can have is most likely a mistake.
func addUsers(access *table.Access, rule *v1alpha1.UserRule, path string) []Finding {
	if problem := issuerDefect(rule.Issuer); problem != "" {
		return []Finding{invalid(v1alpha1.ConditionAccepted, path+".issuer", problem)}
	}
	if len(rule.Names) == 0 {
		access.UserIssuers = append(access.UserIssuers, rule.Issuer)
		return nil
	}
	for i, name := range rule.Names {
		if name == "" {
			return []Finding{invalid(v1alpha1.ConditionAccepted, fmt.Sprintf("%s.names[%d]", path, i), "nobody has an empty name; leave out names to admit everybody of the issuer")}
		}
	}
	for _, name := range rule.Names {
		access.Users = append(access.Users, rule.Issuer+"/"+name)
	}
	return nil
}

func (c accessCompiler) addNamespaces(access *table.Access, spec *v1alpha1.LabelSelector, path string) []Finding {
	selector, findings := parseSelector(spec, path)
	if findings != nil {
		return findings
	}
	if selector.Empty() {
		access.AnyNamespace = true
		return nil
	}
	if c.view != NamesOnly {
		access.Namespaces = append(access.Namespaces, c.match("namespace", c.namespaces, selector)...)
		return nil
	}
	names, known := selectedNames(selector)
	if !known {
		return []Finding{{
			Condition: v1alpha1.ConditionAccepted,
			Reason:    v1alpha1.ReasonUnsupportedValue,
			Message: fmt.Sprintf("%s: this installation may not read Namespaces, so it can select them only by the label %s (matchLabels, or matchExpressions with operator In) "+
				"or all of them with {}", path, corev1.LabelMetadataName),
			Field: path,
		}}
	}
	access.Namespaces = append(access.Namespaces, names...)
	return nil
}

func (c accessCompiler) addAccessKeys(access *table.Access, spec *v1alpha1.LabelSelector, path string) []Finding {
	selector, findings := parseSelector(spec, path)
	if findings != nil {
		return findings
	}
	if selector.Empty() {
		access.AnyAccessKey = true
		return nil
	}
	access.AccessKeys = append(access.AccessKeys, c.match("accessKey", c.accessKeys, selector)...)
	return nil
}

func parseSelector(spec *v1alpha1.LabelSelector, path string) (labels.Selector, []Finding) {
	selector, err := spec.AsSelector()
	if err != nil {
		return nil, []Finding{invalid(v1alpha1.ConditionAccepted, path, bounded(err.Error())+"; until this is corrected the rule admits nobody")}
	}
	return selector, nil
}

func (c accessCompiler) match(kind string, among []labelled, selector labels.Selector) []string {
	key := kind + " " + selector.String()
	if names, known := c.matched[key]; known {
		return names
	}
	names := []string{}
	for _, candidate := range among {
		if selector.Matches(candidate.labels) {
			names = append(names, candidate.name)
		}
	}
	c.matched[key] = names
	return names
}

// selectedNames reads the namespaces' names from a selector that asks for nothing but them.
func selectedNames(selector labels.Selector) ([]string, bool) {
	requirements, selectable := selector.Requirements()
	if !selectable || len(requirements) != 1 || requirements[0].Key() != corev1.LabelMetadataName {
		return nil, false
	}
	switch requirements[0].Operator() {
	case selection.In, selection.Equals, selection.DoubleEquals:
		return requirements[0].ValuesUnsorted(), true
	default:
		return nil, false
	}
}

// canonical sorts the lists and leaves out what another field admits anyway.
func canonical(access table.Access) table.Access {
	if access.AnyNamespace {
		access.Namespaces, access.ServiceAccounts = nil, nil
	}
	if access.AnyAccessKey {
		access.AccessKeys = nil
	}
	access.Namespaces = unique(access.Namespaces)
	access.ServiceAccounts = outside(access.ServiceAccounts, access.Namespaces)
	access.AccessKeys = unique(access.AccessKeys)
	access.UserIssuers = unique(access.UserIssuers)
	access.Users = outside(access.Users, access.UserIssuers)
	return access
}

// outside returns those of the names, each "whole/part", whose whole is not admitted already.
func outside(names, wholes []string) []string {
	return unique(slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		whole, _, _ := strings.Cut(name, "/")
		return slices.Contains(wholes, whole)
	}))
}

// unique returns a sorted copy without repetitions, nil if it is empty.
func unique(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	sorted := slices.Clone(names)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}

// narrow returns what both accesses admit: an entry that stays in force although its spec has changed never admits more than the spec does now.
func narrow(a, b table.Access) table.Access {
	return canonical(table.Access{
		AnyNamespace:    a.AnyNamespace && b.AnyNamespace,
		Namespaces:      slices.Concat(keep(a.Namespaces, b, admitsNamespace), keep(b.Namespaces, a, admitsNamespace)),
		ServiceAccounts: slices.Concat(keep(a.ServiceAccounts, b, admitsServiceAccount), keep(b.ServiceAccounts, a, admitsServiceAccount)),
		AnyAccessKey:    a.AnyAccessKey && b.AnyAccessKey,
		AccessKeys:      slices.Concat(keep(a.AccessKeys, b, admitsAccessKey), keep(b.AccessKeys, a, admitsAccessKey)),
		UserIssuers:     keep(a.UserIssuers, b, admitsIssuer),
		Users:           slices.Concat(keep(a.Users, b, admitsUser), keep(b.Users, a, admitsUser)),
	})
}

func keep(names []string, access table.Access, admits func(table.Access, string) bool) []string {
	var kept []string
	for _, name := range names {
		if admits(access, name) {
			kept = append(kept, name)
		}
	}
	return kept
}

func admitsNamespace(access table.Access, namespace string) bool {
	return access.AnyNamespace || slices.Contains(access.Namespaces, namespace)
}

func admitsServiceAccount(access table.Access, account string) bool {
	namespace, _, _ := strings.Cut(account, "/")
	return admitsNamespace(access, namespace) || slices.Contains(access.ServiceAccounts, account)
}

func admitsAccessKey(access table.Access, name string) bool {
	return access.AnyAccessKey || slices.Contains(access.AccessKeys, name)
}

func admitsIssuer(access table.Access, issuer string) bool {
	return slices.Contains(access.UserIssuers, issuer)
}

func admitsUser(access table.Access, user string) bool {
	return admitsIssuer(access, issuerOf(user)) || slices.Contains(access.Users, user)
}
