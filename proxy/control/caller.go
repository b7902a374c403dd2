package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
)

// ErrAnswerTooLong is returned for an answer of more than MaxExchangeBytes.
var ErrAnswerTooLong = errors.New("the answer is too long")

// Caller calls other replicas and keeps the connections to them. The zero value is ready to use, by any number of goroutines.
type Caller struct {
	// Dial opens connections; nil means the network's own way.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	mutex     sync.Mutex
	identity  *Identity
	transport *http.Transport
}

// Exchange says something to the replica at an address, an IP with port, and returns its answer. Each call is made with the identity that it is given:
// once that changes, no connection of the one before is used again. A refused connection is a syscall.ECONNREFUSED.
func (c *Caller) Exchange(ctx context.Context, addr string, identity *Identity, said []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, ExchangeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+addr+PeersPath, bytes.NewReader(said))
	if err != nil {
		return nil, fmt.Errorf("building a message: %w", err)
	}
	request.Header.Set("Content-Type", exchangeType)
	// A key without a value is not sent. It lets the transport try again on a fresh connection when an idle one turns out to be closed.
	request.Header["Idempotency-Key"] = nil
	response, err := c.use(identity).RoundTrip(request)
	if err != nil {
		return nil, fmt.Errorf("saying it: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("saying it: status %d", response.StatusCode)
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, MaxExchangeBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if len(answer) > MaxExchangeBytes {
		return nil, ErrAnswerTooLong
	}
	return answer, nil
}

// Close closes the connections that are idle.
func (c *Caller) Close() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.transport != nil {
		c.transport.CloseIdleConnections()
	}
}

// use returns a transport whose connections all have the identity.
func (c *Caller) use(identity *Identity) *http.Transport {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.transport != nil && c.identity == identity {
		return c.transport
	}
	if c.transport != nil {
		c.transport.CloseIdleConnections()
	}
	dial := c.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: ExchangeTimeout}).DialContext
	}
	c.identity = identity
	c.transport = &http.Transport{
		DialContext:         dial,
		TLSClientConfig:     identity.clientConfig(),
		TLSHandshakeTimeout: ExchangeTimeout,
		DisableCompression:  true,
		MaxIdleConnsPerHost: 1,
		// Idle connections end here before they end there.
		IdleConnTimeout:        idleTimeout / 2,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
	return c.transport
}
