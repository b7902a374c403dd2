package openai

import "signalbox.dev/signalbox/proxy/dialect"

// cutter takes members out of an object, or elements out of an array, with the commas that go with them. It is told of all of them in their order.
type cutter struct {
	// kept tells that something stays, and keptEnd where the last of it ends.
	kept    bool
	keptEnd int
	// cutting tells that what came last is taken out, from cutStart to cutEnd.
	cutting          bool
	cutStart, cutEnd int
}

// keep leaves a member in.
func (c *cutter) keep(patches []dialect.Patch, start, end int) []dialect.Patch {
	if c.cutting {
		patches = append(patches, dialect.Patch{At: c.cutStart, End: start})
		c.cutting = false
	}
	c.kept, c.keptEnd = true, end
	return patches
}

// cut takes a member out.
func (c *cutter) cut(start, end int) {
	if !c.cutting {
		c.cutting, c.cutStart = true, start
	}
	c.cutEnd = end
}

// close ends the object, whose bracket stands at an offset, with more members in JSON; none when they are empty.
func (c *cutter) close(patches []dialect.Patch, bracket int, more string) []dialect.Patch {
	if c.cutting && c.kept {
		patches = append(patches, dialect.Patch{At: c.keptEnd, End: c.cutEnd})
	} else if c.cutting {
		patches = append(patches, dialect.Patch{At: c.cutStart, End: c.cutEnd})
	}
	if more == "" {
		return patches
	}
	if c.kept {
		more = "," + more
	}
	return append(patches, dialect.Patch{At: bracket, End: bracket, Text: more})
}
