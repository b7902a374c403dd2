package dialect

// Unstreamed returns the stream of an API that does not stream: every event of it is an error.
func Unstreamed() Stream { return NewPassingStream(unreadable{}, nil) }
