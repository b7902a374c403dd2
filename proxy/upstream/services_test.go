package upstream

import (
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Only hosts that have several servers are dialled by address, and only hosts that may have are looked up.
func TestHostsThatAreNotSpread(t *testing.T) {
	cases := map[string]struct {
		url         string
		addrs       []netip.Addr
		wantLookups int
		want        string
	}{
		"public host":          {"http://api.test", []netip.Addr{serverAddr(1), serverAddr(2)}, 0, "api.test:80"},
		"no Service after all": {"http://vllm.test", nil, 1, "vllm.test:80"},
		"one server":           {"http://vllm:8000", []netip.Addr{serverAddr(1)}, 1, "vllm:8000"},
		"two servers":          {"http://vllm:8000", []netip.Addr{serverAddr(1), serverAddr(2)}, 1, "10.0.0."},
		"two servers, port 80": {"http://vllm", []netip.Addr{serverAddr(1), serverAddr(2)}, 1, "10.0.0."},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFarm(0)
			f.addrs = tc.addrs
			transport := f.transport(t, nil)
			for range 3 {
				if got := roundTrip(t, transport, newRequest(t, http.MethodPost, tc.url, "x")).Body; !strings.HasPrefix(got, tc.want) {
					t.Errorf("%s answered, want %s", got, tc.want)
				}
			}
			if lookups, _ := f.look(); lookups != tc.wantLookups {
				t.Errorf("%d lookups, want %d", lookups, tc.wantLookups)
			}
		})
	}
}

// Addresses are looked up again every two seconds while they are used; a host that is no Service once a minute.
func TestAddressesAreLookedUpAgain(t *testing.T) {
	cases := map[string]struct {
		servers     int
		pause       time.Duration
		wantLookups int
	}{
		"several, fresh":     {3, refreshAfter - 1, 1},
		"several, old":       {3, refreshAfter, 2},
		"one, old":           {1, refreshAfter, 2},
		"no Service, old":    {0, refreshAfter, 1},
		"no Service, minute": {0, refreshOthersAfter, 2},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFarm(tc.servers)
				transport := f.transport(t, nil)
				ask(t, transport, 1)
				<-time.After(tc.pause)
				ask(t, transport, 1)
				synctest.Wait()
				if lookups, _ := f.look(); lookups != tc.wantLookups {
					t.Errorf("%d lookups, want %d", lookups, tc.wantLookups)
				}
				transport.CloseIdleConnections()
			})
		})
	}
}

// A lookup that hangs holds nobody up who knows addresses, unless they are very old, and then not long.
func TestSlowLookup(t *testing.T) {
	cases := map[string]struct {
		pause, hold, want time.Duration
	}{
		"old addresses":                    {refreshAfter, 5 * time.Second, 0},
		"as old as may be":                 {staleAfter, 5 * time.Second, 0},
		"very old addresses":               {staleAfter + 1, 300 * time.Millisecond, 300 * time.Millisecond},
		"very old addresses, DNS is stuck": {staleAfter + 1, 5 * time.Second, staleWait},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFarm(3)
				transport := f.transport(t, nil)
				ask(t, transport, 1)
				<-time.After(tc.pause)
				hold := make(chan struct{})
				f.set(func(f *farm) { f.hold = hold })
				time.AfterFunc(tc.hold, func() { close(hold) })
				start := time.Now()
				ask(t, transport, 1)
				ask(t, transport, 1)
				if took := time.Since(start); took < tc.want || took > 2*tc.want {
					t.Errorf("two requests took %v, want about %v", took, tc.want)
				}
				<-hold
				synctest.Wait()
				if lookups, _ := f.look(); lookups != 2 {
					t.Errorf("%d lookups, want 2: one at a time", lookups)
				}
				transport.CloseIdleConnections()
			})
		})
	}
}

// The first requests wait for one lookup together.
func TestFirstLookup(t *testing.T) {
	unknown := errors.New("no such host")
	for name, failure := range map[string]error{"goes well": nil, "fails": unknown} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFarm(3)
				f.failure, f.hold = failure, make(chan struct{})
				transport := f.transport(t, nil)
				results := make(chan error, 5)
				for hash := range uint64(5) {
					go func() { results <- tryRoundTrip(transport, affine(t, hash)) }()
				}
				synctest.Wait()
				close(f.hold)
				for range 5 {
					err := <-results
					kind, _ := KindOf(err)
					if !errors.Is(err, failure) || (failure != nil && kind != NotSent) {
						t.Errorf("got %v, want %v", err, failure)
					}
				}
				if lookups, dialled := f.look(); lookups != 1 || (failure != nil && dialled != nil) {
					t.Errorf("%d lookups, dialled %v", lookups, dialled)
				}
				f.set(func(f *farm) { f.failure = nil })
				ask(t, transport, 1)
				transport.CloseIdleConnections()
			})
		})
	}
}

// A failed lookup changes nothing while the servers take connections. When they do not either, the error comes at once.
func TestFailedLookupKeepsTheAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(2)
		transport := f.transport(t, nil)
		before := ask(t, transport, 1)
		unknown := errors.New("no such host")
		f.set(func(f *farm) { f.failure = unknown })
		for range 20 {
			<-time.After(refreshAfter)
			if got := ask(t, transport, 1); got != before {
				t.Errorf("%s answered, want %s", got, before)
			}
		}
		synctest.Wait()
		transport.CloseIdleConnections()
		f.set(func(f *farm) {
			for _, addr := range f.addrs {
				f.refusing[addr.String()+":80"] = true
			}
		})
		if err := tryRoundTrip(transport, affine(t, 1)); err == nil || errors.Is(err, unknown) {
			t.Errorf("got %v, want that of the last server", err)
		}
		f.look()
		err := tryRoundTrip(transport, affine(t, 1))
		if kind, _ := KindOf(err); kind != NotSent || !errors.Is(err, unknown) {
			t.Errorf("got %v of kind %v, want %v", err, kind, unknown)
		}
		if _, dialled := f.look(); dialled != nil {
			t.Errorf("dialled %v, want nothing", dialled)
		}
	})
}

// Servers that come are used and those that go are not.
func TestServersComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(2)
		transport := f.transport(t, nil)
		for _, servers := range []int{2, 4, 1, 3} {
			f.resize(servers)
			<-time.After(refreshAfter)
			ask(t, transport, 0)
			synctest.Wait()
			var used []string
			for hash := range uint64(50) {
				if server := ask(t, transport, hash); !slices.Contains(used, server) {
					used = append(used, server)
				}
			}
			if len(used) != servers {
				t.Errorf("%d servers were used of %d: %v", len(used), servers, used)
			}
			if servers == 1 && used[0] != "vllm:80" {
				t.Errorf("dialled %s, want the host by its name", used[0])
			}
		}
		transport.CloseIdleConnections()
	})
}

// Only so many hosts are remembered, and those that nobody uses make room.
func TestServicesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(2)
		transport := f.transport(t, nil)
		url := func(i int) string { return "http://vllm-" + string(rune('a'+i%26)) + strings.Repeat("x", i/26) }
		for i := range maxServices + 1 {
			roundTrip(t, transport, newRequest(t, http.MethodPost, url(i), "x"))
		}
		if n := len(transport.services.known); n != maxServices {
			t.Errorf("%d hosts are remembered, want %d", n, maxServices)
		}
		if _, dialled := f.look(); !strings.HasPrefix(dialled[len(dialled)-1], "vllm-") {
			t.Errorf("dialled %s, want the one host too many by its name", dialled[len(dialled)-1])
		}
		<-time.After(forgottenAfter + 1)
		roundTrip(t, transport, newRequest(t, http.MethodPost, url(0), "x"))
		roundTrip(t, transport, newRequest(t, http.MethodPost, url(maxServices+1), "x"))
		if n := len(transport.services.known); n != 2 {
			t.Errorf("%d hosts are remembered, want the 2 in use", n)
		}
		transport.CloseIdleConnections()
	})
}
