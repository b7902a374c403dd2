package compile

import (
	"bytes"
	"reflect"
	"slices"

	"signalbox.dev/signalbox/proxy/table"
)

// TakesAway tells whether next lets somebody do less than previous, or has other keys of issuers: such a table must not wait. It may say so of a table that
// only looks like one.
func TakesAway(previous, next *table.Table) bool {
	return losesAccessKey(previous, next) || changesIssuer(previous, next) || losesAccess(previous, next) || losesProviderKey(previous, next)
}

func losesAccessKey(previous, next *table.Table) bool {
	now := make(map[string]*table.AccessKey, len(next.AccessKeys))
	for i := range next.AccessKeys {
		now[next.AccessKeys[i].Name] = &next.AccessKeys[i]
	}
	for i := range previous.AccessKeys {
		before := &previous.AccessKeys[i]
		entry := now[before.Name]
		if entry == nil || !bytes.Equal(entry.HMAC, before.HMAC) || !reflect.DeepEqual(narrowKey(before, entry), before) {
			return true
		}
	}
	return false
}

func changesIssuer(previous, next *table.Table) bool {
	return slices.ContainsFunc(previous.Issuers, func(before table.Issuer) bool {
		return !slices.ContainsFunc(next.Issuers, func(entry table.Issuer) bool { return reflect.DeepEqual(before, entry) })
	})
}

func losesAccess(previous, next *table.Table) bool {
	now := make(map[string]*table.Route, len(next.Routes))
	for i := range next.Routes {
		now[next.Routes[i].Name] = &next.Routes[i]
	}
	for i := range previous.Routes {
		before := &previous.Routes[i]
		entry := now[before.Name]
		if entry == nil || !reflect.DeepEqual(narrow(before.Access, entry.Access), canonical(before.Access)) {
			return true
		}
	}
	return false
}

func losesProviderKey(previous, next *table.Table) bool {
	now := map[[2]string]bool{}
	for i := range next.Credentials {
		for _, key := range next.Credentials[i].Keys {
			now[[2]string{next.Credentials[i].Name, key.Fingerprint}] = true
		}
	}
	for i := range previous.Credentials {
		for _, key := range previous.Credentials[i].Keys {
			if !now[[2]string{previous.Credentials[i].Name, key.Fingerprint}] {
				return true
			}
		}
	}
	return false
}
