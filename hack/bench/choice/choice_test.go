package choice

import (
	"reflect"
	"strings"
	"testing"

	"signalbox.dev/signalbox/hack/bench/report"
)

const output = `goos: linux
cpu: Some Model 2.50GHz/3
BenchmarkOrder20/Weighted-2         	 1000000	       732.5 ns/op	       0 B/op	       0 allocs/op
BenchmarkOrder20/LowestCost         	  900000	      1044 ns/op	  12.50 MB/s	      16 B/op	       1 allocs/op
BenchmarkOrder20/Weighted-2         	 1000000	       700.5 ns/op	       8 B/op	       1 allocs/op
BenchmarkOrder20/Weighted-2         	 1000000	       900.5 ns/op	       0 B/op	       0 allocs/op
BenchmarkOrder20/NoMemory-2         	  900000	      1044 ns/op
PASS
ok  	signalbox.dev/signalbox/proxy/route	9.113s
`

func TestParse(t *testing.T) {
	got, err := Parse([]byte(output))
	want := []report.Choice{{Strategy: "Weighted", Nanos: 700.5, Bytes: 8, Allocs: 1}, {Strategy: "LowestCost", Nanos: 1044, Bytes: 16, Allocs: 1}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestNothingMeasuredIsAnError(t *testing.T) {
	for name, tc := range map[string]struct{ commandLine, want string }{
		"empty":               {" ", "empty command line"},
		"not there":           {"no-such-program-anywhere", "benchmarking the choice"},
		"fails":               {"ls /no-such-directory", "No such file"},
		"no results":          {"echo PASS", "no result"},
		"figures too strange": {"echo BenchmarkA/b 1 1..5 ns/op 0 B/op 0 allocs/op", "1..5"},
	} {
		if got, err := Run(t.Context(), tc.commandLine); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, %v, want %q", name, got, err, tc.want)
		}
	}
}

func TestRun(t *testing.T) {
	got, err := Run(t.Context(), "echo BenchmarkA/b-4 100 15 ns/op 8 B/op 2 allocs/op")
	if err != nil || !reflect.DeepEqual(got, []report.Choice{{Strategy: "b", Nanos: 15, Bytes: 8, Allocs: 2}}) {
		t.Errorf("got %+v, %v", got, err)
	}
}
