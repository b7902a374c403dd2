package fleet

import (
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"signalbox.dev/signalbox/controllers/broadcast"
	"signalbox.dev/signalbox/proxy/traffic"
)

// notices are what listeners were told of a namespace's traffic.
type notices struct {
	told    map[string][]Traffic // by route, with settled figures
	driftAt time.Time            // when figures were last looked at
	moving  map[string]struct{}  // routes whose figures may have moved since then
}

// Traffic is what the ready proxies know of a route's targets, ordered by name. Targets that nobody called of late, and with which nothing is wrong, are
// missing.
func (f *Fleet) Traffic(namespace, route string) []Traffic {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return merge(f.claims(namespace), route)
}

// RouteSource is a controller's source of requests for single routes: at once when a target goes down, comes back or changes to a successor, and every few
// seconds at most when its figures have moved.
func (f *Fleet) RouteSource() source.Source { return f.routes.Source(broadcast.Itself) }

// claims of the ready pods of a namespace. It needs the mutex to be held.
func (f *Fleet) claims(namespace string) []claims {
	var all []claims
	for _, pod := range f.pods[namespace] {
		if pod.ready && pod.claims != nil {
			all = append(all, pod.claims)
		}
	}
	return all
}

// hear takes over what a pod says of its targets and returns the routes that listeners have to be told of. It needs the mutex to be held.
func (f *Fleet) hear(name types.NamespacedName, known *pod, targets []traffic.Target) []string {
	if f.pods[name.Namespace][name.Name] != known {
		return nil // gone while its report was on the way
	}
	now := f.options.Clock.Now()
	before := known.claims
	known.claims = newClaims(targets, before, now)
	if !known.ready {
		return nil
	}
	notices := f.noticesOf(name.Namespace)
	for route := range known.claims {
		notices.moving[route] = struct{}{}
	}
	changed := known.claims.changed(before)
	for _, route := range changed {
		notices.moving[route] = struct{}{} // a target that is not spoken of any more has no figures now
	}
	pods := f.claims(name.Namespace)
	if now.Sub(notices.driftAt) >= driftInterval {
		return notices.drift(pods, now)
	}
	return notices.turn(pods, changed)
}

// noticesOf needs the mutex to be held.
func (f *Fleet) noticesOf(namespace string) *notices {
	if f.notices[namespace] == nil {
		f.notices[namespace] = &notices{told: map[string][]Traffic{}, moving: map[string]struct{}{}}
	}
	return f.notices[namespace]
}

// turn returns those of some routes that have a target that turned.
func (n *notices) turn(pods []claims, routes []string) []string {
	var turned []string
	for _, route := range routes {
		merged := merge(pods, route)
		if anyTurned(n.told[route], merged) {
			n.tell(route, merged)
			turned = append(turned, route)
		}
	}
	return turned
}

// drift returns all routes that are not as they were told.
func (n *notices) drift(pods []claims, now time.Time) []string {
	var drifted []string
	for route := range n.moving {
		if n.tell(route, merge(pods, route)) {
			drifted = append(drifted, route)
		}
	}
	clear(n.moving)
	n.driftAt = now
	return drifted
}

// tell notes what listeners learn of a route, and tells whether it is news.
func (n *notices) tell(route string, merged []Traffic) bool {
	before := n.told[route]
	for i := range merged {
		merged[i].Figures = merged[i].Settle(find(before, merged[i].Target).Figures)
	}
	if len(merged) == 0 {
		delete(n.told, route)
	} else {
		n.told[route] = merged
	}
	return !slices.EqualFunc(before, merged, func(a, b Traffic) bool { return a.shown() == b.shown() })
}

// anyTurned compares targets by name; one that is missing is well.
func anyTurned(before, after []Traffic) bool {
	for i := range after {
		if after[i].turned(find(before, after[i].Target)) {
			return true
		}
	}
	for i := range before {
		if before[i].turned(find(after, before[i].Target)) {
			return true
		}
	}
	return false
}

// find returns a target that is well and without figures if there is none of the name.
func find(all []Traffic, target string) *Traffic {
	at, found := slices.BinarySearchFunc(all, target, func(t Traffic, name string) int { return strings.Compare(t.Target, name) })
	if !found {
		return &Traffic{Target: target, Figures: NoFigures()}
	}
	return &all[at]
}

// retell notes that listeners learn everything of a namespace. It needs the mutex to be held.
func (f *Fleet) retell(namespace string) {
	if len(f.pods[namespace]) == 0 {
		delete(f.notices, namespace)
		return
	}
	notices, pods := f.noticesOf(namespace), f.claims(namespace)
	routes := map[string]struct{}{}
	for route := range notices.told {
		routes[route] = struct{}{}
	}
	for _, pod := range pods {
		for route := range pod {
			routes[route] = struct{}{}
		}
	}
	for route := range routes {
		notices.tell(route, merge(pods, route))
	}
	clear(notices.moving)
}

// notifyRoutes tells of routes, without the mutex.
func (f *Fleet) notifyRoutes(namespace string, routes []string) {
	for _, route := range routes {
		f.routes.Send(types.NamespacedName{Namespace: namespace, Name: route})
	}
}
