package compile_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/table"
)

// web is a set of routes, "namespace/name", with the routes that each calls.
type web map[string][]string

// compileWeb compiles every namespace of a web, and returns the reasons of the references that are left out, as "from -> called".
func compileWeb(t *testing.T, w web) (reasons, messages map[string]string) {
	t.Helper()
	objects := map[string][]v1alpha1.ModelRoute{}
	for name, calls := range w {
		namespace, short, _ := strings.Cut(name, "/")
		made := route(short, serving("m"+v1alpha1.ModelPattern(short)), withTargets(target("own")))
		made.Namespace = namespace
		for i, called := range calls {
			of, calledName, _ := strings.Cut(called, "/")
			made.Spec.Targets = append(made.Spec.Targets, elsewhere(fmt.Sprintf("t%d", i), of, calledName, "m"+calledName))
		}
		made.Spec.Access = &v1alpha1.RouteAccess{Allow: []v1alpha1.AccessRule{{NamespaceSelector: &v1alpha1.LabelSelector{}}}}
		objects[namespace] = append(objects[namespace], made)
	}
	reasons, messages = map[string]string{}, map[string]string{}
	for namespace, own := range objects {
		remote := map[string]compile.RemoteRoute{}
		for other, routes := range objects {
			for i := range routes {
				if other != namespace {
					remote[other+"/"+routes[i].Name] = compile.RemoteReader{}.Read(&routes[i], nil)
				}
			}
		}
		result := compile.Compile(input(withRoutes(own...), withRemote(remote), func(in *compile.Input) { in.Namespace = namespace }))
		for _, r := range result.Table.Routes {
			found := report(t, result, compile.KindModelRoute, r.Name)
			for i, target := range r.Targets {
				if target.Excluded != "" {
					edge := namespace + "/" + r.Name + " -> " + target.CalledRoute
					reasons[edge], messages[edge] = found.Targets[i].Reason, target.Excluded
				}
			}
		}
	}
	return reasons, messages
}

// randomWeb has up to 12 routes in up to 5 namespaces.
func randomWeb(random *rand.Rand) web {
	w := web{}
	var names []string
	for i := range 2 + random.IntN(11) {
		name := fmt.Sprintf("n%d/r%d", random.IntN(5), i)
		names = append(names, name)
		w[name] = nil
	}
	for range random.IntN(2 * len(names)) {
		from, to := names[random.IntN(len(names))], names[random.IntN(len(names))]
		if from[:2] != to[:2] && !slices.Contains(w[from], to) && len(w[from]) < 14 {
			w[from] = append(w[from], to)
		}
	}
	return w
}

// reaches is the naive answer: a walk in all directions.
func (w web) reaches(from, to string, seen map[string]bool) bool {
	if from == to {
		return true
	}
	seen[from] = true
	for _, next := range w[from] {
		if !seen[next] && w.reaches(next, to, seen) {
			return true
		}
	}
	return false
}

// longest is the length of the longest way from a route in a web without loops.
func (w web) longest(from string) int {
	deepest := 0
	for _, next := range w[from] {
		deepest = max(deepest, 1+w.longest(next))
	}
	return deepest
}

// outcome is what became of a web.
type outcome struct {
	web               web
	reasons, messages map[string]string
	// left are the references that stay.
	left web
}

func compiled(t *testing.T, w web) outcome {
	t.Helper()
	o := outcome{web: w, left: web{}}
	o.reasons, o.messages = compileWeb(t, w)
	for from, calls := range w {
		for _, called := range calls {
			if o.reasons[from+" -> "+called] == "" {
				o.left[from] = append(o.left[from], called)
			}
		}
	}
	return o
}

// checkLoops compares what was taken for a loop with the naive answer, and counts the references in loops.
func (o outcome) checkLoops(t *testing.T) (loops int) {
	t.Helper()
	for from, calls := range o.web {
		for _, called := range calls {
			edge := from + " -> " + called
			isLoop := o.web.reaches(called, from, map[string]bool{})
			if got := o.reasons[edge] == v1alpha1.ReasonRouteLoop; got != isLoop {
				t.Fatalf("%v: %s is a loop: %v, found: %v (%s)", o.web, edge, isLoop, got, o.messages[edge])
			}
			if isLoop {
				loops++
				if message := o.messages[edge]; !strings.Contains(message, edge) || !strings.Contains(message, " -> "+from+";") {
					t.Fatalf("%s is told as %q", edge, message)
				}
			}
		}
	}
	return loops
}

// checkDepth checks that what is left leads nowhere too far, and counts what was left out for that, each of which would.
func (o outcome) checkDepth(t *testing.T) (deep int) {
	t.Helper()
	for from := range o.web {
		if depth := o.left.longest(from); depth > compile.MaxHops {
			t.Fatalf("%v: %d calls follow one another from %s", o.web, depth, from)
		}
	}
	for edge, reason := range o.reasons {
		if reason == v1alpha1.ReasonRouteLoop {
			continue
		}
		deep++
		_, called, _ := strings.Cut(edge, " -> ")
		if depth := o.left.longest(called); reason != v1alpha1.ReasonUnsupportedValue || depth < compile.MaxHops {
			t.Fatalf("%v: %s is left out for %s, and %s leads %d deep", o.web, edge, reason, called, depth)
		}
	}
	return deep
}

// Every loop is found, and nothing else is taken for one; what is left leads nowhere further than it may, and nothing was left out for its depth that is not
// too deep.
func TestEveryLoopIsFound(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 11))
	loops, deep := 0, 0
	for range 400 {
		o := compiled(t, randomWeb(random))
		loops += o.checkLoops(t)
		deep += o.checkDepth(t)
	}
	if loops < 100 || deep < 3 {
		t.Errorf("%d loops and %d deep references were seen; the webs are too plain", loops, deep)
	}
}

func TestLoopIsNamed(t *testing.T) {
	reasons, messages := compileWeb(t, web{
		"a/x": {"b/y"}, "b/y": {"c/z"}, "c/z": {"a/x"}, "d/in": {"a/x"}, "c/out": nil, "a/w": {"c/out"},
	})
	if len(reasons) != 3 {
		t.Errorf("left out are %v, want the three of the loop", reasons)
	}
	if want := "a/x -> b/y -> c/z -> a/x"; !strings.Contains(messages["a/x -> b/y"], want) {
		t.Errorf("the message is %q, want %q in it", messages["a/x -> b/y"], want)
	}
}

func TestDepthIsBounded(t *testing.T) {
	reasons, _ := compileWeb(t, web{
		"n0/r0": {"n1/r1"}, "n1/r1": {"n2/r2"}, "n2/r2": {"n3/r3"}, "n3/r3": {"n4/r4"}, "n4/r4": {"n5/r5"}, "n5/r5": nil,
	})
	if len(reasons) != 1 || reasons["n0/r0 -> n1/r1"] != v1alpha1.ReasonUnsupportedValue {
		t.Errorf("left out are %v, want only the first of five calls in a row", reasons)
	}
}

// Two namespaces that call each other's routes without a loop are fine.
func TestMutualReferencesAreNoLoop(t *testing.T) {
	if reasons, _ := compileWeb(t, web{"a/x": {"b/y"}, "b/z": {"a/w"}, "a/w": nil, "b/y": nil}); len(reasons) != 0 {
		t.Errorf("left out are %v", reasons)
	}
}

// A loop among routes of other namespaces takes nothing from a route that calls one of them.
func TestLoopElsewhereChangesNothingHere(t *testing.T) {
	remote := map[string]compile.RemoteRoute{
		"b/y": {Models: []string{"m"}, Access: table.Access{AnyNamespace: true}, Calls: []string{"c/z"}},
		"c/z": {Models: []string{"m"}, Access: table.Access{AnyNamespace: true}, Calls: []string{"b/y"}},
	}
	result := compile.Compile(input(withRemote(remote), withRoutes(route("x", withTargets(elsewhere("out", "b", "y", "m"))))))
	if got := why(report(t, result, compile.KindModelRoute, "x")); got != nil {
		t.Errorf("findings %v", got)
	}
}
