package neutral_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

func TestSeals(t *testing.T) {
	for name, tc := range map[string]struct {
		seal, want string
		origin     neutral.Origin
	}{
		"own":             {seal: "EqQB:x", origin: neutral.OriginAnthropic, want: "EqQB:x"},
		"empty":           {origin: neutral.OriginAnthropic},
		"foreign":         {seal: neutral.TagSeal(neutral.OriginGemini, "a:b"), origin: neutral.OriginGemini, want: "a:b"},
		"without a place": {seal: "sb1:abc", origin: neutral.OriginUnknown, want: "abc"},
	} {
		if origin, seal := neutral.OpenSeal(neutral.OriginAnthropic, tc.seal); origin != tc.origin || seal != tc.want {
			t.Errorf("%s: %q of %q", name, seal, origin)
		}
	}
}

func TestSplitDataURL(t *testing.T) {
	type parts struct {
		MIME, Data string
		OK         bool
	}
	for url, want := range map[string]parts{
		"data:image/png;base64,iVBO":             {"image/png", "iVBO", true},
		"data:Image/PNG;charset=x;base64,iVBO":   {"image/png", "iVBO", true},
		"data:;base64,iVBO":                      {"", "iVBO", true},
		"data:image/png,plain":                   {},
		"data:image/png;base64":                  {},
		"https://example.com/data:image;base64,": {},
	} {
		mime, data, ok := neutral.SplitDataURL(url)
		if diff := cmp.Diff(want, parts{mime, data, ok}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", url, diff)
		}
	}
}

func TestReportKeepsOrder(t *testing.T) {
	var r neutral.Report
	for _, name := range []string{"seed", "logit_bias", "seed", "user"} {
		r.Drop(name)
	}
	if diff := cmp.Diff([]string{"logit_bias", "seed", "user"}, r.Dropped); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
