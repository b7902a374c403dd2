package compile

// CompileWithin is Compile with other bounds on what is stored, so that tests of them need not fill a whole Secret.
func CompileWithin(in Input, tableBytes, storedBytes int) Result {
	return newDrafts(&in, bounds{table: tableBytes, stored: storedBytes}).fit()
}

// CompileHeldBack is Compile for a table without room for anything new of access keys.
func CompileHeldBack(in Input) Result {
	d := newDrafts(&in, standardBounds())
	states := map[objectKey]settled{}
	for _, key := range d.accessKeys {
		states[key.key] = heldBack
	}
	return d.assemble(states)
}
