package workload_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"signalbox.dev/signalbox/proxy/workload"
)

// apiServer gives out tokens by number.
type apiServer struct {
	mutex sync.Mutex
	asked []authenticationv1.TokenRequestSpec
	names []string
	// reply, where it is set, changes the answer.
	reply func(context.Context, *authenticationv1.TokenRequest) (*authenticationv1.TokenRequest, error)
}

func (a *apiServer) CreateToken(
	ctx context.Context, name string, request *authenticationv1.TokenRequest, _ metav1.CreateOptions,
) (*authenticationv1.TokenRequest, error) {
	a.mutex.Lock()
	a.asked, a.names = append(a.asked, request.Spec), append(a.names, name)
	number, reply := len(a.asked), a.reply
	a.mutex.Unlock()
	answer := request.DeepCopy()
	answer.Status.Token = fmt.Sprintf("token-%d", number)
	answer.Status.ExpirationTimestamp = metav1.NewTime(time.Now().Add(time.Duration(*request.Spec.ExpirationSeconds) * time.Second))
	if reply == nil {
		return answer, nil
	}
	return reply(ctx, answer)
}

func (a *apiServer) answers(reply func(context.Context, *authenticationv1.TokenRequest) (*authenticationv1.TokenRequest, error)) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.reply = reply
}

func (a *apiServer) count() int {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return len(a.asked)
}

func (a *apiServer) lastSeconds() int64 {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return *a.asked[len(a.asked)-1].ExpirationSeconds
}

func tokensOf(server *apiServer) *workload.Tokens {
	return workload.New(workload.Options{ServiceAccounts: server, Name: "signalbox", Pod: "signalbox-1", PodUID: "uid-1"})
}

func wantToken(t *testing.T, tokens *workload.Tokens, audience, want string) {
	t.Helper()
	if got, err := tokens.Token(t.Context(), audience); err != nil || got != want {
		t.Errorf("token %q, %v; want %q", got, err, want)
	}
}

// pass lets time pass on the clock of the test.
func pass(d time.Duration) { <-time.After(d) }

func away(context.Context, *authenticationv1.TokenRequest) (*authenticationv1.TokenRequest, error) {
	return nil, errors.New("connection refused")
}

func TestWhatIsAskedFor(t *testing.T) {
	cases := map[string]struct {
		audience string
		limit    time.Duration
		seconds  int64
	}{
		"another proxy":                  {audience: "signalbox.ai-platform", seconds: 12 * 3600},
		"proxies take less":              {audience: "signalbox.ai-platform", limit: time.Hour, seconds: 3600},
		"proxies take more":              {audience: "signalbox.ai-platform", limit: 24 * time.Hour, seconds: 12 * 3600},
		"proxies take the least":         {audience: "signalbox.ai-platform", limit: 10 * time.Minute, seconds: 600},
		"less than the API server gives": {audience: "signalbox.ai-platform", limit: time.Minute, seconds: 600},
		"a cloud":                        {audience: "sts.amazonaws.com", limit: 10 * time.Minute, seconds: 3600},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := &apiServer{}
			tokens := tokensOf(server)
			tokens.Limit(tc.limit)
			wantToken(t, tokens, tc.audience, "token-1")
			want := []authenticationv1.TokenRequestSpec{{
				Audiences: []string{tc.audience}, ExpirationSeconds: &tc.seconds,
				BoundObjectRef: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: "signalbox-1", UID: "uid-1"},
			}}
			if diff := cmp.Diff(want, server.asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			if server.names[0] != "signalbox" {
				t.Errorf("asked for ServiceAccount %q", server.names[0])
			}
		})
	}
}

func TestAudiencesHaveTheirOwnTokens(t *testing.T) {
	server := &apiServer{}
	tokens := tokensOf(server)
	wantToken(t, tokens, "signalbox.a", "token-1")
	wantToken(t, tokens, "signalbox.b", "token-2")
	wantToken(t, tokens, "signalbox.a", "token-1")
	if _, err := tokens.Token(t.Context(), ""); err == nil {
		t.Error("a token without an audience would be good at the API server")
	}
}

// A token is replaced at half of its life, and used on to its end while the API server is away.
func TestTokensOutliveTheAPIServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &apiServer{}
		tokens := tokensOf(server)
		wantToken(t, tokens, "signalbox.a", "token-1")
		pass(4 * time.Hour)
		wantToken(t, tokens, "signalbox.a", "token-1")
		synctest.Wait()
		if server.count() != 1 {
			t.Errorf("asked %d times", server.count())
		}
		server.answers(away)
		pass(150 * time.Minute)
		wantToken(t, tokens, "signalbox.a", "token-1")
		synctest.Wait()
		if server.count() != 2 {
			t.Errorf("asked %d times", server.count())
		}
		pass(5*time.Hour + 28*time.Minute)
		wantToken(t, tokens, "signalbox.a", "token-1")
		pass(2 * time.Minute)
		var failure *workload.Error
		if _, err := tokens.Token(t.Context(), "signalbox.a"); !errors.As(err, &failure) || failure.Audience != "signalbox.a" {
			t.Errorf("error %v", err)
		}
		server.answers(nil)
		pass(3 * time.Second)
		if _, err := tokens.Token(t.Context(), "signalbox.a"); err != nil {
			t.Error(err)
		}
	})
}

// A token that is not taken any more, as after the cluster dropped the key that signed it, is replaced.
func TestRefusedTokensAreReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := tokensOf(&apiServer{})
		wantToken(t, tokens, "signalbox.a", "token-1")
		wantToken(t, tokens, "signalbox.b", "token-2")
		pass(time.Hour)
		if !tokens.Refused("signalbox.a", time.Now()) {
			t.Error("a refusal is nothing")
		}
		wantToken(t, tokens, "signalbox.a", "token-3")
		wantToken(t, tokens, "signalbox.b", "token-2")
	})
}

// A shorter limit makes the tokens that are there worthless at other proxies.
func TestLimitIsLowered(t *testing.T) {
	server := &apiServer{}
	tokens := tokensOf(server)
	tokens.Limit(24 * time.Hour)
	wantToken(t, tokens, "signalbox.a", "token-1")
	tokens.Limit(24 * time.Hour)
	wantToken(t, tokens, "signalbox.a", "token-1")
	tokens.Limit(10 * time.Minute)
	wantToken(t, tokens, "signalbox.a", "token-2")
	if server.lastSeconds() != 600 {
		t.Errorf("asked for %d seconds", server.lastSeconds())
	}
	tokens.Limit(0)
	wantToken(t, tokens, "signalbox.a", "token-2")
}

// An API server that gives less than it is asked for is believed, and one whose clock is ahead does not stretch a token's life.
func TestEndsOfTokens(t *testing.T) {
	cases := map[string]struct {
		change func(*authenticationv1.TokenRequest)
		good   time.Duration
		over   time.Duration
	}{
		"as asked for": {change: func(*authenticationv1.TokenRequest) {}, good: 4 * time.Hour, over: 12 * time.Hour},
		"shorter": {change: func(answer *authenticationv1.TokenRequest) {
			seconds := int64(3600)
			answer.Spec.ExpirationSeconds = &seconds
			answer.Status.ExpirationTimestamp = metav1.NewTime(time.Now().Add(time.Hour))
		}, good: 20 * time.Minute, over: 3590 * time.Second},
		"clock behind": {change: func(answer *authenticationv1.TokenRequest) {
			answer.Status.ExpirationTimestamp = metav1.NewTime(time.Now().Add(time.Hour))
		}, good: 20 * time.Minute, over: 3590 * time.Second},
		"clock ahead": {change: func(answer *authenticationv1.TokenRequest) {
			answer.Status.ExpirationTimestamp = metav1.NewTime(time.Now().Add(48 * time.Hour))
		}, good: 4 * time.Hour, over: 12 * time.Hour},
		"not told": {change: func(answer *authenticationv1.TokenRequest) { answer.Status.ExpirationTimestamp = metav1.Time{} }, good: 4 * time.Hour, over: 12 * time.Hour},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &apiServer{}
				server.answers(func(_ context.Context, answer *authenticationv1.TokenRequest) (*authenticationv1.TokenRequest, error) {
					tc.change(answer)
					return answer, nil
				})
				tokens := tokensOf(server)
				wantToken(t, tokens, "signalbox.a", "token-1")
				pass(tc.good)
				wantToken(t, tokens, "signalbox.a", "token-1")
				synctest.Wait()
				server.answers(away)
				pass(tc.over - tc.good)
				if got, err := tokens.Token(t.Context(), "signalbox.a"); err == nil {
					t.Errorf("token %q is given out after its end", got)
				}
			})
		})
	}
}

func TestErrors(t *testing.T) {
	accounts := schema.GroupResource{Resource: "serviceaccounts"}
	cases := map[string]struct {
		err  error
		text string
		says string
	}{
		"forbidden":     {err: apierrors.NewForbidden(accounts, "signalbox", errors.New("secret")), says: "Role does not allow it"},
		"pod gone":      {err: apierrors.NewNotFound(accounts, "signalbox"), says: "is gone"},
		"timeout":       {err: fmt.Errorf("secret: %w", context.DeadlineExceeded), says: "in time"},
		"anything else": {err: errors.New("secret"), says: "did not answer as it should"},
		"no token":      {says: "did not answer as it should"},
		"broken token":  {text: "secret\r\nX: y", says: "did not answer as it should"},
		"long token":    {text: strings.Repeat("secret", 4096), says: "did not answer as it should"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := &apiServer{}
			server.answers(func(_ context.Context, answer *authenticationv1.TokenRequest) (*authenticationv1.TokenRequest, error) {
				answer.Status.Token = tc.text
				return answer, tc.err
			})
			_, err := tokensOf(server).Token(t.Context(), "signalbox.a")
			if err == nil || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %v, want %q", err, tc.says)
			}
			if tc.err != nil && !errors.Is(err, tc.err) {
				t.Error("the error does not tell its cause")
			}
		})
	}
}

// Many calls at once ask one question.
func TestOneQuestionForManyCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &apiServer{}
		release := make(chan struct{})
		server.answers(func(_ context.Context, answer *authenticationv1.TokenRequest) (*authenticationv1.TokenRequest, error) {
			<-release
			return answer, nil
		})
		tokens := tokensOf(server)
		var calls sync.WaitGroup
		for range 20 {
			calls.Go(func() { wantToken(t, tokens, "signalbox.a", "token-1") })
		}
		synctest.Wait()
		close(release)
		calls.Wait()
		if server.count() != 1 {
			t.Errorf("asked %d times", server.count())
		}
	})
}
