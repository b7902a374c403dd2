package server

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// replaced is an account whose token is refused, and that then gets another one, from the cluster as it signs now.
type replaced struct {
	account
	newer   account
	refused atomic.Bool
}

// Token implements auth.Tokens.
func (r *replaced) Token(ctx context.Context, audience string) (string, error) {
	if r.refused.Load() {
		return r.newer.Token(ctx, audience)
	}
	return r.account.Token(ctx, audience)
}

// Refused implements auth.Tokens.
func (r *replaced) Refused(string, time.Time) bool { return !r.refused.Swap(true) }

// Once the cluster signs with another key, the proxy's own token is refused long before its time. The same call goes on with a new one.
func TestTokensOfAReplacedSigningKey(t *testing.T) {
	const speech = `{"model":"chat","input":"four","voice":"x"}`
	before, now := newCluster(t), newCluster(t)
	of := func(signer cluster) account { return account{signer, "team-a", "signalbox"} }
	changing := func(o *Options, _ *table.Table) { o.Tokens = &replaced{account: of(before), newer: of(now)} }
	cases := map[string]struct {
		upstream http.HandlerFunc
		ask      ask
		change   setup
		status   int
		want     string
	}{
		"a whole answer": {good, ask{}, changing, 200, `"content":"Hi"`},
		"a stream":       {streams(goodStream), ask{body: streamBody}, changing, 200, "[DONE]"},
		"sound":          {answers(200, "audio/mpeg", "sound"), ask{path: "/v1/audio/speech", body: speech}, changing, 200, "sound"},
		"no newer one":   {good, ask{}, func(o *Options, _ *table.Table) { o.Tokens = of(before) }, 502, "refused the token of this namespace's proxy"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, pairing{
				upstreams: []http.HandlerFunc{tc.upstream}, near: []setup{tc.change, withTable(withoutRetries)},
				far: []setup{withTable(func(tb *table.Table) { tb.Issuers = []table.Issuer{now.issuer("team-b")} })},
			})
			tc.ask.id = bookedID
			got := p.near.send(tc.ask)
			if got.status != tc.status || !strings.Contains(got.body, tc.want) {
				t.Errorf("status %d: %s", got.status, got.body)
			}
			p.near.log.request(t, bookedID)
			onlyRecord(t, p.nearRecords)
			if tc.status == http.StatusOK {
				onlyRecord(t, p.farRecords)
			}
		})
	}
}
