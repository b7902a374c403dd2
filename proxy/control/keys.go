package control

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// KeysPath is the path where the manager tells a proxy what an issuer of tokens has answered.
const KeysPath = "/v1/keys"

const (
	// maxKeysFoundBytes bounds one message.
	maxKeysFoundBytes = 8 << 10
	// maxKeysFound bounds the messages that are read at a time.
	maxKeysFound = 8
)

// KeysFound is what the manager learned when it asked an issuer for its keys because a proxy's report wanted them. The keys themselves come with a routing
// table. A proxy whose table has them already knows from it that there is nothing to wait for.
type KeysFound struct {
	// Issuer is the URL.
	Issuer string `json:"issuer"`
	// Asked is Stats.KeysAsked of a report that was read before the issuer was asked: what waited then has its answer.
	Asked int64 `json:"asked"`
	// Digest of the keys, see identity.KeysDigest.
	Digest string `json:"digest"`
}

// keysFound takes a message of the manager.
func (s *Server) keysFound(w http.ResponseWriter, r *http.Request) {
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(ExchangeTimeout)); err != nil {
		s.options.Log.Debug("a message of the manager was not read", "error", err)
		return
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxKeysFoundBytes))
	var found KeysFound
	if err != nil || json.Unmarshal(text, &found) != nil {
		http.Error(w, "the message cannot be read", http.StatusBadRequest)
		return
	}
	s.options.KeysFound(found)
	w.WriteHeader(http.StatusNoContent)
}

// TellKeys tells the proxy at an address, an IP with port, what an issuer of tokens has answered.
func (c Client) TellKeys(ctx context.Context, addr string, identity *Identity, found KeysFound) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	text, err := json.Marshal(found)
	if err != nil {
		return fmt.Errorf("encoding what an issuer answered: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+addr+KeysPath, bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("building the message of what an issuer answered: %w", err)
	}
	request.Header.Set("Content-Type", exchangeType)
	transport := newTransport(identity)
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("telling what an issuer answered: %w", because(ctx, err))
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusNoContent {
		return fmt.Errorf("telling what an issuer answered: status %d", response.StatusCode)
	}
	return nil
}

// newTransport makes connections of a client, one for each request.
func newTransport(identity *Identity) *http.Transport {
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSClientConfig:        identity.clientConfig(),
		TLSHandshakeTimeout:    dialTimeout,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
}
