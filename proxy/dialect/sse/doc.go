// Package sse reads streams of server-sent events, as https://html.spec.whatwg.org/multipage/server-sent-events.html has them, however their bytes arrive.
package sse
