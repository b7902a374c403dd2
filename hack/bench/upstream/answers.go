package upstream

import (
	"fmt"
	"strings"
)

const usage = `{"prompt_tokens":180,"completion_tokens":40,"total_tokens":220,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},` +
	`"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`

const modelList = `{"object":"list","data":[{"id":"bench-plain","object":"model","created":1767225600,"owned_by":"bench"}]}`

// plainBody is a chat completion of 40 words.
func plainBody() string {
	return `{"id":"chatcmpl-bench","object":"chat.completion","created":1767225600,"model":"bench","choices":[{"index":0,"message":{"role":"assistant","content":"` +
		strings.TrimSpace(strings.Repeat("signal junction semaphore platform ", 10)) + `","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":` +
		usage + `,"service_tier":"default","system_fingerprint":"fp_bench"}` + "\n"
}

// whole is a complete answer around a JSON body.
func whole(body string) []byte {
	return fmt.Appendf(nil, head+"Content-Length: %d\r\n\r\n%s", "application/json", len(body), body)
}

// unavailable is how a provider fails that is down behind its front.
func unavailable() []byte {
	const body = `{"error":{"message":"The server is overloaded or not ready yet.","type":"server_error","param":null,"code":null}}` + "\n"
	return fmt.Appendf(nil, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}
