package table_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/table"
)

func sample() table.Table {
	return table.Table{
		Format: table.Format, Namespace: "team-a", Sequence: 7, Revision: "0123456789abcdef", AccessKeySalt: []byte{1, 2, 3},
		Control:     table.Control{CertificatePEM: []byte("cert"), NotAfter: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)},
		Credentials: []table.Credential{{Object: table.Object{Name: "groq", Generation: 3}, Prices: map[string]table.Prices{"b": {Input: 1}, "a": {Output: 2}}}},
		Routes:      []table.Route{{Object: table.Object{Name: "chat"}, Models: []string{"chat"}, Total: time.Minute}},
		Endpoints:   table.EndpointRules{AllowCIDRs: []string{"127.0.0.0/8"}},
	}
}

func TestCodecKeepsEverything(t *testing.T) {
	packed, err := table.Encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	got, err := table.Decode(packed)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), *got); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	again, err := table.Encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(packed, again) {
		t.Error("equal tables gave other bytes")
	}
}

func pack(t *testing.T, plain []byte) []byte {
	t.Helper()
	packed, err := table.Compress(plain)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func TestDecodeRefuses(t *testing.T) {
	whole, err := table.Encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string][]byte{
		"nothing":        nil,
		"plain text":     []byte(`{"format":1}`),
		"truncated":      whole[:len(whole)-9],
		"not JSON":       pack(t, []byte("table")),
		"two values":     pack(t, []byte(`{"format":1}{"format":1}`)),
		"other type":     pack(t, []byte(`{"format":1,"routes":{}}`)),
		"bytes after it": append(bytes.Clone(whole), "tail"...),
	}
	for name, packed := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := table.Decode(packed); err == nil {
				t.Error("it was decoded")
			}
		})
	}
}

func TestDecodeRefusesAnotherFormat(t *testing.T) {
	_, err := table.Decode(pack(t, []byte(`{"format":2,"routes":"in another shape"}`)))
	var format *table.FormatError
	if !errors.As(err, &format) || format.Format != 2 {
		t.Errorf("error %v, want a FormatError for format 2", err)
	}
}

func TestDecodeRefusesABomb(t *testing.T) {
	var packed bytes.Buffer
	writer, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	block := bytes.Repeat([]byte(" "), 1<<20)
	for range table.MaxDecodedBytes>>20 + 1 {
		if _, err := writer.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := table.Decode(packed.Bytes()); !errors.Is(err, table.ErrTooLarge) {
		t.Errorf("error %v, want ErrTooLarge", err)
	}
}

func TestRevision(t *testing.T) {
	want := table.Revision(sample())
	if len(want) != 16 {
		t.Errorf("revision %q has not 16 digits", want)
	}
	renumbered := sample()
	renumbered.Sequence, renumbered.Revision = 8, "other"
	if got := table.Revision(renumbered); got != want {
		t.Errorf("sequence and revision change the revision")
	}
	edited := sample()
	edited.Routes[0].Total++
	if got := table.Revision(edited); got == want {
		t.Errorf("an edit does not change the revision")
	}
}

func TestEndpointRulesParse(t *testing.T) {
	rules := table.EndpointRules{AllowCIDRs: []string{"127.0.0.0/8", "::1/128"}, DenyCIDRs: []string{"10.96.0.1", "10.0.0.9/32", "172.18.0.2:6443", "[fd00::1]:443"}}
	allow, deny, err := rules.Parse()
	if err != nil {
		t.Fatal(err)
	}
	wantAllow := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	wantDeny := []netip.AddrPort{
		netip.MustParseAddrPort("10.96.0.1:0"), netip.MustParseAddrPort("10.0.0.9:0"), netip.MustParseAddrPort("172.18.0.2:6443"), netip.MustParseAddrPort("[fd00::1]:443"),
	}
	if diff := cmp.Diff(wantAllow, allow, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("allowed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantDeny, deny, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("denied (-want +got):\n%s", diff)
	}
	for _, bad := range []table.EndpointRules{
		{AllowCIDRs: []string{"127.0.0.1"}}, {DenyCIDRs: []string{"api-server"}}, {DenyCIDRs: []string{"10.0.0.0/8"}}, {DenyCIDRs: []string{"10.0.0.1:http"}},
	} {
		if _, _, err := bad.Parse(); err == nil {
			t.Errorf("%v was read", bad)
		}
	}
}

func FuzzDecode(f *testing.F) {
	whole, err := table.Encode(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte{0x1f, 0x8b})
	f.Fuzz(func(t *testing.T, packed []byte) {
		decoded, err := table.Decode(packed)
		if err != nil {
			return
		}
		if _, err := json.Marshal(decoded); err != nil {
			t.Errorf("a decoded table cannot be encoded: %v", err)
		}
	})
}
