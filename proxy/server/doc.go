// Package server is the proxy's request path: it takes calls in the dialects of OpenAI, OpenRouter and Groq, finds who asks, which route serves the model
// and which targets may answer, tries them in order, relays the answer and settles its cost.
//
// A request goes through the chain of chain.go and then through generate.go, top to bottom. Handlers return errors; the outermost link alone writes the
// reply and the access log. The routing table is compiled into a snapshot when it comes in (snapshot.go), and a request uses one snapshot throughout,
// but for keys and endpoints of providers: each attempt takes them from the newest.
package server
