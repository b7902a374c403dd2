package anthropic

import "signalbox.dev/signalbox/proxy/dialect"

// cutter makes patches that take elements out of an array, or members out of an object, with their commas.
type cutter struct {
	patches []dialect.Patch
	// previous is the offset behind the element before, kept tells that an element before stays.
	previous int
	kept     bool
	// pending is a removal at the beginning, which reaches up to the next element.
	pending int
}

// keep takes in the next element, which stays.
func (c *cutter) keep(at span) {
	c.reach(at.at)
	c.kept, c.previous = true, at.end
}

// remove takes in the next element, which is taken out.
func (c *cutter) remove(at span) {
	c.reach(at.at)
	if c.kept {
		c.patches = append(c.patches, dialect.Patch{At: c.previous, End: at.end})
	} else {
		c.pending = at.at
	}
	c.previous = at.end
}

// reach ends a removal at the beginning.
func (c *cutter) reach(at int) {
	if c.pending > 0 {
		c.patches = append(c.patches, dialect.Patch{At: c.pending, End: at})
		c.pending = 0
	}
}

// close takes in the offset behind the closing bracket and returns the patches.
func (c *cutter) close(end int) []dialect.Patch {
	c.reach(end - 1)
	return c.patches
}
