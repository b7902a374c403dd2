package server

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/limit"
	"signalbox.dev/signalbox/proxy/table"
)

// Headers of answers that tell what budgets did.
const (
	// headerBudget tells of budgets that have reached the share of an action: "team 82%".
	headerBudget = "X-Signalbox-Budget"
	// headerRerouted names the route that a budget moved the call away from.
	headerRerouted = "X-Signalbox-Rerouted-From"
	// headerShrunk tells to how many tokens a budget lowered the output limit.
	headerShrunk = "X-Signalbox-Max-Tokens"
)

// due is an action of a budget whose share of the limit is reached.
type due struct {
	budget  *ledger.Budget
	action  *table.BudgetAction
	percent int64
	subject string
}

// dueActions are the actions that the budgets of a route have come to for this call, for each budget in the order of their shares.
func (s *Server) dueActions(c *call, r *routeEntry, now time.Time) []due {
	var found []due
	for _, budget := range r.budgets {
		if len(budget.Actions) == 0 || !budget.Counts(r.Name, &c.claimant) {
			continue
		}
		standing, err := budget.Standing(now, &c.claimant)
		if err != nil {
			continue // A window that cannot be counted is refused when it is reserved in.
		}
		percent := standing.Percent()
		for i := range budget.Actions {
			if action := &budget.Actions[i]; percent >= int64(action.AtPercent) {
				found = append(found, due{budget: budget, action: action, percent: percent, subject: standing.Subject})
			}
		}
	}
	return found
}

// moved is the route that budgets move the calls of a route to; the route itself where none does. Calls are moved once.
func (s *Server) moved(c *call, r *routeEntry, now time.Time) *routeEntry {
	if !r.acts {
		return r
	}
	to := r
	highest := int32(0)
	for _, d := range s.dueActions(c, r, now) {
		if d.action.Route == "" || d.action.AtPercent < highest {
			continue
		}
		if other := c.snapshot.byName[d.action.Route]; other != nil {
			to, highest = other, d.action.AtPercent
		}
	}
	return to
}

// notices tells of the budgets that have reached the share of an action.
func notices(found []due) []string {
	var told []string
	for _, d := range found {
		notice := d.budget.Name + " " + strconv.FormatInt(d.percent, 10) + "%"
		if !slices.Contains(told, notice) {
			told = append(told, notice)
		}
	}
	return told
}

// throttled is the name of the limit that an action of a budget is. No ModelRoute has such a name.
func throttled(budget string, action *table.BudgetAction) string {
	return "SpendBudget/" + budget + "/" + strconv.Itoa(int(action.AtPercent))
}

// withThrottles are the routes of a table with a stand-in for each action that limits the rate of calls.
func withThrottles(t *table.Table) []table.Route {
	routes := slices.Clone(t.Routes)
	for i := range t.Budgets {
		budget := &t.Budgets[i]
		for j := range budget.Actions {
			action := &budget.Actions[j]
			if action.RequestsPerMinute == 0 {
				continue
			}
			per := table.PerRoute
			if budget.Counter != table.CountShared {
				per = table.PerCaller
			}
			routes = append(routes, table.Route{
				Object: table.Object{Name: throttled(budget.Name, action)}, Limits: []table.Limit{{Per: per, RequestsPerMinute: action.RequestsPerMinute}},
			})
		}
	}
	return routes
}

// admitByThrottles asks the limits that budgets of the route have come to.
func (s *Server) admitByThrottles(ctx context.Context, c *call, l *leg) *Error {
	if !l.route.acts || c.place.free() {
		return nil
	}
	found := s.dueActions(c, l.route, s.now())
	l.notices = notices(found)
	for _, d := range found {
		if d.action.RequestsPerMinute == 0 {
			continue
		}
		admission, refused := s.callerLimits.Admit(ctx, limit.Call{Route: throttled(d.budget.Name, d.action), Caller: d.subject})
		if refused != nil {
			return throttleRefusal(d, refused)
		}
		l.throttles = append(l.throttles, admission)
	}
	return nil
}

func throttleRefusal(d due, r *limit.Refusal) *Error {
	refusal := &Error{
		Code: CodeRateLimited, Status: http.StatusTooManyRequests,
		Message: fmt.Sprintf("SpendBudget %q has reached %d percent of its limit, from where it admits %d calls a minute; try again in %s",
			d.budget.Name, d.action.AtPercent, d.action.RequestsPerMinute, roundUp(r.RetryAfter)),
	}
	return refusal.withRetryAfter(r.RetryAfter)
}

// tellBudgets tells what budgets did with the call.
func (c *call) tellBudgets(header http.Header) {
	var told []string
	for i := range c.legs {
		told = append(told, c.legs[i].notices...)
	}
	if len(told) > 0 {
		header[headerBudget] = []string{strings.Join(told, ", ")}
	}
	if last := len(c.attempts) - 1; last >= 0 {
		a := &c.attempts[last]
		if from := c.legs[a.leg].movedFrom; from != nil {
			header[headerRerouted] = from.header
		}
		if a.shrunkBy != "" {
			header[headerShrunk] = []string{strconv.FormatInt(a.outputLimit, 10)}
		}
	}
}
