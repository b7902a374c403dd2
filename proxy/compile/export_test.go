package compile

// CompileWithin is Compile with other bounds on what is stored, so that tests of them need not fill a whole Secret.
func CompileWithin(in Input, tableBytes, storedBytes int) Result {
	return newDrafts(&in, bounds{table: tableBytes, stored: storedBytes}).fit()
}
