package auth

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"

	gauth "cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials/externalaccount"

	"signalbox.dev/signalbox/proxy/renewal"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	// scope of Google's tokens.
	scope = "https://www.googleapis.com/auth/cloud-platform"
	// jwtType is the type of token that is exchanged.
	jwtType = "urn:ietf:params:oauth:token-type:jwt"
	// googleSTS and googleIAM are where tokens are exchanged, and where a service account's own are.
	googleSTS = "https://sts.googleapis.com"
	googleIAM = "https://iamcredentials.googleapis.com"
)

// serviceAccountTokens gets tokens with the key file of a service account.
func serviceAccountTokens(key *table.Key) (fetch[string], error) {
	account, err := ParseServiceAccount([]byte(key.Value))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, l *line) (renewal.Term[string], error) {
		client, err := l.client(account.TokenURI)
		if err != nil {
			return renewal.Term[string]{}, err
		}
		tokens, err := gauth.New2LOTokenProvider(&gauth.Options2LO{
			Email: account.Email, PrivateKey: account.privateKey, PrivateKeyID: account.keyID, TokenURL: account.TokenURI, Scopes: []string{scope}, Client: client,
			// An environment variable would have the library log tokens otherwise.
			Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			return renewal.Term[string]{}, err
		}
		return fromGoogle(tokens.Token(ctx))
	}, nil
}

// federatedTokens exchanges tokens of the proxy's ServiceAccount, and then that for one of a service account if there is one to act as.
func (k *Keeper) federatedTokens(key *table.Key) (fetch[string], error) {
	identity := key.Cloud
	if identity == nil || identity.Provider == "" || identity.Audience == "" {
		return nil, errors.New("a workload identity of Google needs the name of its provider and an audience")
	}
	exchange := orDefault(identity.Endpoint, googleSTS)
	addresses := []string{exchange}
	var impersonation string
	if identity.ServiceAccount != "" {
		iam := orDefault(identity.IAMEndpoint, googleIAM)
		addresses = append(addresses, iam)
		impersonation = strings.TrimSuffix(iam, "/") + "/v1/projects/-/serviceAccounts/" + url.PathEscape(identity.ServiceAccount) + ":generateAccessToken"
	}
	return func(ctx context.Context, l *line) (renewal.Term[string], error) {
		own, err := k.ownToken(ctx, identity.Audience)
		if err != nil {
			return renewal.Term[string]{}, err
		}
		client, err := l.client(addresses...)
		if err != nil {
			return renewal.Term[string]{}, err
		}
		credentials, err := externalaccount.NewCredentials(&externalaccount.Options{
			Audience: identity.Provider, SubjectTokenType: jwtType, SubjectTokenProvider: subject(own), TokenURL: strings.TrimSuffix(exchange, "/") + "/v1/token",
			ServiceAccountImpersonationURL: impersonation, Scopes: []string{scope}, Client: client, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			return renewal.Term[string]{}, err
		}
		return fromGoogle(credentials.Token(ctx))
	}, nil
}

// subject is a token that is exchanged.
type subject string

// SubjectToken implements externalaccount.SubjectTokenProvider.
func (s subject) SubjectToken(context.Context, *externalaccount.RequestOptions) (string, error) {
	return string(s), nil
}

// fromGoogle is what Google's library returned.
func fromGoogle(token *gauth.Token, err error) (renewal.Term[string], error) {
	if err != nil {
		return renewal.Term[string]{}, err
	}
	return issued(token.Value, token.Expiry)
}

// orDefault is a text, or another one if it is empty.
func orDefault(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}
