package dialect

import "strings"

// ServedAs is the class of service that a provider says it gave, as meter.Usage names it: empty for the usual one, under any of its names.
func ServedAs(tier string) string {
	switch name := ServiceName(tier); name {
	case "default", "standard", "on_demand", "auto":
		return ""
	default:
		return strings.Clone(name)
	}
}
