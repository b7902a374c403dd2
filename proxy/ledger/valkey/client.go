package valkey

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	// dialTimeout bounds the making of a connection, TLS and log-in included.
	dialTimeout = 3 * time.Second
	// replyTimeout bounds the wait for one answer.
	replyTimeout = 3 * time.Second
	// poolSize bounds the connections to one server. Owners write at most once a second to a document, and watchers read watchReads at a time.
	poolSize = 32
	// maxAddresses bounds the addresses that a table can name.
	maxAddresses = 64
	// resp2 is the protocol's version: push messages of version 3 have no use here.
	resp2 = 2
)

// server is how a server, or a cluster, is reached.
type server struct {
	addresses []string
	cluster   bool
	username  string
	password  string
	caPEM     []byte
}

// connect returns a client, which dials when it is first used. The client's own log is turned off: its lines name users, and each error is returned as well.
func connect(at server) (redis.UniversalClient, error) {
	if len(at.addresses) == 0 || len(at.addresses) > maxAddresses {
		return nil, fmt.Errorf("there are %d addresses; it takes 1 to %d", len(at.addresses), maxAddresses)
	}
	if len(at.addresses) > 1 && !at.cluster {
		return nil, errors.New("there are several addresses, and they are not of a cluster")
	}
	for _, address := range at.addresses {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return nil, fmt.Errorf("an address is not host:port: %w", err)
		}
	}
	security, err := at.tls()
	if err != nil {
		return nil, err
	}
	logging.Disable()
	return redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs:                    at.addresses,
		IsClusterMode:            at.cluster,
		Protocol:                 resp2,
		Username:                 at.username,
		Password:                 at.password,
		MaxRetries:               1,
		DialTimeout:              dialTimeout,
		DialerRetries:            1,
		ReadTimeout:              replyTimeout,
		WriteTimeout:             replyTimeout,
		ContextTimeoutEnabled:    true,
		PoolSize:                 poolSize,
		PoolTimeout:              replyTimeout,
		TLSConfig:                security,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}), nil
}

func (s server) tls() (*tls.Config, error) {
	if len(s.caPEM) == 0 {
		return nil, nil
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(s.caPEM) {
		return nil, errors.New("there is no certificate in the PEM of the authorities")
	}
	return &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}, nil
}

// ErrDenied is the error of a server that does not know the user and its password, or does not let it do what is needed.
var ErrDenied = errors.New("the server denies access")

// cleaned returns an error without what a server may put into its text: names of users and keys. Of a server's own error its code is left.
func cleaned(err error) error {
	var said redis.Error
	if err == nil || errors.Is(err, redis.Nil) || !errors.As(err, &said) {
		return err
	}
	code, _, _ := strings.Cut(said.Error(), " ")
	switch code {
	case "NOAUTH", "WRONGPASS", "NOPERM":
		return fmt.Errorf("%w: it says %s", ErrDenied, code)
	case "ERR":
		return errors.New("the server says ERR")
	default:
		return fmt.Errorf("the server says %.32q", code)
	}
}
