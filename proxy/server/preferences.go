package server

import "signalbox.dev/signalbox/proxy/preference"

// forwardPreferences makes what OpenRouter is told of its own providers: what the target declares, narrowed by what the request asks for.
func (w *work) forwardPreferences(c *call, l *leg, t *targetEntry) error {
	if w.credential.provider.Name != openRouter {
		return nil
	}
	requested := c.inbound.Head.Preferences
	var err error
	if l.variant != "" {
		// A sort of the request's own comes first.
		if requested, err = preference.Forward(requested, []byte(`{"sort":"`+string(l.variant)+`"}`), nobody); err != nil {
			return err
		}
	}
	if requested == nil && t.preferences == nil {
		return nil
	}
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

// nobody owns no slug.
func nobody(string) bool { return false }
