package compile

import (
	"testing"

	"signalbox.dev/signalbox/api/v1alpha1"
)

func TestListingIsCompiled(t *testing.T) {
	for listing, want := range map[v1alpha1.RouteListing]string{"": "", v1alpha1.ListingMark: "", v1alpha1.ListingHide: "Hide", v1alpha1.ListingKeep: "Keep"} {
		entry, _ := readRoute("chat", &v1alpha1.ModelRouteSpec{Models: []v1alpha1.ModelPattern{"chat"}, Listing: listing})
		if entry.Listing != want {
			t.Errorf("%q becomes %q, want %q", listing, entry.Listing, want)
		}
	}
}
