package compile

import (
	"cmp"
	"fmt"
	"slices"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/table"
)

// Defaults and bounds of the API for mirrors.
const (
	mirrorPath            = "spec.mirror"
	defaultMirrorName     = "mirror"
	defaultMirrorPercent  = 1
	highestMirrorPercent  = 100
	defaultMirrorParallel = 8
	highestMirrorParallel = 1000
)

// mirror reads where copies of calls go. Its name stands beside those of the targets in logs and metrics, and the prompts that it gets are those of the
// route, so it has to keep the data policy that the route requires.
func (c *complaints) mirror(spec *v1alpha1.RouteMirror, route *table.Route) *table.Mirror {
	if spec == nil {
		return nil
	}
	read := table.Mirror{
		Target: c.target(&v1alpha1.RouteTarget{
			Name: cmp.Or(spec.Name, defaultMirrorName), CredentialRef: spec.CredentialRef, Model: spec.Model, API: spec.API, Prices: spec.Prices,
			Declares: spec.Declares,
		}, mirrorPath),
		Percent:        c.small(spec.Percent, defaultMirrorPercent, span{1, highestMirrorPercent}, mirrorPath+".percent"),
		MaxConcurrency: c.small(spec.MaxConcurrency, defaultMirrorParallel, span{1, highestMirrorParallel}, mirrorPath+".maxConcurrency"),
		MaxCostPerHour: c.bound(spec.MaxCostPerHour, mirrorPath+".maxCostPerHour"),
	}
	if slices.ContainsFunc(route.Targets, func(t table.Target) bool { return t.Name == read.Target.Name }) {
		c.invalid(mirrorPath+".name", fmt.Sprintf("%q is the name of a target too", bounded(read.Target.Name)))
	}
	if !read.Target.Declared.DataPolicy.Satisfies(route.Require.DataPolicy) {
		c.invalid(mirrorPath+".declares.dataPolicy", "it does not declare the data policy that spec.require has, and a mirror gets the same prompts as targets do")
	}
	return &read
}
