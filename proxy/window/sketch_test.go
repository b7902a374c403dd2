package window

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// draw returns values of all sizes that are measured, more small ones than large ones.
func draw(random *rand.Rand, n int) []int64 {
	values := make([]int64, n)
	for i := range values {
		values[i] = int64(math.Exp(random.Float64() * math.Log(580_000)))
	}
	return values
}

// TestQuantilesAreAccurate: every percentile is within Accuracy of the true one, half a unit of rounding aside, whatever the values are.
func TestQuantilesAreAccurate(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		values := draw(random, 1+random.IntN(400))
		var sketch Sketch
		for _, value := range values {
			sketch.Add(value)
		}
		slices.Sort(values)
		for _, permille := range []uint64{0, 1, 250, 500, 950, 999, 1000} {
			want := values[max(1, (len(values)*int(permille)+999)/1000)-1]
			got, ok := sketch.Quantile(permille)
			if !ok || math.Abs(float64(got-want)) > Accuracy*float64(want)+0.5 {
				t.Fatalf("%d permille of %d values is %d, want about %d", permille, len(values), got, want)
			}
		}
	}
}

// TestMergedSketchesAreThatOfAllValues: adding up sketches loses nothing, packed or not, in whatever order.
func TestMergedSketchesAreThatOfAllValues(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var whole, merged Sketch
		parts := make([]Sketch, 1+random.IntN(8))
		for _, value := range draw(random, random.IntN(300)) {
			whole.Add(value)
			parts[random.IntN(len(parts))].Add(value)
		}
		random.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		for i := range parts {
			if !merged.Merge(parts[i].Pack()) {
				t.Fatal("a sketch's own form cannot be read")
			}
		}
		if merged != whole {
			t.Fatal("the parts do not add up to the whole")
		}
	}
}

func TestQuantileOfNothing(t *testing.T) {
	var sketch Sketch
	if got, ok := sketch.Quantile(500); ok || sketch.Pack() != nil || sketch.Count() != 0 {
		t.Errorf("an empty sketch has %d", got)
	}
}

func TestValuesOutsideTheRange(t *testing.T) {
	var sketch Sketch
	for _, value := range []int64{math.MinInt64, 0, 1, math.MaxInt64} {
		sketch.Add(value)
	}
	low, _ := sketch.Quantile(500)
	high, _ := sketch.Quantile(1000)
	if low != 1 || high < 600_000 || sketch.Count() != 4 {
		t.Errorf("from %d to %d", low, high)
	}
}

func TestPackedIsSmall(t *testing.T) {
	var sketch Sketch
	for value := int64(200); value < 2000; value++ {
		sketch.Add(value)
	}
	if got := len(sketch.Pack()); got > 100 {
		t.Errorf("a minute of usual times takes %d bytes", got)
	}
	var full Sketch
	for bucket := range Buckets {
		full.add(bucket, math.MaxUint64>>10)
	}
	if got := len(full.Pack()); got > maxPacked {
		t.Errorf("the largest sketch takes %d bytes", got)
	}
}

func TestMergeRefuses(t *testing.T) {
	cases := map[string]Packed{
		"half a pair":             {1},
		"a count of nothing":      {1, 0},
		"a bucket too far":        {168, 1, 1},
		"one after the last":      {167, 1, 1, 0, 1},
		"a count too large":       {1, 255, 255, 255, 255, 16},
		"a number without end":    {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255},
		"longer than any":         make(Packed, maxPacked+1),
		"good, and then it's not": {1, 1, 200},
	}
	for name, packed := range cases {
		t.Run(name, func(t *testing.T) {
			var sketch Sketch
			sketch.Add(7)
			before := sketch
			if sketch.Merge(packed) || sketch != before {
				t.Errorf("it was taken: %d values", sketch.Count())
			}
		})
	}
}

func FuzzMerge(f *testing.F) {
	f.Add([]byte{1, 9, 0, 4})
	f.Add([]byte{255, 1, 1})
	f.Fuzz(func(t *testing.T, packed []byte) {
		var sketch, again Sketch
		if !sketch.Merge(packed) {
			if sketch != again {
				t.Error("a part of it was taken")
			}
			return
		}
		if !again.Merge(sketch.Pack()) || again != sketch {
			t.Error("what was read is not what is written")
		}
	})
}
