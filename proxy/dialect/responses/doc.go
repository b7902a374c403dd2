// Package responses is the wire format of OpenAI's Responses API, without state: requests are whole conversations, and nothing of them is kept. It is both
// a surface that clients speak and an API of upstreams.
package responses
