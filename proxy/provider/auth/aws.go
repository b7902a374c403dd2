package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/renewal"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	// PodIdentityAgent is where the agent of EKS Pod Identity on the node gives credentials.
	PodIdentityAgent = "http://169.254.170.23/v1/credentials"
	// PodIdentityAudience is whom the tokens are for that the agent takes.
	PodIdentityAudience = "pods.eks.amazonaws.com"
	// sessionName is how the proxy's sessions are called in the logs of AWS, beside the subject of its token.
	sessionName = "signalbox"
)

// signer signs requests for AWS.
type signer struct {
	service, region string
	keys            func(context.Context) (aws.Credentials, error)
	// source of keys that expire; nil for others.
	source *renewal.Source[aws.Credentials]
	signer *v4.Signer
	now    func() time.Time
}

func (k *Keeper) signer(p provider.Provider, c *table.Credential, key *table.Key, transport http.RoundTripper) (Authorizer, error) {
	switch {
	case p.SigningService == "":
		return nil, errors.New("the provider takes no keys of AWS")
	case c.Region == "":
		return nil, errors.New("an identity of AWS needs a region")
	}
	s := &signer{service: p.SigningService, region: c.Region, now: k.now, signer: v4.NewSigner()}
	if key.Kind == table.AWSKey {
		if key.AWS == nil {
			return nil, errors.New("a key of AWS needs an access key ID")
		}
		pair := aws.Credentials{AccessKeyID: key.AWS.AccessKeyID, SecretAccessKey: key.Value, SessionToken: key.AWS.SessionToken}
		s.keys = func(context.Context) (aws.Credentials, error) { return pair, nil }
		return s, nil
	}
	get, err := k.temporaryKeys(c.Region, key)
	if err != nil {
		return nil, err
	}
	s.source = k.signers.Source(sourceName(c, key), asking(k.now, transport, get))
	s.keys = s.source.Get
	return s, nil
}

// Refused implements Renewing. AWS says 403 of sessions that were revoked.
func (s *signer) Refused(at time.Time, status int) bool {
	return (status == http.StatusUnauthorized || status == http.StatusForbidden) && s.source != nil && s.source.Refused(at)
}

// Authorize implements Authorizer.
func (s *signer) Authorize(ctx context.Context, req *http.Request, body []byte) error {
	keys, err := s.keys(ctx)
	if err != nil {
		return tokenless(err)
	}
	sum := sha256.Sum256(body)
	if err := s.signer.SignHTTP(ctx, keys, req, hex.EncodeToString(sum[:]), s.service, s.region, s.now()); err != nil {
		return fmt.Errorf("signing the request: %w", err)
	}
	return nil
}

// temporaryKeys gets keys of AWS for a token of the proxy's ServiceAccount.
func (k *Keeper) temporaryKeys(region string, key *table.Key) (fetch[aws.Credentials], error) {
	if key.Kind == table.AWSPodIdentity {
		return k.podKeys, nil
	}
	identity := key.Cloud
	if identity == nil || identity.RoleARN == "" || identity.Audience == "" {
		return nil, errors.New("a web identity of AWS needs a role and an audience")
	}
	endpoint := orDefault(identity.Endpoint, regionalSTS(region))
	return func(ctx context.Context, l *line) (renewal.Term[aws.Credentials], error) {
		own, err := k.ownToken(ctx, identity.Audience)
		if err != nil {
			return renewal.Term[aws.Credentials]{}, err
		}
		client, err := l.client(endpoint)
		if err != nil {
			return renewal.Term[aws.Credentials]{}, err
		}
		service := sts.New(sts.Options{Region: region, BaseEndpoint: aws.String(endpoint), HTTPClient: client, Retryer: aws.NopRetryer{}})
		role := stscreds.NewWebIdentityRoleProvider(service, identity.RoleARN, identityToken(own), func(o *stscreds.WebIdentityRoleOptions) {
			o.RoleSessionName = sessionName
		})
		return temporary(role.Retrieve(ctx))
	}, nil
}

// podKeys gets keys from the agent of EKS Pod Identity.
func (k *Keeper) podKeys(ctx context.Context, l *line) (renewal.Term[aws.Credentials], error) {
	own, err := k.ownToken(ctx, PodIdentityAudience)
	if err != nil {
		return renewal.Term[aws.Credentials]{}, err
	}
	client, err := l.client(PodIdentityAgent)
	if err != nil {
		return renewal.Term[aws.Credentials]{}, err
	}
	agent := endpointcreds.New(PodIdentityAgent, func(o *endpointcreds.Options) {
		o.HTTPClient, o.Retryer, o.AuthorizationToken = client, aws.NopRetryer{}, own
	})
	return temporary(agent.Retrieve(ctx))
}

// identityToken is a token that is exchanged for a role.
type identityToken string

// GetIdentityToken implements stscreds.IdentityTokenRetriever.
func (t identityToken) GetIdentityToken() ([]byte, error) { return []byte(t), nil }

// regionalSTS is the address of a region's token service.
func regionalSTS(region string) string {
	domain := "amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		domain = "amazonaws.com.cn"
	}
	return "https://sts." + region + "." + domain
}

// temporary is what AWS's library returned.
func temporary(keys aws.Credentials, err error) (renewal.Term[aws.Credentials], error) {
	switch {
	case err != nil:
		return renewal.Term[aws.Credentials]{}, err
	case !sendable(keys.AccessKeyID) || keys.SecretAccessKey == "" || !sendable(keys.SessionToken) || !keys.CanExpire:
		return renewal.Term[aws.Credentials]{}, errNoToken
	}
	return renewal.Term[aws.Credentials]{Value: keys, Ends: keys.Expires}, nil
}
