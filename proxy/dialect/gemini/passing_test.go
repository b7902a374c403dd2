package gemini_test

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/gemini"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/meter"
)

func TestPassRequest(t *testing.T) {
	seal := tagged(neutral.OriginAnthropic, "s", "", "sig")
	for name, tc := range map[string]struct {
		model      string
		quirks     dialect.Quirks
		set        []neutral.Member
		body, want string
		dropped    []string
	}{
		"bytes": {
			body: `{"contents" : [ {"parts":[{"text":"\u00e9 1.50"}]} ], "generation_config":{"topK":1.0}}`,
			want: `{"contents" : [ {"parts":[{"text":"\u00e9 1.50"}]} ],"generation_config":{"topK":1.0}}`,
		},
		"model in the body":     {body: `{"model":"models/expensive","contents":[]}`, want: `{"contents":[]}`},
		"refused by the target": {quirks: dialect.Quirks{Refused: []string{"serviceTier"}}, body: `{"contents":[],"service_tier":"flex"}`, want: `{"contents":[]}`, dropped: []string{"serviceTier"}},
		"not accepted":          {quirks: dialect.Quirks{Accepted: []string{"contents"}}, body: `{"contents":[],"store":true}`, want: `{"contents":[]}`, dropped: []string{"store"}},
		"members of the host":   {set: []neutral.Member{{Name: "labels", Value: json.RawMessage(`{}`)}}, body: `{"contents":[]}`, want: `{"contents":[],"labels":{}}`},
		"own seals stay": {
			model: "gemini-3-pro-preview", body: contents(`{"role":"model","parts":[{"functionCall":{"name":"f"},"thoughtSignature":"c2VhbA=="},{"function_call":{"name":"g"}}]}`),
			want: contents(`{"role":"model","parts":[{"functionCall":{"name":"f"},"thoughtSignature":"c2VhbA=="},{"function_call":{"name":"g"}}]}`),
		},
		"calls without seals": {
			model: "gemini-3-pro-preview",
			body:  contents(`{"parts":{"text":"functionCall"}},{"parts":[{"text":"a"},{"functionCall":{"name":"f"}},{"functionCall":{"name":"g"}}], "role":"model"},{"role":"model","parts":{"function_call":{"name":"h"}}},1,{"parts":1},{"parts":null}`),
			want: contents(`{"parts":[{"text":"functionCall"}]},{"parts":[{"text":"a"},{"functionCall":{"name":"f"},"thoughtSignature":"skip_thought_signature_validator"},{"functionCall":{"name":"g"}}],"role":"model"},` +
				`{"role":"model","parts":[{"function_call":{"name":"h"}}]},1,{"parts":1},{"parts":null}`),
		},
		"calls without seals, older model": {
			body: contents(`{"role":"model","parts":[{"functionCall":{"name":"f"}}]}`), want: contents(`{"role":"model","parts":[{"functionCall":{"name":"f"}}]}`),
		},
		"seals of another vendor": {
			body: contents(`{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"text":"stays","thought":true,"thoughtSignature":"c2VhbA=="},{"text":"x","thought":true},{"text":"y","thought":true},` +
				`{"text":"","thought":true,"thoughtSignature":"` + seal + `"},{"text":"b"}]},{"role":"model","parts":[{"text":"","thought":true,"thoughtSignature":"` + seal + `"}]},{"role":"user","parts":[]}`),
			want:    contents(`{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"text":"stays","thought":true,"thoughtSignature":"c2VhbA=="},{"text":"b"}]},{"role":"user","parts":[]}`),
			dropped: []string{"reasoning"},
		},
		"the chunks of a stream as turns": {
			model: "gemini-3-pro-preview",
			body: contents(`{"role":"model","parts":[{"text":"x","thought":true}]},{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"text":"y","thought":true}]},` +
				`{"role":"model","parts":[{"text":"z","thought":true,"thoughtSignature":"` + seal + `"}]},{"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"role":"model","parts":[{"functionCall":{"name":"g"}}]},` +
				`{"role":"user","parts":[{"functionResponse":{"name":"f"}}]},{"role":"model","parts":[{"functionCall":{"name":"h"}}]}`),
			want: contents(`{"role":"model","parts":[{"text":"x","thought":true}]},{"role":"user","parts":[{"text":"a"}]},` +
				`{"role":"model","parts":[{"functionCall":{"name":"f"},"thoughtSignature":"skip_thought_signature_validator"}]},{"role":"model","parts":[{"functionCall":{"name":"g"}}]},` +
				`{"role":"user","parts":[{"functionResponse":{"name":"f"}}]},{"role":"model","parts":[{"functionCall":{"name":"h"},"thoughtSignature":"skip_thought_signature_validator"}]}`),
			dropped: []string{"reasoning"},
		},
		"a seal of another vendor at a call": {
			model:   "gemini-3-flash-preview",
			body:    `{"contents":{"role":"model","parts":[{"thought_signature":"` + seal + `","functionCall":{"name":"f"}},{"text":"b","thoughtSignature":"` + seal + `"}]}}`,
			want:    contents(`{"role":"model","parts":[{"functionCall":{"name":"f"},"thoughtSignature":"skip_thought_signature_validator"},{"text":"b"}]}`),
			dropped: []string{"reasoning"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			to := googleAI(tc.model)
			if tc.model == "" {
				to = googleAI("gemini-2.5-flash")
			}
			to.Quirks, to.Set = tc.quirks, tc.set
			head, err := gemini.Generate{}.ReadHead([]byte(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			got, report, err := gemini.Generate{}.AppendPassed([]byte("x"), []byte(tc.body), head, to)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff("x"+tc.want, string(got)); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.dropped, report.Dropped); diff != "" {
				t.Errorf("dropped (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPassAnswer(t *testing.T) {
	body := `{"candidates":[{"content":{"parts":[{"text":"Hi"}]},"finishReason":"STOP"}], "usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"thoughtsTokenCount":4,"totalTokenCount":9}}`
	answer, err := gemini.Generate{}.ReadPassed([]byte(body), dialect.Exchange{})
	if err != nil {
		t.Fatal(err)
	}
	used := answer.Settle(100)
	if diff := cmp.Diff(meter.Usage{Prompt: 3, Completion: 6, Reasoning: 4}, used); diff != "" || answer.Failure() != nil {
		t.Errorf("failure %v, usage (-want +got):\n%s", answer.Failure(), diff)
	}
	if got := string(answer.Body(used)); got != body {
		t.Errorf("Body = %s", got)
	}
	if _, err := (gemini.Generate{}).ReadPassed([]byte("<html>"), dialect.Exchange{}); err == nil {
		t.Error("HTML passes as an answer")
	}
}

// passed is what the client gets of a stream that passes, how it ended and what it cost.
func passed(t *testing.T, source io.Reader, call dialect.Exchange) (output string, steps []dialect.StepKind, whole bool, used meter.Usage) {
	t.Helper()
	stream, frames := gemini.Generate{}.NewPassedStream(call), sse.NewReader(source, 0)
	var out strings.Builder
	for {
		frame, err := frames.Next()
		if err != nil {
			break
		}
		step, err := stream.Next(frame)
		if err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step.Kind)
		if step.Kind == dialect.StepFailure {
			return out.String(), steps, false, stream.Settle(30)
		}
		out.Write(step.Output)
	}
	rest, whole := stream.End()
	out.Write(rest)
	return out.String(), steps, whole, stream.Settle(30)
}

func TestPassStream(t *testing.T) {
	for name, stream := range inputs(t, "stream", ".sse") {
		for arrival, arrive := range arrivals {
			t.Run(name+" "+arrival, func(t *testing.T) {
				output, steps, whole, used := passed(t, arrive(bytes.NewReader(stream)), dialect.Exchange{})
				all, wantWhole, err := events(bytes.NewReader(stream))
				if err != nil || whole != wantWhole {
					t.Fatalf("whole is %v, want %v, %v", whole, wantWhole, err)
				}
				if steps[len(steps)-1] == dialect.StepFailure {
					return
				}
				if output != string(stream) && name != "framing" {
					t.Errorf("the client gets\n%s\nof\n%s", output, stream)
				}
				read := collected(all)
				if read.Usage == nil || name == "cut" {
					return
				}
				want := *read.Usage
				want.Service = map[string]string{"calls": "priority"}[name]
				if diff := cmp.Diff(want, used); diff != "" {
					t.Errorf("usage (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestPassStreamAsArray(t *testing.T) {
	for name, stream := range inputs(t, "stream", ".sse") {
		t.Run(name, func(t *testing.T) {
			output, steps, whole, _ := passed(t, iotestOneByte(stream), dialect.Exchange{Array: true})
			if steps[len(steps)-1] == dialect.StepFailure || !whole {
				output = string(gemini.Generate{}.AppendErrorEvent([]byte(output), dialect.ErrorReply{Status: 502, Message: "cut", Array: true, Sequence: min(1, int64(len(output)))}))
			}
			list := elements(t, []byte(output))
			want := 0
			for frames := sse.NewReader(bytes.NewReader(stream), 0); ; want++ {
				frame, err := frames.Next()
				if err != nil {
					break
				}
				if strings.TrimSpace(string(frame.Data)) == "" {
					want--
				}
			}
			if name == "failure" {
				want-- // The chunk behind the failure is never looked at.
			}
			if !whole && name != "failure" {
				want++
			}
			if len(list) != want {
				t.Errorf("the array has %d elements, want %d:\n%s", len(list), want, output)
			}
		})
	}
}

func iotestOneByte(data []byte) io.Reader { return arrivals["byte by byte"](bytes.NewReader(data)) }

func TestPassedStreamCountsTokens(t *testing.T) {
	_, steps, _, used := passed(t, strings.NewReader("data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"twelve bytes\"}]}}]}\n\n: ping\n\n"), dialect.Exchange{})
	if diff := cmp.Diff([]dialect.StepKind{dialect.StepToken, dialect.StepComment}, steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(meter.Usage{Prompt: 10, Completion: 4, Estimated: true}, used); diff != "" {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
}
