package ledger

import (
	"fmt"
	"time"
)

// Window is a calendar-aligned stretch of time. Both bounds are zero for the window that has no bounds, that of the period Total.
type Window struct {
	// Start is the first instant of the window.
	Start time.Time
	// End is the first instant after the window.
	End time.Time
}

// Unbounded tells whether the window is that of the period Total.
func (w Window) Unbounded() bool {
	return w.End.IsZero()
}

// Contains tells whether t is in the window.
func (w Window) Contains(t time.Time) bool {
	return w.Unbounded() || (!t.Before(w.Start) && t.Before(w.End))
}

// ended tells whether the window is over at t.
func (w Window) ended(t time.Time) bool {
	return !w.Unbounded() && !w.End.After(t)
}

// NewWindow returns the window of a period in a time zone that contains now, with bounds in UTC. The period is Hour, Day, Week (from Monday), Month or
// Total; the zone is an IANA name. Both are errors when they are not known.
//
// A bound is the first instant at which the zone's clock shows the start of the hour or of the date, or a time after it. So windows never overlap and
// leave no gap whatever the zone does: a day whose midnight is skipped starts when its clock starts, a date that a zone leaves out has no window, and an
// hour that the clock shows twice is one window.
func NewWindow(period, zone string, now time.Time) (Window, error) {
	if period == periodTotal {
		return Window{}, nil
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		return Window{}, fmt.Errorf("loading time zone %q: %w", zone, err)
	}
	if location == time.Local {
		return Window{}, fmt.Errorf("time zone %q differs between machines", zone)
	}
	wall := wallClock(now.In(location))
	// The clock may have been set back over a bound, so the window that now is in can be a later one than the clock says.
	step := 0
	var start, end time.Time
	for !end.After(now) {
		step++
		if end, err = firstInstant(period, wall, step, location); err != nil {
			return Window{}, err
		}
	}
	for start = end; start.After(now); {
		step--
		if start, err = firstInstant(period, wall, step, location); err != nil {
			return Window{}, err
		}
		if start.After(now) {
			end = start
		}
	}
	return Window{Start: start, End: end}, nil
}

// The periods, as the API spells them.
const (
	periodHour  = "Hour"
	periodDay   = "Day"
	periodWeek  = "Week"
	periodMonth = "Month"
	periodTotal = "Total"
)

// wallClock returns what the clock of t's zone shows, as if it were UTC, so that it can be calculated with.
func wallClock(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// wallStart returns what the clock shows at the start of the period around wall, moved by a number of periods.
func wallStart(period string, wall time.Time, step int) (time.Time, error) {
	year, month, day := wall.Date()
	switch period {
	case periodHour:
		return time.Date(year, month, day, wall.Hour()+step, 0, 0, 0, time.UTC), nil
	case periodDay:
		return time.Date(year, month, day+step, 0, 0, 0, 0, time.UTC), nil
	case periodWeek:
		sinceMonday := (int(wall.Weekday()) + 6) % 7
		return time.Date(year, month, day-sinceMonday+7*step, 0, 0, 0, 0, time.UTC), nil
	case periodMonth:
		return time.Date(year, month+time.Month(step), 1, 0, 0, 0, 0, time.UTC), nil
	default:
		return time.Time{}, fmt.Errorf("period %q is not known", period)
	}
}

// maxOffset is more than any zone was ever off UTC.
const maxOffset = 26 * time.Hour

// firstInstant returns the first instant at which the clock of the location shows the start of the period around wall, moved by a number of periods, or
// a time after it.
func firstInstant(period string, wall time.Time, step int, location *time.Location) (time.Time, error) {
	bound, err := wallStart(period, wall, step)
	if err != nil {
		return time.Time{}, err
	}
	at := bound.Add(-maxOffset).In(location)
	for {
		_, offset := at.Zone()
		shown := bound.Add(-time.Duration(offset) * time.Second)
		if shown.Before(at) {
			shown = at
		}
		_, next := at.ZoneBounds()
		if next.IsZero() || shown.Before(next) {
			return shown.UTC(), nil
		}
		at = next
	}
}
