package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"signalbox.dev/signalbox/hack/conformance/catalogue"
	"signalbox.dev/signalbox/hack/conformance/plan"
	"signalbox.dev/signalbox/hack/conformance/runner"
	"signalbox.dev/signalbox/hack/conformance/world"
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

// againstProxy runs all clients through the proxy, behind which all upstreams are.
func againstProxy(ctx context.Context, r runner.Runner, base plan.Plan, fake *world.Fake, o options) (results []plan.Result, err error) {
	upstreams, err := o.upstreams()
	if err != nil {
		return nil, err
	}
	clients, err := o.clients()
	if err != nil {
		return nil, err
	}
	googleKey, err := fake.GoogleKey(ctx)
	if err != nil {
		return nil, err
	}
	proxy, err := world.StartProxy(ctx, o.bin+"/signalbox", r.Logs, world.Manifests(catalogue.Upstreams(), fake.Data, googleKey))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, proxy.Stop()) }()
	base.Key = world.AccessKey
	base.Bases = world.ProxyBases(proxy.Base)
	if base.Variables, base.Uploads, err = world.Examples(r.Logs); err != nil {
		return nil, err
	}
	for _, u := range upstreams {
		base.Upstreams = append(base.Upstreams, plan.Upstream{Name: u.Name, Models: world.Aliases(u)})
	}
	front, err := world.StartFront(ctx, r.Logs, proxy.Base)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, front.Stop()) }()
	r.Plan, r.Env = base, front.Env(r.Sources)
	return r.Run(ctx, clients), nil
}

// againstFakes runs each client against its own vendor's fake: so the fakes are known to be faithful. Nothing is refused there.
func againstFakes(ctx context.Context, r runner.Runner, base plan.Plan, fake *world.Fake, clients []catalogue.Client) (results []plan.Result, err error) {
	front, err := world.StartFront(ctx, r.Logs, fake.Data)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, front.Stop()) }()
	r.Env, r.Exceptions = front.Env(r.Sources), nil
	base.Key = world.ProviderKey
	base.Bases = world.FakeBases(fake.Data)
	for _, u := range catalogue.Upstreams() {
		own := slices.DeleteFunc(slices.Clone(clients), func(c catalogue.Client) bool { return c.Vendor != u.Name })
		direct := base
		direct.Upstreams = []plan.Upstream{{Name: u.Name, Models: u.Models}}
		r.Plan = direct
		results = append(results, r.Run(ctx, own)...)
	}
	return results, nil
}
