package proxydeployment

import (
	"fmt"
	"testing"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/controllertest"
)

// BenchmarkPlan plans one more route in a namespace of 1,000.
func BenchmarkPlan(b *testing.B) {
	in := newInput(b, func(in *input) {
		in.routes = nil
		for i := range 1000 {
			in.routes = append(in.routes, *controllertest.Route("team-a", fmt.Sprintf("route-%d", i), func(route *v1alpha1.ModelRoute) {
				route.UID = "uid-1"
			}))
		}
	})
	applied(b, in, planFor(b, in))
	in.routes = append(in.routes, *controllertest.Route("team-a", "one-more"))
	for b.Loop() {
		if planned := planFor(b, in); planned.table == nil {
			b.Fatal("no table is written")
		}
	}
}
