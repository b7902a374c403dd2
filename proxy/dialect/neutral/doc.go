// Package neutral is the typed form in which a request, an answer, a stream and an error cross from one wire API to another. It belongs to no vendor: each
// dialect has readers into it and writers from it, so that no pair of dialects is written by hand. What is sent back in the dialect that it came in does
// not pass through here but as bytes.
package neutral
