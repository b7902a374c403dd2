package server

import (
	"strings"

	"signalbox.dev/signalbox/proxy/route"
)

const (
	// maxSlips is how many letters may be wrong, missing or too many in a name that is taken for a misspelled one; of a short name a third of its letters.
	maxSlips = 3
	// maxCompared is the longest name, in bytes, that is compared letter by letter.
	maxCompared = 128
)

// closest is the model that a caller may have meant by a name that none has; empty if none is near. Names that differ in letter case or in a vendor's prefix
// alone are the nearest.
func closest(name string, models []route.Model) string {
	plain := plainName(name)
	slips, found := min(maxSlips, len(plain)/3)+1, ""
	for _, model := range models {
		if model.IsPattern() {
			continue
		}
		if apart := distance(plain, plainName(model.Name), slips); apart < slips {
			slips, found = apart, model.Name
		}
	}
	return found
}

// plainName is a name in lower case without what vendors are told apart by.
func plainName(name string) string {
	return strings.ToLower(name[strings.LastIndexByte(name, '/')+1:])
}

// distance is how many bytes must be changed, added or removed to make one name of the other; limit for that many and more. What could only be part of a
// longer way is not looked at.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit || len(a) > maxCompared || len(b) > maxCompared {
		return limit
	}
	// The distances of the beginning of a that was looked at last to all beginnings of b.
	var row [maxCompared + 1]int
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		from, to := max(0, i-limit), min(len(b), i+limit)
		diagonal := row[from]
		row[from] = min(i+1, limit)
		least := row[from]
		for j := from; j < to; j++ {
			changed := diagonal
			if a[i] != b[j] {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, row[j]+1, row[j+1]+1)
			least = min(least, row[j+1])
		}
		if least >= limit {
			return limit
		}
	}
	return min(limit, row[len(b)])
}
