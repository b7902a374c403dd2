package server

import (
	"net/http"
	"strings"
	"time"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/usage"
)

// defaultSince is how far back a summary goes that does not say. The proxy may remember less.
const defaultSince = 24 * time.Hour

// generation answers with one of the caller's own calls. It is known before the last byte of its answer is sent; other replicas are asked for what this one does not
// know.
func (s *Server) generation(c *call) error {
	id := c.r.URL.Query().Get("id")
	if !isPlain(id) {
		return &Error{Code: CodeInvalidRequest, Status: http.StatusBadRequest, Message: "the query needs an \"id\": that of an answer, or of its X-Generation-Id", Param: "id"}
	}
	found, known := s.lookUp(c, id)
	if !known || found.Caller != c.callerName() {
		return &Error{
			Code: CodeGenerationNotFound, Status: http.StatusNotFound,
			Message: "no call of yours with this id is known; proxies remember the newest ones only, usage records have them all",
		}
	}
	return s.sendJSON(c, usage.AppendGeneration(nil, found))
}

// lookUp finds a record by its id, with or without the prefix, or by the provider's id of the answer; here first, and then at the other replicas.
func (s *Server) lookUp(c *call, id string) (*usage.Record, bool) {
	ids := []string{id}
	if !strings.HasPrefix(id, generationPrefix) {
		ids = append(ids, generationPrefix+id)
	}
	for _, id := range ids {
		if found, known := s.recent.ByID(id); known {
			return found, true
		}
	}
	if s.generations == nil {
		return nil, false
	}
	for _, id := range ids {
		if found, known := s.generations(c.r.Context(), id); known {
			return found, true
		}
	}
	return nil, false
}

// upstreamID reads the id of an answer that was checked, or of the first event of a stream, in the words of the chat, messages, responses and Gemini's APIs; empty when
// there is none.
func upstreamID(text []byte) string {
	for _, path := range [...][]string{{"id"}, {"message", "id"}, {"response", "id"}, {"responseId"}} {
		raw := jsonscan.Lookup(text, path...)
		if len(raw) > 2 && raw[0] == '"' && isPlain(string(raw[1:len(raw)-1])) {
			return string(raw[1 : len(raw)-1])
		}
	}
	return ""
}

// accountOf answers what the caller's tightest budget says, as OpenRouter tells of keys and credits.
func (s *Server) accountOf(c *call) error {
	c.claim()
	now := s.now()
	info := s.keyInfo(c, now)
	if c.place.action == actionKey {
		return s.sendJSON(c, usage.AppendKey(nil, &info))
	}
	total := info.Limit
	if !info.Limited {
		total = info.Usage
	}
	return s.sendJSON(c, usage.AppendCredits(nil, total, info.Usage))
}

func (s *Server) keyInfo(c *call, now time.Time) usage.KeyInfo {
	info := usage.KeyInfo{Label: c.callerName()}
	own := s.recent.Select(usage.Filter{Caller: c.callerName()})
	now = now.UTC()
	day := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	week := day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	info.Daily, info.Weekly, info.Monthly, info.Usage = costSince(own, day), costSince(own, week), costSince(own, month), costSince(own, time.Time{})
	for _, budget := range c.snapshot.budgets {
		standing, err := budget.Standing(now, &c.claimant)
		if err != nil || len(budget.Routes) > 0 || !budget.Counts("", &c.claimant) {
			continue
		}
		remaining := max(0, standing.Limit-standing.Spent-standing.Lost-standing.Reserved)
		if !info.Limited || remaining < info.Remaining {
			info.Limited, info.Limit, info.Remaining, info.Period, info.Usage = true, standing.Limit, remaining, budget.Period, standing.Spent
		}
	}
	return info
}

// costSince adds up what records cost, in nano-dollars.
func costSince(records []*usage.Record, since time.Time) int64 {
	var sum int64
	for _, r := range records {
		if !r.Time.Before(since) {
			sum = meter.AddSaturating(sum, r.Cost)
		}
	}
	return sum
}

// usageOf adds up the caller's own calls, as far as this replica remembers them.
func (s *Server) usageOf(c *call) error {
	query := c.r.URL.Query()
	if c.place.action == actionActivity {
		return s.sendJSON(c, usage.AppendActivity(nil, s.recent.Select(usage.Filter{Caller: c.callerName()}), query.Get("date")))
	}
	by, err := usage.ParseDimensions(orDefault(query.Get("by"), "model"))
	if err != nil {
		return &Error{Code: CodeInvalidRequest, Status: http.StatusBadRequest, Message: err.Error(), Param: "by"}
	}
	now := s.now()
	since, err := instant(query.Get("since"), now.Add(-defaultSince), now)
	if err != nil {
		return &Error{Code: CodeInvalidRequest, Status: http.StatusBadRequest, Message: "\"since\" is a time such as 2026-11-01T00:00:00Z, or a duration before now such as 24h", Param: "since"}
	}
	until, err := instant(query.Get("until"), time.Time{}, now)
	if err != nil {
		return &Error{Code: CodeInvalidRequest, Status: http.StatusBadRequest, Message: "\"until\" is a time such as 2026-11-01T00:00:00Z, or a duration before now such as 1h", Param: "until"}
	}
	told := usage.Summary{
		By: by, Since: since, Until: until, From: latest(since, s.recent.From()),
		Rows: usage.Summarize(s.recent.Select(usage.Filter{Caller: c.callerName(), Since: since, Until: until}), by),
	}
	return s.sendJSON(c, usage.AppendSummary(nil, &told))
}

// instant reads a time, or a duration before now.
func instant(text string, fallback, now time.Time) (time.Time, error) {
	if text == "" {
		return fallback, nil
	}
	if before, err := time.ParseDuration(text); err == nil && before > 0 {
		return now.Add(-before), nil
	}
	return time.Parse(time.RFC3339, text)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
