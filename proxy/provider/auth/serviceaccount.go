package auth

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
)

// minKeyBits is the shortest RSA key that is worth its name.
const minKeyBits = 2048

// ServiceAccount is the key file of a Google service account.
type ServiceAccount struct {
	// Email is the account's name.
	Email string
	// TokenURI is where tokens are asked for.
	TokenURI string

	keyID      string
	privateKey []byte
}

// ParseServiceAccount reads a key file as Google Cloud hands it out, in JSON. The error tells what is wrong with it in words
// that go behind "it", and holds nothing of it.
func ParseServiceAccount(raw []byte) (*ServiceAccount, error) {
	var file struct {
		Type       string `json:"type"`
		Email      string `json:"client_email"`
		KeyID      string `json:"private_key_id"`
		PrivateKey string `json:"private_key"`
		TokenURI   string `json:"token_uri"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, errors.New("is not the key file of a service account in JSON")
	}
	switch {
	case file.Type != "service_account":
		return nil, errors.New(`is not of the type "service_account"; other kinds of Google credentials are not supported`)
	case file.Email == "" || file.PrivateKey == "" || file.TokenURI == "":
		return nil, errors.New("lacks client_email, private_key or token_uri")
	}
	if err := checkKey(file.PrivateKey); err != nil {
		return nil, err
	}
	return &ServiceAccount{Email: file.Email, TokenURI: file.TokenURI, keyID: file.KeyID, privateKey: []byte(file.PrivateKey)}, nil
}

// checkKey tells what is wrong with an RSA key in PEM, in either of its usual forms.
func checkKey(text string) error {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return errors.New("has a private_key that is not in PEM")
	}
	var key *rsa.PrivateKey
	if parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		key, _ = parsed.(*rsa.PrivateKey)
	} else if key, err = x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
		key = nil
	}
	switch {
	case key == nil:
		return errors.New("has a private_key that is no RSA key")
	case key.N.BitLen() < minKeyBits:
		return fmt.Errorf("has a private_key of fewer than %d bits", minKeyBits)
	}
	return nil
}
