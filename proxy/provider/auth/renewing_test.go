package auth_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"signalbox.dev/signalbox/proxy/provider/auth"
	"signalbox.dev/signalbox/proxy/table"
)

// refused tells an Authorizer that what it sent just now was refused.
func refused(t *testing.T, a auth.Authorizer, status int) bool {
	t.Helper()
	renewing, can := a.(auth.Renewing)
	return can && renewing.Refused(time.Now(), status)
}

// What a cloud gave is asked for anew when the provider refuses it, but not what was only just given.
func TestRefusedTokensAreRenewed(t *testing.T) {
	for name, one := range identities() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				made := one.authorizer(t, cloudKeeper(ownTokens(giveOwn)), &services{})
				first, err := sentWith(t, made)
				if err != nil {
					t.Fatal(err)
				}
				pass(59 * time.Second)
				if refused(t, made, http.StatusUnauthorized) {
					t.Error("what was only just given is given up")
				}
				pass(time.Second)
				if forbidden := refused(t, made, http.StatusForbidden); forbidden != (one.provider == "AWSBedrock") {
					t.Errorf("403 tells that it is refused: %t", forbidden)
				}
				at := time.Now()
				if !refused(t, made, http.StatusUnauthorized) {
					t.Fatal("a refusal is nothing")
				}
				second, err := sentWith(t, made)
				if err != nil || second == first {
					t.Errorf("sent with %q again, %v", second, err)
				}
				pass(time.Second)
				renewing, can := made.(auth.Renewing)
				if late := can && renewing.Refused(at.Add(-time.Second), http.StatusUnauthorized); !late {
					t.Error("who was refused with the first does not try the second")
				}
				wantSent(t, made, second)
			})
		})
	}
}

// While there is nothing newer, what was refused is sent on.
func TestRefusedWhileTheTokenServiceIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clouds := &services{}
		made := identities()["secret of Azure"].authorizer(t, cloudKeeper(nil), clouds)
		wantSent(t, made, "entra-1")
		clouds.fail("login.microsoftonline.com", func(*http.Request) (*http.Response, error) { return answer(http.StatusBadGateway, ""), nil })
		pass(2 * time.Minute)
		if !refused(t, made, http.StatusUnauthorized) {
			t.Error("a refusal is nothing")
		}
		wantSent(t, made, "entra-1")
		if refused(t, made, http.StatusUnauthorized) {
			t.Error("a token service that fails is asked again at once")
		}
		asked := len(clouds.questions())
		wantSent(t, made, "entra-1")
		if len(clouds.questions()) != asked {
			t.Error("the token service is asked for every call")
		}
	})
}

// Keys that are sent as they are cannot be renewed.
func TestKeysAreNotRenewed(t *testing.T) {
	keys := map[string]struct {
		provider string
		key      table.Key
	}{
		"API key":    {"OpenAI", table.Key{Value: "sk"}},
		"key of AWS": {"AWSBedrock", table.Key{Kind: table.AWSKey, Value: "secret", AWS: &table.AWSKeyPair{AccessKeyID: "AKIA"}}},
	}
	for name, tc := range keys {
		t.Run(name, func(t *testing.T) {
			made, err := cloudKeeper(nil).Authorizer(lookup(t, tc.provider), &table.Credential{Region: "eu-central-1"}, &tc.key, noNetwork(t))
			if err != nil || refused(t, made, http.StatusUnauthorized) {
				t.Errorf("it is to be renewed, %v", err)
			}
		})
	}
}
