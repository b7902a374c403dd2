package core

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"sync"
)

// ServiceAccountEmail names the one service account of Google's that there is.
const ServiceAccountEmail = "fake@fakeprovider.iam.gserviceaccount.com"

// ServiceAccount is the account's key, made when it is first needed and good for the life of the server.
type ServiceAccount struct {
	make func() *rsa.PrivateKey
}

func newServiceAccount() ServiceAccount {
	return ServiceAccount{sync.OnceValue(func() *rsa.PrivateKey {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(fmt.Sprintf("generating an RSA key: %v", err)) // the system has no randomness
		}
		return key
	})}
}

// Public is the key that assertions are checked with.
func (a ServiceAccount) Public() *rsa.PublicKey { return &a.make().PublicKey }

// File is the account as Google's console gives it out.
func (a ServiceAccount) File(tokenURI string) (map[string]string, error) {
	der, err := x509.MarshalPKCS8PrivateKey(a.make())
	if err != nil {
		return nil, fmt.Errorf("encoding the service account's key: %w", err)
	}
	return map[string]string{
		"type": "service_account", "project_id": "fakeprovider", "private_key_id": "fake", "client_email": ServiceAccountEmail, "client_id": "1",
		"token_uri": tokenURI, "universe_domain": "googleapis.com",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	}, nil
}

// ServiceAccount is the server's.
func (x *Exchange) ServiceAccount() ServiceAccount { return x.server.account }

func (s *Server) getServiceAccount(r *http.Request) (any, error) {
	return s.account.File(r.URL.Query().Get("token_uri"))
}
