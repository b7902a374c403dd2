package upstream

import (
	"fmt"
	"io"
	"net"
	"strings"
)

const messageUsage = `"usage":{"input_tokens":180,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":40,"service_tier":"standard"}`

// messageBody is a message of the same 40 words as plainBody.
func messageBody() string {
	return `{"id":"msg_bench","type":"message","role":"assistant","model":"bench","content":[{"type":"text","text":"` +
		strings.TrimSpace(strings.Repeat("signal junction semaphore platform ", 10)) + `"}],"stop_reason":"end_turn","stop_sequence":null,` + messageUsage + "}\n"
}

// messageStream writes the stream of a message, each event as a chunk of its own.
func (s *Server) messageStream(conn net.Conn) error {
	opening := fmt.Sprintf(head, "text/event-stream; charset=utf-8") + "Transfer-Encoding: chunked\r\n\r\n" +
		messageEvent("message_start", `"message":{"id":"msg_bench","type":"message","role":"assistant","model":"bench","content":[],"stop_reason":null,"stop_sequence":null,`+
			messageUsage+"}") +
		messageEvent("content_block_start", `"index":0,"content_block":{"type":"text","text":""}`)
	if _, err := io.WriteString(conn, opening); err != nil {
		return err
	}
	text := func(word string) string {
		return messageEvent("content_block_delta", `"index":0,"delta":{"type":"text_delta","text":"`+word+`"}`)
	}
	if err := s.sendTexts(conn, streamPlan{events: s.Events}, text); err != nil {
		return err
	}
	closing := messageEvent("content_block_stop", `"index":0`) +
		messageEvent("message_delta", `"delta":{"stop_reason":"end_turn","stop_sequence":null},`+messageUsage) + messageEvent("message_stop", "")
	_, err := io.WriteString(conn, closing+"0\r\n\r\n")
	return err
}

// messageEvent is an event with its type in both places.
func messageEvent(kind, members string) string {
	if members != "" {
		members = "," + members
	}
	return chunk("event: " + kind + "\ndata: {\"type\":\"" + kind + "\"" + members + "}\n\n")
}
