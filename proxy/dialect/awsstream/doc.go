// Package awsstream reads binary event streams of AWS (application/vnd.amazon.eventstream) as server-sent events, so that what goes over the events of a
// stream need not know how they were framed.
package awsstream
