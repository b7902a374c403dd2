package responses

import "signalbox.dev/signalbox/proxy/dialect"

// span is a member of an object or an element of an array, as offsets into the text.
type span struct {
	start, end int
	// cut tells that it is to be left out.
	cut bool
}

// cuts are the patches that leave spans out, each with one comma: the one before it, or behind it where nothing before it stays.
func cuts(patches []dialect.Patch, spans []span) []dialect.Patch {
	kept := false
	for i, s := range spans {
		switch {
		case !s.cut:
			kept = true
		case kept:
			patches = append(patches, dialect.Patch{At: spans[i-1].end, End: s.end})
		case i+1 < len(spans):
			patches = append(patches, dialect.Patch{At: s.start, End: spans[i+1].start})
		default:
			patches = append(patches, dialect.Patch{At: s.start, End: s.end})
		}
	}
	return patches
}
