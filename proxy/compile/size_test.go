package compile_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/table"
)

// incompressible returns random letters.
func incompressible(random *rand.ChaCha8, length int) string {
	bytes := make([]byte, length)
	for i := range bytes {
		bytes[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[random.Uint64()%64]
	}
	return string(bytes)
}

// The bounds of these tests: a sixteenth of the real ones.
const (
	smallTable  = table.MaxEncodedBytes / 16
	smallStored = 63 << 10
)

func compileSmall(in compile.Input) compile.Result {
	return compile.CompileWithin(in, smallTable, smallStored)
}

// bulky returns a credential with a price list of about 3 KiB when compressed.
func bulky(name string, age time.Duration) v1alpha1.ProviderCredential {
	return credential(name, func(c *v1alpha1.ProviderCredential) {
		c.CreationTimestamp = metav1.NewTime(start().Add(age))
		c.Spec.Auth = v1alpha1.ProviderAuth{None: &v1alpha1.NoAuth{}}
		c.Spec.Prices = nil
		random := rand.NewChaCha8([32]byte([]byte(fmt.Sprintf("%-32s", name))))
		for range 16 {
			c.Spec.Prices = append(c.Spec.Prices, v1alpha1.ModelPrice{
				Model: incompressible(random, 250), TokenPrices: v1alpha1.TokenPrices{Input: "1"},
			})
		}
	})
}

func bulk(count int) []v1alpha1.ProviderCredential {
	credentials := make([]v1alpha1.ProviderCredential, 0, count)
	for i := range count {
		credentials = append(credentials, bulky(fmt.Sprintf("bulk-%03d", i), time.Duration(i)*time.Minute))
	}
	return credentials
}

func tooLarge(result compile.Result) []string {
	var names []string
	for _, object := range result.Report.Objects {
		for _, f := range object.Findings {
			if f.Reason == v1alpha1.ReasonTableTooLarge {
				names = append(names, object.Name)
			}
		}
	}
	return names
}

func packed(t *testing.T, result compile.Result) int {
	t.Helper()
	encoded, err := table.Encode(result.Table)
	if err != nil {
		t.Fatal(err)
	}
	return len(encoded)
}

func TestTableTooLargeLeavesOutTheNewest(t *testing.T) {
	result := compileSmall(input(withCredentials(bulk(24)...)))
	left := tooLarge(result)
	if size := packed(t, result); size > smallTable || size < smallTable*9/10 {
		t.Errorf("table has %d bytes, want nearly %d", size, smallTable)
	}
	served := len(result.Table.Credentials)
	if served+len(left) != 24 || len(left) == 0 {
		t.Fatalf("%d served, %d left out, want 24 together", served, len(left))
	}
	if want := fmt.Sprintf("bulk-%03d", served); left[0] != want {
		t.Errorf("the oldest one left out is %s, want %s", left[0], want)
	}
}

// TestTheRealBound fills a whole Secret: what is delivered can be stored, and little room is wasted.
func TestTheRealBound(t *testing.T) {
	random := rand.NewChaCha8([32]byte{})
	in := input()
	in.Credentials = nil
	for i := range 10 {
		in.Credentials = append(in.Credentials, bulky(fmt.Sprintf("bulk-%03d", i), time.Duration(i)*time.Minute))
		for j := range in.Credentials[i].Spec.Prices {
			in.Credentials[i].Spec.Prices[j].Model = incompressible(random, 8<<10)
		}
	}
	result := compile.Compile(in)
	report, err := compile.EncodeReport(result.Report)
	if err != nil {
		t.Fatal(err)
	}
	size := packed(t, result)
	if size > table.MaxEncodedBytes || size < table.MaxEncodedBytes*8/10 || size+len(report) > 1<<20 {
		t.Errorf("the table has %d bytes and the report %d", size, len(report))
	}
	if left := tooLarge(result); len(left) == 0 || len(left)+len(result.Table.Credentials) != 10 {
		t.Errorf("%v are left out of 10, %d are served", left, len(result.Table.Credentials))
	}
}

func TestTableTooLargeHoldsBackTheEditAlone(t *testing.T) {
	fitting := bulk(16)
	before := compileSmall(input(withCredentials(fitting...), withRoutes(route("a", func(r *v1alpha1.ModelRoute) { r.Spec.Targets[0].CredentialRef.Name = "bulk-000" }))))
	if left := tooLarge(before); left != nil {
		t.Fatalf("%v do not fit", left)
	}
	edited := route("a", generation(2), serving("renamed"), func(r *v1alpha1.ModelRoute) { r.Spec.Targets[0].CredentialRef.Name = "bulk-000" })
	after := compileSmall(input(withPrevious(before.Table), withRoutes(edited), withCredentials(append(bulk(16)[1:], func() []v1alpha1.ProviderCredential {
		grown := bulk(24)[16:]
		return append(grown, bulk(1)...)
	}()...)...)))
	if got := servedRoute(t, after, "a"); got.Models[0] != "renamed" {
		t.Errorf("an older object's edit was held back: %v", got.Models)
	}
	for _, name := range tooLarge(after) {
		if name < "bulk-016" {
			t.Errorf("%s was served before and has a finding", name)
		}
	}
	if packed(t, after) > smallTable {
		t.Errorf("the table does not fit")
	}
}

func TestTableTooLargeStillTakesAway(t *testing.T) {
	before := compileSmall(input(withCredentials(append(bulk(16), credential("groq"))...), withRoutes(route("a"))))
	if left := tooLarge(before); left != nil {
		t.Fatalf("%v do not fit", left)
	}
	after := compileSmall(input(
		withPrevious(before.Table), withKeys(), withCredentials(append(bulk(24)[1:], credential("groq"))...),
		withRoutes(route("a", generation(2), allowing())),
	))
	if len(tooLarge(after)) == 0 {
		t.Fatal("everything fits, the case shows nothing")
	}
	if keys := servedGroq(t, after).Keys; len(keys) != 0 {
		t.Errorf("a removed key stays in the table")
	}
	if access := servedRoute(t, after, "a").Access; access.AnyAccessKey || len(access.Namespaces) > 0 {
		t.Errorf("narrowed access was held back: %+v", access)
	}
	for _, c := range after.Table.Credentials {
		if c.Name == "bulk-000" {
			t.Errorf("a deleted object stays in the table")
		}
	}
}

func TestTooManyAccessKeys(t *testing.T) {
	in := input(withCredentials(bulk(17)...))
	for i := range 200 {
		s := accessKey(fmt.Sprintf("key-%05d", i), fmt.Sprintf("value-%d", i), nil)
		s.CreationTimestamp = metav1.NewTime(start().Add(time.Hour))
		in.AccessKeys = append(in.AccessKeys, s)
	}
	result := compileSmall(in)
	if packed(t, result) > smallTable {
		t.Errorf("the table does not fit")
	}
	if len(result.Table.Credentials) != 17 || len(result.Table.AccessKeys) == 0 || len(tooLarge(result)) == 0 {
		t.Errorf("%d credentials, %d access keys, %d findings", len(result.Table.Credentials), len(result.Table.AccessKeys), len(tooLarge(result)))
	}
}

func BenchmarkCompile(b *testing.B) {
	for _, count := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(count, "-routes"), func(b *testing.B) {
			in := input()
			for i := range count {
				in.Routes = append(in.Routes, route(fmt.Sprintf("route-%04d", i), generation(int64(i))))
			}
			for i := range 100 {
				in.Namespaces = append(in.Namespaces, corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("ns-%d", i)}})
			}
			first := compile.Compile(in)
			in.Previous = &first.Table
			for b.Loop() {
				compile.Compile(in)
			}
		})
	}
}
