package server

import (
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/traffic"
)

// Targets tells how the targets of all routes have been doing of late; those without anything to tell are left out. Mirrors are not among them.
func (s *Server) Targets(now time.Time) []traffic.Target {
	current := s.current.Load()
	if current == nil {
		return nil
	}
	var wild map[health.Subject][]health.View
	var told []traffic.Target
	for r, entry := range current.routes {
		for i := range entry.targets {
			t := &entry.targets[i]
			if t.model == sameModel && wild == nil {
				wild = s.viewsByKey(now)
			}
			subject, views := t.traffic(now, wild)
			subject.Route = r.Name
			if target, ok := traffic.Describe(subject, views...); ok {
				told = append(told, target)
			}
		}
	}
	return told
}

// traffic is what there is to tell of a target; wild are the views of all upstreams by their keys.
func (t *targetEntry) traffic(now time.Time, wild map[health.Subject][]health.View) (traffic.Subject, []health.View) {
	subject := traffic.Subject{Name: t.name, Provider: t.provider}
	if t.model == sameModel {
		subject.AnyModel = true
		return subject, wild[t.subject("")]
	}
	model, upstream := t.serving(now, t.model)
	if model != t.model {
		subject.Successor = model
	}
	return subject, []health.View{upstream.View(now)}
}

// viewsByKey are the views of all upstreams, by their keys.
func (s *Server) viewsByKey(now time.Time) map[health.Subject][]health.View {
	byKey := map[health.Subject][]health.View{}
	s.health.Each(now, func(subject health.Subject, view health.View) {
		if subject.Model == "" {
			return
		}
		subject.Model = ""
		byKey[subject] = append(byKey[subject], view)
	})
	return byKey
}
