package management

import (
	"encoding/json"
	"strings"
)

// Rows are those of a page. The zero value is an answer that has none at all, which is not an empty list.
type Rows[T any] struct {
	there bool
	rows  []T
}

// UnmarshalJSON takes null for an empty list.
func (r *Rows[T]) UnmarshalJSON(text []byte) error {
	r.there = true
	return json.Unmarshal(text, &r.rows)
}

// Keys are the rows as keys; nil only if the answer had no list.
func (r *Rows[T]) Keys(key func(T) Key) []Key {
	if !r.there {
		return nil
	}
	keys := make([]Key, 0, len(r.rows))
	for _, row := range r.rows {
		keys = append(keys, key(row))
	}
	return keys
}

// Listing gathers the keys of a list page by page.
type Listing struct {
	// Prefix begins the names of the keys that are kept.
	Prefix string
	// Ours are the keys that were kept.
	Ours []Key
	// Seen is how many keys there were in all.
	Seen  int
	known map[string]bool
}

// Add adds a page, nil if the answer had none, and tells how many of its keys are new. A key of ours whose id cannot be one could never be deleted, and would be one of many
// soon, so there is no list with it.
func (l *Listing) Add(page []Key) (fresh int, err error) {
	if page == nil {
		return 0, &UnclearError{"the answer has no list of keys"}
	}
	if l.known == nil {
		l.known = map[string]bool{}
	}
	for _, key := range page {
		ours := strings.HasPrefix(key.Name, l.Prefix)
		switch {
		case ours && !IsID(key.ID):
			return 0, &UnclearError{"the id of a key whose name begins with " + l.Prefix + " is missing or cannot be one; delete that key by hand"}
		case l.known[key.ID]:
			continue
		case ours:
			l.Ours = append(l.Ours, key)
		}
		l.known[key.ID] = true
		fresh++
	}
	l.Seen += len(page)
	return fresh, nil
}
