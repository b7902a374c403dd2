package fleet

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSettle(t *testing.T) {
	cases := map[string]struct{ before, now, want Figures }{
		"nothing is known":              {before: NoFigures(), now: NoFigures(), want: NoFigures()},
		"first figures are rounded":     {before: NoFigures(), now: Figures{14, 1234, 87, 1234}, want: Figures{10, 1200, 87, 1200}},
		"halves are rounded up":         {before: NoFigures(), now: Figures{15, 1250, 105, 1250}, want: Figures{20, 1300, 110, 1300}},
		"large figures":                 {before: NoFigures(), now: Figures{1000, 99_999_999, 995, 99_999_999}, want: Figures{1000, 100_000_000, 1000, 100_000_000}},
		"small figures":                 {before: NoFigures(), now: Figures{4, 7, 0, 7}, want: Figures{0, 7, 0, 7}},
		"what did not move far stays":   {before: Figures{20, 1200, 80, 1200}, now: Figures{29, 1440, 96, 1440}, want: Figures{20, 1200, 80, 1200}},
		"nor down":                      {before: Figures{20, 1200, 80, 1200}, now: Figures{11, 960, 64, 960}, want: Figures{20, 1200, 80, 1200}},
		"what moved is rounded anew":    {before: Figures{20, 1200, 80, 1200}, now: Figures{30, 1441, 97, 1441}, want: Figures{30, 1400, 97, 1400}},
		"down as well":                  {before: Figures{20, 1200, 80, 1200}, now: Figures{10, 959, 63, 959}, want: Figures{10, 960, 63, 960}},
		"the last error is forgotten":   {before: Figures{10, 5, 5, 5}, now: Figures{0, 4, 6, 4}, want: Figures{0, 5, 5, 5}},
		"small figures do not flap":     {before: Figures{0, 2, 1, 2}, now: Figures{9, 3, 2, 3}, want: Figures{0, 2, 1, 2}},
		"what is not known any more":    {before: Figures{20, 1200, 80, 1200}, now: NoFigures(), want: NoFigures()},
		"one of them is not known":      {before: NoFigures(), now: Figures{0, Unknown, 50, Unknown}, want: Figures{0, Unknown, 50, Unknown}},
		"one of them becomes known":     {before: Figures{0, Unknown, 50, Unknown}, now: Figures{0, 150, 50, 150}, want: Figures{0, 150, 50, 150}},
		"known, and before it was zero": {before: Figures{0, 0, 0, 0}, now: Figures{0, 1, 1, 1}, want: Figures{0, 0, 0, 0}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.now.Settle(tc.before)); diff != "" {
				t.Errorf("figures (-want +got):\n%s", diff)
			}
			if again := tc.want.Settle(tc.want); again != tc.want {
				t.Errorf("settled figures become %+v", again)
			}
		})
	}
}

// TestSettledFiguresAreStill: averages that waver by up to 8 % are written once, wherever they lie between two round numbers.
func TestSettledFiguresAreStill(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 7))
	for range 200 {
		centre := 50 + random.Int64N(100_000)
		settled := Figures{0, centre, centre, centre}.Settle(NoFigures())
		changes := 0
		for range 500 {
			noisy := centre + centre*(random.Int64N(161)-80)/1000
			now := Figures{0, noisy, noisy, noisy}.Settle(settled)
			if now != settled {
				changes++
			}
			settled = now
		}
		if changes > 0 {
			t.Errorf("an average about %d was written %d times more", centre, changes)
		}
	}
}
