package auth

import (
	"context"
	"errors"
	"net/http"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// workload sends tokens of the proxy's own ServiceAccount as they are.
type workload struct {
	keeper   *Keeper
	audience string
}

func (k *Keeper) workload(key *table.Key) (Authorizer, error) {
	if key.Cloud == nil || key.Cloud.Audience == "" {
		return nil, errors.New("a token of the proxy's ServiceAccount needs an audience")
	}
	return workload{keeper: k, audience: key.Cloud.Audience}, nil
}

// Authorize implements Authorizer.
func (w workload) Authorize(ctx context.Context, req *http.Request, _ []byte) error {
	token, err := w.keeper.ownToken(ctx, w.audience)
	if err != nil {
		return err
	}
	req.Header["Authorization"] = []string{"Bearer " + token}
	return nil
}

// Refused implements Renewing.
func (w workload) Refused(at time.Time, status int) bool {
	return status == http.StatusUnauthorized && w.keeper.tokens.Refused(w.audience, at)
}
