package route

import "strings"

// openRouter is the provider that routes itself, and takes a request's preferences for its own providers.
const openRouter = "OpenRouter"

// slugOf is OpenRouter's name of a provider; empty for one that has none.
func slugOf(provider string) string {
	switch provider {
	case "GoogleAI":
		return "google-ai-studio"
	case "VertexAI":
		return "google-vertex"
	case "AWSBedrock":
		return "amazon-bedrock"
	case "AzureOpenAI":
		return "azure"
	case "OpenAICompatible":
		return ""
	default:
		return strings.ToLower(provider)
	}
}

func slugsOf(name, provider string) [3]string {
	return [3]string{strings.ToLower(name), strings.ToLower(provider), slugOf(provider)}
}

// named tells whether a slug names the target. A slug may go on with a region or a variant behind a slash, which our targets do not tell apart.
func (t *routed) named(slug string) bool {
	base, _, _ := strings.Cut(slug, "/")
	for _, own := range t.slugs {
		if own != "" && (equalFold(own, slug) || equalFold(own, base)) {
			return true
		}
	}
	return false
}

// equalFold is strings.EqualFold with a way out that is cheap: nearly all pairs differ in length.
func equalFold(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }

// Owns tells whether a slug names a target of the route or the provider of one. Other slugs are for OpenRouter to apply.
func (r *Router) Owns(slug string) bool {
	for i := range r.targets {
		if r.targets[i].named(slug) {
			return true
		}
	}
	return false
}

// matches tells whether a list of slugs has the target. OpenRouter is also had by a slug that names nothing of ours: it may well be one of its providers.
func (r *Router) matches(slugs []string, t *routed) bool { return r.placeIn(slugs, t) < len(slugs) }

// placeIn is the place of the first slug that has the target; the length of the list when none has.
func (r *Router) placeIn(slugs []string, t *routed) int {
	for i, slug := range slugs {
		if t.named(slug) || (t.openRouter && !r.Owns(slug)) {
			return i
		}
	}
	return len(slugs)
}

// ignoredBy tells whether a list of slugs names the target itself.
func (t *routed) ignoredBy(slugs []string) bool {
	for _, slug := range slugs {
		if t.named(slug) {
			return true
		}
	}
	return false
}
