package neutral

import "slices"

// UnsupportedError says that a target cannot do what a request asks for. Another target may; if none can, the client gets it as an error of status 400.
type UnsupportedError struct {
	// Field of the request, in the words of the dialect that it came in as far as the writer knows them, such as "messages[2].content[0].image_url".
	Field string
	// Reason in words for the client, without the target's name: "images by URL cannot be sent to AWS Bedrock; send them as base64".
	Reason string
}

// Error implements error.
func (e *UnsupportedError) Error() string { return e.Field + ": " + e.Reason }

// Report is what was changed on the way to a target. It is told in headers of the answer.
type Report struct {
	// Dropped are the names of parameters that the target does not have, sorted and without repetition.
	Dropped []string
}

// maxDropped bounds the names of one report: a request may have as many members as fit into it.
const maxDropped = 64

// Drop adds a parameter's name.
func (r *Report) Drop(name string) {
	at, found := slices.BinarySearch(r.Dropped, name)
	if !found && len(r.Dropped) < maxDropped {
		r.Dropped = slices.Insert(r.Dropped, at, name)
	}
}
