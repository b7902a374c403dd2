package main

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"time"

	"signalbox.dev/signalbox/hack/conformance/catalogue"
	"signalbox.dev/signalbox/hack/conformance/plan"
	"signalbox.dev/signalbox/hack/conformance/report"
	"signalbox.dev/signalbox/hack/conformance/runner"
	"signalbox.dev/signalbox/hack/conformance/world"
)

// image is a PNG of 7 times 5 pixels, whose base64 has both of the letters that differ between its alphabets.
const image = "iVBORw0KGgoAAAANSUhEUgAAAAcAAAAFCAIAAAAG+GGPAAAAeUlEQVR4nAFuAJH/AIK3Du5/GlA5vvB+wjR/Bm7Qj13HUQAkR+NA" +
	"QwACa25UVZSgZWhdZMSYC7gA1FRKhyGpmgGtIZ61nPahXvbxWh2DAAu3zgnWu8AE5xdcZDx97LC1gOw3vACXEt0uaq65S66NL5+inFooTJ73UhiQ6DJhKA1QYAAAAABJRU5ErkJggg=="

// run runs the clients against the proxy, or against the fakes.
func run(ctx context.Context, args []string) (err error) {
	o, err := parse(args)
	if err != nil {
		return err
	}
	started := time.Now()
	clients, err := o.clients()
	if err != nil {
		return err
	}
	installed, logs, err := o.folders()
	if err != nil {
		return err
	}
	fake, err := world.StartFake(ctx, filepath.Join(o.bin, "fakeprovider"), logs, world.ProviderKey, catalogue.Upstreams())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fake.Stop()) }()
	r := runner.Runner{Sources: o.sources, Installed: installed, Logs: logs, Exceptions: catalogue.Exceptions()}
	base := plan.Plan{
		Control: fake.Control, Text: world.Text, Image: image, Busy: world.Busy, Broken: world.Broken, Checks: o.checkNames(), Collection: o.collection,
	}
	var results []plan.Result
	if o.fakes {
		results, err = againstFakes(ctx, r, base, fake, clients)
	} else {
		results, err = againstProxy(ctx, r, base, fake, o)
	}
	if err != nil {
		return err
	}
	return finish(report.New(started, results), o.out)
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
	proxy, err := world.StartProxy(ctx, o.bin+"/signalbox", r.Logs, world.Manifests(catalogue.Upstreams(), clientNames(clients), fake.Data, googleKey))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, proxy.Stop()) }()
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
	r.Plan, r.Env, r.KeysOf = base, front.Env(r.Sources), world.Keys
	return r.Run(ctx, clients), nil
}

func clientNames(clients []catalogue.Client) []string {
	var names []string
	for _, c := range clients {
		names = append(names, c.Name)
	}
	return names
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
		own := slices.DeleteFunc(catalogue.Direct(clients), func(c catalogue.Client) bool { return c.Vendor != u.Name })
		direct := base
		direct.Upstreams = []plan.Upstream{{Name: u.Name, Models: u.Models}}
		r.Plan = direct
		results = append(results, r.Run(ctx, own)...)
	}
	return results, nil
}
