package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"signalbox.dev/signalbox/proxy/table"
)

// signer signs requests for AWS.
type signer struct {
	service, region string
	keys            aws.Credentials
	signer          *v4.Signer
	now             func() time.Time
}

func newSigner(service, region string, key *table.Key, now func() time.Time) (*signer, error) {
	switch {
	case service == "":
		return nil, errors.New("the provider takes no keys of AWS")
	case region == "" || key.AWS == nil:
		return nil, errors.New("a key of AWS needs a region and an access key ID")
	}
	return &signer{
		service: service, region: region, now: now, signer: v4.NewSigner(),
		keys: aws.Credentials{AccessKeyID: key.AWS.AccessKeyID, SecretAccessKey: key.Value, SessionToken: key.AWS.SessionToken},
	}, nil
}

// Authorize implements Authorizer.
func (s *signer) Authorize(ctx context.Context, req *http.Request, body []byte) error {
	sum := sha256.Sum256(body)
	if err := s.signer.SignHTTP(ctx, s.keys, req, hex.EncodeToString(sum[:]), s.service, s.region, s.now()); err != nil {
		return fmt.Errorf("signing the request: %w", err)
	}
	return nil
}
