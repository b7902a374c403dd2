package compile

import (
	"cmp"
	"fmt"

	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/table"
)

// listings are what providers' lists say of the models that targets name, by credential and upstream model. Only these models go into the table, so that
// it stays as it is when a list changes otherwise.
type listings map[string]map[string]table.ModelListing

func (l listings) note(credential, model string, listing table.ModelListing) {
	if l[credential] == nil {
		l[credential] = map[string]table.ModelListing{}
	}
	l[credential][model] = listing
}

// listing tells what is known of a model from its provider's list. Where there is no list now, or it does not tell, the last thing known of the same
// account stays.
func (a *assembly) listing(credential, model string) (table.ModelListing, bool) {
	backend := a.backends[credential]
	if backend == nil || model == wildcard || model == "" {
		return table.ModelListing{}, false
	}
	found, known := a.lookUp(backend, model)
	if !known {
		found, known = a.before(backend)[model]
	}
	if known {
		a.listings.note(credential, model, found)
	}
	return found, known
}

// lookUp asks the list that is at hand, if it is one of the account that is called.
func (a *assembly) lookUp(backend *table.Credential, model string) (table.ModelListing, bool) {
	list, known := a.in.Lists[backend.Name]
	account := provider.AccountOf(backend)
	if !known || list.Provider != backend.Provider || list.Account != account {
		return table.ModelListing{}, false
	}
	vendor, known := a.providers.Lookup(backend.Provider)
	if !known {
		return table.ModelListing{}, false
	}
	found, listing := vendor.For(account).Find(&list, model)
	return table.ModelListing{
		Unlisted: listing == provider.Unlisted, ContextTokens: found.ContextTokens, MaxOutputTokens: found.MaxOutputTokens,
	}, listing != provider.ListingUnknown
}

// before is what the previous table had of the same account.
func (a *assembly) before(backend *table.Credential) map[string]table.ModelListing {
	if a.in.Previous == nil {
		return nil
	}
	for i := range a.in.Previous.Credentials {
		before := &a.in.Previous.Credentials[i]
		if before.UID == backend.UID && before.Provider == backend.Provider && provider.AccountOf(before) == provider.AccountOf(backend) {
			return before.Listing
		}
	}
	return nil
}

// listedTarget is what a provider's list says of a target.
type listedTarget struct {
	// listing of the target's own model.
	listing provider.Listing
	// serving is the successor that is called in its place; empty when it is called itself.
	serving string
}

// applyListing fills in what the target does not declare itself, of the model that serves. A successor that is not in the list either does not take over
// before the provider has said that the model is gone.
func (a *assembly) applyListing(target *table.Target) listedTarget {
	target.Unlisted = false
	found, known := a.listing(target.Credential, target.Model)
	if !known {
		return listedTarget{}
	}
	listed := listedTarget{listing: provider.Listed}
	if found.Unlisted {
		listed.listing = provider.Unlisted
		target.Unlisted = true
	}
	if found.Unlisted && target.Successor != "" {
		found, _ = a.listing(target.Credential, target.Successor)
		target.Unlisted = !found.Unlisted
	}
	if target.Unlisted {
		listed.serving = target.Successor
	}
	target.Declared.ContextTokens = cmp.Or(target.Declared.ContextTokens, found.ContextTokens)
	target.Declared.MaxOutputTokens = cmp.Or(target.Declared.MaxOutputTokens, found.MaxOutputTokens)
	return listed
}

// describe says that a target's model is not in the list, and what follows.
func (l listedTarget) describe(target *table.Target, vendor string) string {
	missing := fmt.Sprintf("provider %s does not list model %q", vendor, bounded(target.Model))
	switch {
	case l.serving != "":
		return fmt.Sprintf("%s; calls go to its successor %q", missing, bounded(l.serving))
	case target.Successor != "":
		return fmt.Sprintf("%s, nor its successor %q; correct both", missing, bounded(target.Successor))
	default:
		return missing + ", so calls to it may fail; correct the model, or name a successor"
	}
}

// addListings puts what was looked up into the credentials of the table.
func (a *assembly) addListings() {
	for i := range a.table.Credentials {
		a.table.Credentials[i].Listing = a.listings[a.table.Credentials[i].Name]
	}
}
