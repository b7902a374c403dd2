package server

import (
	"strings"

	"signalbox.dev/signalbox/proxy/preference"
)

// forwardPreferences makes what OpenRouter is told of its own providers: what the target declares, narrowed by what the request asks for.
func (w *work) forwardPreferences(c *call, t *targetEntry) error {
	if w.credential.provider.Name != openRouter {
		return nil
	}
	requested := c.inbound.Head.Preferences
	if l := c.legOf(t); l != nil && l.query.Preferences != nil {
		requested = withSort(requested, l.query.Preferences.Sort)
	}
	if requested == nil && t.preferences == nil {
		return nil
	}
	var err error
	w.preferences, err = preference.Forward(t.preferences, requested, c.owns)
	return err
}

// owns tells whether a slug names a target of the call's routes rather than one of OpenRouter's providers.
func (c *call) owns(slug string) bool {
	for i := range c.legs {
		if router := c.legs[i].route.router; router != nil && router.Owns(slug) {
			return true
		}
	}
	return false
}

// legOf is the leg whose route has the target; nil for a mirror.
func (c *call) legOf(t *targetEntry) *leg {
	for i := range c.legs {
		targets := c.legs[i].route.targets
		for j := range targets {
			if &targets[j] == t {
				return &c.legs[i]
			}
		}
	}
	return nil
}

// withSort adds the sort of a model's variant to preferences that have none.
func withSort(raw []byte, sort preference.Sort) []byte {
	member := `"sort":"` + string(sort) + `"`
	switch {
	case sort == "":
		return raw
	case raw == nil:
		return []byte("{" + member + "}")
	case strings.Contains(string(raw), `"sort"`):
		return raw
	}
	rest := strings.TrimLeft(string(raw[1:]), " \t\r\n")
	if rest == "}" {
		return []byte("{" + member + "}")
	}
	return []byte("{" + member + "," + rest)
}
