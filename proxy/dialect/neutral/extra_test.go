package neutral_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

func TestDropExtra(t *testing.T) {
	var report neutral.Report
	for name, value := range map[string]string{
		"store": "false", "plugins": "[ ]", "trace": "{\n}", "route": `""`, "preset": "null", "stream_options": `{"include_usage":true}`, "parallel_tool_calls": "true",
		"prediction": `{"type":"content"}`, "safety_mode": `"OFF"`, "truncation": "true", "level": "0", "names": `[""]`, "web_search_options": "{}",
	} {
		report.DropExtra([]neutral.Member{{Name: name, Value: json.RawMessage(value)}})
	}
	if diff := cmp.Diff([]string{"level", "names", "prediction", "safety_mode", "truncation", "web_search_options"}, report.Dropped); diff != "" {
		t.Errorf("dropped (-want +got):\n%s", diff)
	}
}

func TestTokens(t *testing.T) {
	for text, tc := range map[string]struct {
		want       int64
		believable bool
	}{
		"": {0, true}, "null": {0, true}, "0": {0, true}, "7": {7, true}, "7.0": {7, true}, "7.2": {8, true}, "1e3": {1000, true}, "-1": {0, false}, "-0.5": {0, false},
		"1073741824": {meter.MaxTokens, true}, "1073741825": {0, false}, "1e300": {0, false}, "1e999": {0, false}, `"7"`: {0, false}, "{}": {0, false}, "NaN": {0, false},
	} {
		if got, believable := neutral.Number(text).Tokens(); got != tc.want || believable != tc.believable {
			t.Errorf("%s is %d tokens, %v, want %d, %v", text, got, believable, tc.want, tc.believable)
		}
	}
}
