package auth_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/provider/auth"
	"signalbox.dev/signalbox/proxy/table"
)

// ownTokens gives out tokens of the proxy's ServiceAccount: "own <audience>".
type ownTokens func(ctx context.Context, audience string) (string, error)

func (o ownTokens) Token(ctx context.Context, audience string) (string, error) {
	return o(ctx, audience)
}

// Refused takes nothing back.
func (o ownTokens) Refused(string, time.Time) bool { return false }

func giveOwn(_ context.Context, audience string) (string, error) { return "own-" + audience, nil }

func TestTokensOfTheOwnServiceAccount(t *testing.T) {
	gone := errors.New("the pod is gone")
	cases := map[string]struct {
		tokens auth.Tokens
		cloud  *table.CloudIdentity
		want   string
		// unmade is why there is no Authorizer, and fails why it does not authorize.
		unmade bool
		fails  error
	}{
		"token":               {tokens: ownTokens(giveOwn), cloud: &table.CloudIdentity{Audience: "signalbox.b"}, want: "own-signalbox.b"},
		"outside of clusters": {cloud: &table.CloudIdentity{Audience: "signalbox.b"}, unmade: true},
		"no audience":         {tokens: ownTokens(giveOwn), cloud: &table.CloudIdentity{}, unmade: true},
		"no identity":         {tokens: ownTokens(giveOwn), unmade: true},
		"not to be had": {
			tokens: ownTokens(func(context.Context, string) (string, error) { return "", gone }),
			cloud:  &table.CloudIdentity{Audience: "signalbox.b"}, fails: gone,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			keeper := auth.NewKeeper(auth.Options{Tokens: tc.tokens})
			key := &table.Key{Kind: table.ServiceAccountToken, Cloud: tc.cloud}
			made, err := keeper.Authorizer(lookup(t, "OpenAICompatible"), &table.Credential{}, key, noNetwork(t))
			if tc.unmade || err != nil {
				if !tc.unmade || err == nil {
					t.Errorf("error %v", err)
				}
				return
			}
			got, err := token(t, made)
			var failure *auth.TokenError
			if got != tc.want || !errors.Is(err, tc.fails) || (err != nil && (!errors.As(err, &failure) || failure.Refused())) {
				t.Errorf("token %q, %v", got, err)
			}
		})
	}
}
