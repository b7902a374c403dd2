package compile

import (
	"time"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/table"
)

// Defaults and bounds of the API for timeouts.
const (
	defaultFirstToken = 30 * time.Second
	defaultIdle       = time.Minute
	defaultTotal      = 10 * time.Minute
	minTimeout        = 100 * time.Millisecond
	maxStreamTimeout  = time.Hour
	maxTotal          = 24 * time.Hour
)

// timeouts fills in the timeouts of an entry.
func (c *complaints) timeouts(entry *table.Route, spec v1alpha1.RouteTimeouts) {
	one := period{minTimeout, maxStreamTimeout}
	entry.FirstToken = c.duration(spec.FirstToken.Duration, defaultFirstToken, one, "spec.timeouts.firstToken")
	entry.Idle = c.duration(spec.Idle.Duration, defaultIdle, one, "spec.timeouts.idle")
	entry.Attempt = c.duration(spec.Attempt.Duration, 0, one, "spec.timeouts.attempt")
	entry.Total = c.duration(spec.Total.Duration, defaultTotal, period{minTimeout, maxTotal}, "spec.timeouts.total")
	for _, part := range []struct {
		name  string
		given time.Duration
	}{{"firstToken", entry.FirstToken}, {"idle", entry.Idle}, {"attempt", entry.Attempt}} {
		if part.given > entry.Total {
			c.invalid("spec.timeouts."+part.name, part.name+" must not be longer than total")
		}
	}
}
