package measure

import (
	"context"

	"signalbox.dev/signalbox/hack/bench/load"
	"signalbox.dev/signalbox/hack/bench/report"
	"signalbox.dev/signalbox/hack/bench/upstream"
)

// Money measures what it costs to reserve before each call.
func (b *Bench) Money(ctx context.Context, r *report.Report) error {
	var err error
	r.Money.Budgets, err = b.compare(ctx, "budgets", [2]side{
		{name: "one Soft budget", target: b.Proxy, job: jobOf(b.Proxy, upstream.ModelPlain, "")},
		{name: "four Hard budgets", target: b.Proxy, job: load.Job{Addr: b.Proxy.PlainAddr, Requests: [][]byte{load.Request(path, b.Proxy.Key, b.Budgets, "")}}},
	})
	return err
}
