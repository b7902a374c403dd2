package server

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/proxy/table"
)

const (
	// headerHops lists the routes that a call has passed, "namespace/route", the first one first. Proxies send it to each other.
	headerHops = "X-Signalbox-Hops"
	// headerCalledRoute names the ModelRoute that the calling proxy's target refers to.
	headerCalledRoute = "X-Signalbox-Called-Route"
	// headerMaxCost is the most that a call may cost, in nano-dollars, over all that is done for it there: what a Hard budget on its way has reserved for it.
	headerMaxCost = "X-Signalbox-Max-Cost"
	// headerCode tells a calling proxy the code of an error, whatever the dialect makes of it.
	headerCode = "X-Signalbox-Code"
)

const (
	// maxHops bounds the routes that a call has passed. The compiler leaves out references that lead further.
	maxHops = 4
	// maxHopName bounds the name of one, and maxRouteName that of a route alone.
	maxHopName   = 63 + 1 + maxRouteName
	maxRouteName = 253
)

// passage is how a call came here from another namespace's proxy; its zero value is that of a call which did not. A client that sends such headers itself
// gets no more by it: they can only have its call refused or bounded, and what they add to an answer is what the call cost. Without hops the other headers
// count for nothing.
type passage struct {
	// hops are the routes that the call has passed.
	hops []string
	// called is the ModelRoute that the caller refers to; empty when it does not say.
	called string
	// maxCost is the most that the call may cost in nano-dollars, if capped tells that the caller has set a bound.
	maxCost int64
	capped  bool
}

// readPassage reads what another proxy says of a call.
func (c *call) readPassage() error {
	lines := c.r.Header[headerHops]
	if len(lines) == 0 {
		return nil
	}
	if len(lines) > 1 || len(lines[0]) > (maxHops+1)*(maxHopName+2) {
		return invalidPassage(headerHops)
	}
	hops := strings.Split(lines[0], ",")
	for i, hop := range hops {
		hops[i] = strings.TrimSpace(hop)
		if !isHop(hops[i]) {
			return invalidPassage(headerHops)
		}
	}
	if len(hops) > maxHops {
		return loopDetected(fmt.Sprintf("the call has passed %d namespaces, and may pass %d", len(hops), maxHops))
	}
	called := c.r.Header.Get(headerCalledRoute)
	if called != "" && !isName(called, maxRouteName) {
		return invalidPassage(headerCalledRoute)
	}
	maxCost, capped, err := c.readMaxCost()
	if err != nil {
		return err
	}
	c.passage = passage{hops: hops, called: called, maxCost: maxCost, capped: capped}
	return nil
}

// readMaxCost reads what the call may cost; false where the caller does not say. What cannot be read is refused, for the caller relies on it.
func (c *call) readMaxCost() (nano int64, capped bool, err error) {
	lines := c.r.Header[headerMaxCost]
	if len(lines) == 0 {
		return 0, false, nil
	}
	read, failure := strconv.ParseUint(lines[0], 10, 63)
	if failure != nil || len(lines) > 1 {
		return 0, false, invalidPassage(headerMaxCost)
	}
	return int64(read), true, nil
}

// isHop tells whether a text is a namespace/route.
func isHop(hop string) bool {
	namespace, route, ok := strings.Cut(hop, "/")
	return ok && isName(namespace, maxRouteName) && isName(route, maxRouteName)
}

// isName tells whether a text can be the name of an object.
func isName(name string, longest int) bool {
	return name != "" && len(name) <= longest && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '-' && r != '.' && (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
}

func invalidPassage(header string) *Error {
	return &Error{Code: CodeInvalidRequest, Status: http.StatusBadRequest, Message: header + " is not as proxies of Signalbox write it; clients do not send it", Param: header}
}

// loopDetected is the refusal of a call that goes round in circles.
func loopDetected(why string) *Error {
	return &Error{Code: CodeLoopDetected, Status: http.StatusLoopDetected, Message: why + "; a ModelRoute on its way has a target with a routeRef too many"}
}

// came tells whether the call came from another proxy.
func (p *passage) came() bool { return len(p.hops) > 0 }

// admits tells whether a call may go on by a route: it must be the one that the caller refers to, or where a budget moved the call from there, and the call
// must not have passed it before.
func (p *passage) admits(namespace, model string, found *table.Route, entry *routeEntry) error {
	if p.called != "" && found.Name != p.called {
		return &Error{
			Code: CodeModelNotFound, Status: http.StatusNotFound, Param: "model",
			Message: fmt.Sprintf("ModelRoute %q in namespace %q does not serve model %q; another ModelRoute there has that name", p.called, namespace, model),
		}
	}
	if slices.Contains(p.hops, namespace+"/"+entry.Name) {
		return loopDetected(fmt.Sprintf("the call has come back to ModelRoute %q of namespace %q, by way of %s", entry.Name, namespace, p.way()))
	}
	return nil
}

// passOn tells the called proxy which way the call has come, and what it may cost where a Hard budget has reserved so much, here or on the way.
func (w *work) passOn(c *call, header http.Header) {
	hops := append(slices.Clone(c.passage.hops), c.snapshot.namespace+"/"+c.route.Name)
	header[headerHops] = []string{strings.Join(hops, ", ")}
	_, called, _ := strings.Cut(c.target.remote, "/")
	header[headerCalledRoute] = []string{called}
	if w.bounded {
		header[headerMaxCost] = []string{strconv.FormatInt(w.bound, 10)}
	}
}

// way names the routes that the call has passed.
func (p *passage) way() string { return strings.Join(p.hops, ", ") }
