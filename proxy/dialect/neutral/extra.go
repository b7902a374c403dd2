package neutral

import "strings"

// webSearch switches OpenAI's search on, even if it is empty.
const webSearch = "web_search_options"

// DropExtra reports members that a writer has no place for, but for those that ask for nothing: what is false, empty or about the stream of another dialect.
func (r *Report) DropExtra(members []Member) {
	for _, m := range members {
		if m.Name == "stream_options" || m.Name == "parallel_tool_calls" && string(m.Value) == "true" {
			continue
		}
		if m.Name == webSearch && string(m.Value) != "null" {
			r.Drop(m.Name)
			continue
		}
		switch compact := strings.Join(strings.Fields(string(m.Value[:min(len(m.Value), 64)])), ""); compact {
		case "", "null", "false", `""`, "[]", "{}":
		default:
			r.Drop(m.Name)
		}
	}
}
