package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"signalbox.dev/signalbox/hack/conformance/catalogue"
)

// clients are those that the flag selects.
func (o options) clients() ([]catalogue.Client, error) {
	pattern, err := regexp.Compile(o.client)
	if err != nil {
		return nil, fmt.Errorf("reading the pattern of clients: %w", err)
	}
	selected := slices.DeleteFunc(catalogue.Clients(), func(c catalogue.Client) bool { return !pattern.MatchString(c.Name) })
	if len(selected) == 0 {
		return nil, fmt.Errorf("no client matches %q", o.client)
	}
	return selected, nil
}

// upstreams are those that the flag selects.
func (o options) upstreams() ([]catalogue.Upstream, error) {
	pattern, err := regexp.Compile(o.upstream)
	if err != nil {
		return nil, fmt.Errorf("reading the pattern of upstreams: %w", err)
	}
	selected := slices.DeleteFunc(catalogue.Upstreams(), func(u catalogue.Upstream) bool { return !pattern.MatchString(u.Name) })
	if len(selected) == 0 {
		return nil, fmt.Errorf("no upstream matches %q", o.upstream)
	}
	return selected, nil
}

// checkNames are the selected checks, none for all.
func (o options) checkNames() []string {
	if o.checks == "" {
		return []string{}
	}
	return strings.Split(o.checks, ",")
}
