package route

import (
	"slices"

	"signalbox.dev/signalbox/proxy/table"
)

// mostPlaces is how many candidates a call can keep track of.
const mostPlaces = 64

// Next returns the place in candidates of the one to try after the candidate at place failed that failed with this kind; false when there is none.
// Candidates before it that were passed over are not looked at again unless the kind makes them eligible (OnlyFor). tried tells which places were tried.
// routers are those of the candidates' routes.
//
// A prompt that was too long goes first to the targets named for that, then to those that are known to have a larger context. One that was filtered goes
// only to targets named for that. After all other failures those named for it come behind the others of their priority.
func Next(routers []*Router, candidates []Candidate, tried uint64, failed int, kind table.FailureKind) (int, bool) {
	s := search{routers: routers, candidates: candidates[:min(len(candidates), mostPlaces)], tried: tried | 1<<failed, failed: failed}
	named := s.named(kind)
	if kind == table.ContentFiltered || (kind == table.ContextTooLong && named >= 0) {
		return named, named >= 0
	}
	following := s.following(kind)
	switch {
	case named < 0:
		return following, following >= 0
	case following < 0 || s.isBefore(named, following):
		return named, true
	}
	return following, true
}

// search is what finding the next candidate takes.
type search struct {
	routers    []*Router
	candidates []Candidate
	tried      uint64
	failed     int
}

func (s *search) isTried(place int) bool { return s.tried>>place&1 != 0 }

func (s *search) target(place int) *routed {
	c := s.candidates[place]
	return &s.routers[c.Route].targets[c.Index]
}

// named is the first place of a target that is named for a kind of failure; below 0 when there is none left.
func (s *search) named(kind table.FailureKind) int {
	for place, c := range s.candidates {
		if c.Out == AfterFailureOnly && !s.isTried(place) && slices.Contains(s.target(place).OnlyFor, kind) {
			return place
		}
	}
	return -1
}

// following is the first place of an eligible target behind all eligible ones that were tried; below 0 when there is none left.
func (s *search) following(kind table.FailureKind) int {
	start := 0
	for place, c := range s.candidates {
		if c.Out == Eligible && s.isTried(place) {
			start = place + 1
		}
	}
	for place := start; place < len(s.candidates); place++ {
		if s.candidates[place].Out == Eligible && (kind != table.ContextTooLong || s.isLarger(place)) {
			return place
		}
	}
	return -1
}

// isLarger tells whether a target is known to have a larger context than the failed one.
func (s *search) isLarger(place int) bool {
	before := s.target(s.failed).Declared.ContextTokens
	return before > 0 && s.target(place).Declared.ContextTokens > before
}

// isBefore tells whether a target that is named for the failure has its turn before an eligible one: when its route or its priority is an earlier one.
func (s *search) isBefore(named, following int) bool {
	if a, b := s.candidates[named].Route, s.candidates[following].Route; a != b {
		return a < b
	}
	return s.target(named).Priority < s.target(following).Priority
}
