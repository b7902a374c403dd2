package catalogue

import (
	"strings"
	"time"
)

// Lookup returns what is known of a model by the id that calls name, as LookupAt without a place.
func (c *Catalogue) Lookup(provider, model string) (Entry, bool) {
	return c.LookupAt(provider, "", model)
}

// LookupAt returns what is known of a model by the id that calls name, for calls that are kept in a place: AWS's region, Google Cloud's location, or the
// part of the world of an endpoint ("eu"). The place of an ARN wins.
//
// An id is found as it is, then without what its provider is known to put around an id, then without its date or version. Nothing else is tried: an id that
// merely looks like a known one has no price.
func (c *Catalogue) LookupAt(provider, place, model string) (Entry, bool) {
	name := nameOf(provider, model)
	if name.id == "" {
		return Entry{}, false
	}
	if name.place != "" {
		place = name.place
	}
	entry, known := c.find(provider, place, name.id)
	if !known && name.within != "" {
		entry, known = c.find(provider, place, name.within)
	}
	if !known && name.free {
		// What is free of charge costs nothing, whatever it is.
		entry, known = Entry{Key: name.id, Date: c.header.Date}, true
	}
	if !known {
		return Entry{}, false
	}
	if name.free {
		return entry.gratis(provider, model), true
	}
	return entry.at(place), true
}

// find looks for an id and then for what it is without its date.
func (c *Catalogue) find(provider, place, id string) (Entry, bool) {
	entries := c.entries(provider)
	for _, key := range []string{id, undated(provider, id)} {
		if key == "" {
			continue
		}
		if entry, known := entries[place+"/"+key]; known {
			return *entry, true
		}
		if entry, known := entries[key]; known {
			return *entry, true
		}
	}
	return Entry{}, false
}

// name is what the id in a call says.
type name struct {
	// id of the model; empty when it cannot be known which model is called.
	id string
	// within is the id without what may stand around it; empty when nothing does.
	within string
	// place that the id itself names.
	place string
	// free tells that the call is free of charge.
	free bool
}

// nameOf reads an upstream model id as its provider does.
func nameOf(provider, model string) name {
	switch provider {
	case "AzureOpenAI", "OpenAICompatible":
		// A deployment has the name that its owner gave it, and a server the models that it was given.
		return name{}
	case "OpenAI":
		return name{id: tuned(model)}
	case "GoogleAI":
		return name{id: strings.TrimPrefix(model, "models/")}
	case "VertexAI":
		return vertex(model)
	case "AWSBedrock":
		return bedrock(model)
	case "OpenRouter":
		return openRouter(model)
	}
	return name{id: model}
}

// vertex reads ids that can have their publisher before them, as a path or in the way of the API that is like OpenAI's.
func vertex(model string) name {
	for _, prefix := range []string{"publishers/google/models/", "google/"} {
		if within, found := strings.CutPrefix(model, prefix); found {
			return name{id: model, within: within}
		}
	}
	return name{id: model}
}

// tuned is the model that a fine-tuned one is charged as: "ft:gpt-4o-2024-08-06:acme::id" has the prices of "ft:gpt-4o-2024-08-06".
func tuned(model string) string {
	rest, isTuned := strings.CutPrefix(model, "ft:")
	if !isTuned {
		return model
	}
	base, _, _ := strings.Cut(rest, ":")
	return "ft:" + base
}

// bedrock reads ids and ARNs. A foundation model and an inference profile of AWS have their id in the ARN; profiles of one's own, provisioned throughput and
// imported models do not tell what they stand for.
func bedrock(model string) name {
	if !strings.HasPrefix(model, "arn:") {
		return name{id: model}
	}
	parts := strings.SplitN(model, ":", 6)
	if len(parts) != 6 || parts[2] != "bedrock" {
		return name{}
	}
	for _, kind := range []string{"foundation-model/", "inference-profile/"} {
		if id, found := strings.CutPrefix(parts[5], kind); found {
			return name{id: id, place: parts[3]}
		}
	}
	return name{}
}

// openRouter reads ids with suffixes. Those that only order the providers of a model leave its prices; :online adds searches that the id does not tell the
// price of, and moving aliases and presets do not tell the model.
func openRouter(model string) name {
	if strings.HasPrefix(model, "~") || strings.Contains(model, "@preset/") {
		return name{}
	}
	id, suffix, _ := strings.Cut(model, ":")
	switch suffix {
	case "free":
		return name{id: id, free: true}
	case "nitro", "floor", "exacto":
		return name{id: id}
	default:
		return name{id: model}
	}
}

// undated is an id without its date or version; empty when it has none.
func undated(provider, id string) string {
	if base, isVersion := versionless(provider, id); isVersion {
		return base
	}
	for _, layout := range []string{"-2006-01-02", "-20060102", "@20060102"} {
		at := len(id) - len(layout)
		if at <= 0 {
			continue
		}
		if _, err := time.Parse(layout, id[at:]); err == nil {
			return id[:at]
		}
	}
	return ""
}

// versionless is the id of one of Google's models without its version, such as "-001".
func versionless(provider, id string) (string, bool) {
	at := len(id) - len("-001")
	if provider != "GoogleAI" && provider != "VertexAI" || at <= 0 {
		return "", false
	}
	suffix := id[at:]
	return id[:at], strings.HasPrefix(suffix, "-00") && suffix[3] >= '1' && suffix[3] <= '9'
}
