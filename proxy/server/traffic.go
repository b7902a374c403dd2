package server

import (
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/traffic"
	"signalbox.dev/signalbox/proxy/window"
)

// Targets tells how the targets of all routes have been doing of late; those without anything to tell are left out. Mirrors are not among them.
func (s *Server) Targets(now time.Time) []traffic.Target {
	current := s.current.Load()
	if current == nil {
		return nil
	}
	var wild map[health.Subject][]*health.Upstream
	var told []traffic.Target
	for r, entry := range current.routes {
		for i := range entry.targets {
			t := &entry.targets[i]
			if t.model == sameModel && wild == nil {
				wild = s.upstreamsByKey()
			}
			subject, upstreams := t.traffic(now, wild)
			subject.Route = r.Name
			var minute window.Reading
			views := make([]health.View, len(upstreams))
			for i, upstream := range upstreams {
				views[i] = upstream.Peek(now)
				upstream.AddMinute(now, &minute)
			}
			if target, ok := traffic.Describe(subject, &minute, views...); ok {
				told = append(told, target)
			}
		}
	}
	return told
}

// Credentials tells how the providers' accounts have been doing of late, mirrored calls included.
func (s *Server) Credentials(now time.Time) []traffic.Credential {
	return traffic.DescribeAll(s.health.Upstreams(), now)
}

// traffic is what there is to tell of a target; wild are all upstreams by their keys.
func (t *targetEntry) traffic(now time.Time, wild map[health.Subject][]*health.Upstream) (traffic.Subject, []*health.Upstream) {
	subject := traffic.Subject{Name: t.name, Provider: t.provider}
	if t.model == sameModel {
		subject.AnyModel = true
		return subject, t.anyModel(now, wild)
	}
	upstream := t.serving(now, t.model)
	if upstream.model != t.model {
		subject.Successor = upstream.model
	}
	return subject, upstream.live(now)
}

// anyModel are the upstreams of all models behind the keys that calls are made with.
func (t *targetEntry) anyModel(now time.Time, wild map[health.Subject][]*health.Upstream) []*health.Upstream {
	keys := pool{ring: t.ring, registry: t.registry, credential: t.credential}
	var upstreams []*health.Upstream
	for _, key := range keys.live(now) {
		upstreams = append(upstreams, wild[key.Subject()]...)
	}
	return upstreams
}

// upstreamsByKey are all upstreams but those of keys as a whole, by their keys.
func (s *Server) upstreamsByKey() map[health.Subject][]*health.Upstream {
	byKey := map[health.Subject][]*health.Upstream{}
	for _, upstream := range s.health.Upstreams() {
		subject := upstream.Subject()
		if subject.Model == "" {
			continue
		}
		subject.Model = ""
		byKey[subject] = append(byKey[subject], upstream)
	}
	return byKey
}
