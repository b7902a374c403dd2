package auth

import (
	"context"
	"errors"
	"net/http"

	"signalbox.dev/signalbox/proxy/table"
)

// workload sends tokens of the proxy's own ServiceAccount as they are.
type workload struct {
	tokens   Tokens
	audience string
}

func (k *Keeper) workload(key *table.Key) (Authorizer, error) {
	switch {
	case k.tokens == nil:
		return nil, ErrNoWorkload
	case key.Cloud == nil || key.Cloud.Audience == "":
		return nil, errors.New("a token of the proxy's ServiceAccount needs an audience")
	}
	return workload{tokens: k.tokens, audience: key.Cloud.Audience}, nil
}

// Authorize implements Authorizer.
func (w workload) Authorize(ctx context.Context, req *http.Request, _ []byte) error {
	token, err := w.tokens.Token(ctx, w.audience)
	if err != nil {
		return &TokenError{Err: err}
	}
	req.Header["Authorization"] = []string{"Bearer " + token}
	return nil
}
