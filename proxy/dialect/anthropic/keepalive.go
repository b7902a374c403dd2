package anthropic

// KeepAlive is the event that Anthropic itself sends while nothing happens.
func (Messages) KeepAlive() []byte { return []byte("event: ping\ndata: {\"type\": \"ping\"}\n\n") }
