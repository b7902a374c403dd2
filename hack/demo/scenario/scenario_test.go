package scenario

import (
	"encoding/json"
	"testing"
)

func TestCost(t *testing.T) {
	tests := map[string]struct {
		report  string
		want    string
		refused bool
	}{
		"a streamed answer":       {report: `{"status":200,"text":"hello there","chunks":4,"costUSD":0.00001972}`, want: "0.00001972"},
		"an error of the proxy":   {report: `{"status":402,"error":{"code":"budget_exceeded"}}`, refused: true},
		"no stream":               {report: `{"status":200,"text":"hello","chunks":1,"costUSD":0.1}`, refused: true},
		"no text":                 {report: `{"status":200,"chunks":5,"costUSD":0.1}`, refused: true},
		"no cost":                 {report: `{"status":200,"text":"hello","chunks":5}`, refused: true},
		"a cost of nothing":       {report: `{"status":200,"text":"hello","chunks":5,"costUSD":0}`, refused: true},
		"a cost below a nano-USD": {report: `{"status":200,"text":"hello","chunks":5,"costUSD":1e-8}`, want: "0.00000001"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var got answer
			if err := json.Unmarshal([]byte(tc.report), &got); err != nil {
				t.Fatal(err)
			}
			cost, err := got.cost()
			if (err != nil) != tc.refused {
				t.Fatalf("cost() = %v, %v", cost, err)
			}
			if !tc.refused && cost.FloatString(8) != tc.want {
				t.Errorf("cost() = %s, want %s", cost.FloatString(8), tc.want)
			}
		})
	}
}
