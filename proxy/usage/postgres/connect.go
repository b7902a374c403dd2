// Package postgres keeps usage records in PostgreSQL: one table, partitioned by month, into which each namespace's proxies insert with a role of their own that
// can add records of its namespace and read nothing.
//
// Admin is the platform's side: the schema, its partitions, the retention and the roles. Writer is a proxy's side. Report adds records up for people.
package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// connectTimeout bounds a connection attempt.
	connectTimeout = 10 * time.Second
	// applicationName is what the database's own views show.
	applicationName = "signalbox"
)

// errURL says no more, for the URL holds a password.
var errURL = errors.New("the database's URL cannot be read: it is postgres://USER:PASSWORD@HOST:PORT/DATABASE, with sslmode and other parameters of libpq behind a question mark")

// configure reads a URL. A CA makes the connection use TLS and check the server's name, whatever sslmode says.
func configure(text string, caPEM []byte) (*pgx.ConnConfig, error) {
	if _, err := parseURL(text); err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(text)
	if err != nil {
		return nil, errURL
	}
	config.ConnectTimeout = connectTimeout
	config.RuntimeParams["application_name"] = applicationName
	config.RuntimeParams["timezone"] = "UTC"
	if len(caPEM) == 0 {
		return config, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(caPEM) {
		return nil, errors.New("the database's authorities hold no certificate")
	}
	config.TLSConfig = &tls.Config{RootCAs: pool, ServerName: config.Host, MinVersion: tls.VersionTLS12}
	config.Fallbacks = nil
	return config, nil
}

// parseURL reads a URL in the one form that is taken.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Host == "" || strings.Trim(u.Path, "/") == "" {
		return nil, errURL
	}
	return u, nil
}

// RoleURL is the URL with which the proxies of a namespace reach the database that an administrator reaches with adminURL.
func RoleURL(adminURL, namespace, password string) (string, error) {
	u, err := parseURL(adminURL)
	if err != nil {
		return "", err
	}
	parameters := u.Query()
	// What is the administrator's own, and files that only its machine has.
	for _, mine := range [...]string{"user", "password", "passfile", "sslcert", "sslkey", "sslpassword", "sslrootcert", "sslcrl", "service", "servicefile"} {
		parameters.Del(mine)
	}
	u.RawQuery = parameters.Encode()
	u.User = url.UserPassword(RoleName(strings.Trim(u.Path, "/"), namespace), password)
	return u.String(), nil
}

// dial connects.
func dial(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the database: %w", err)
	}
	return conn, nil
}
