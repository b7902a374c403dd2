package server

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/provider/registry"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/telemetry"
)

var errDry = errors.New("nothing is called")

// NewDry returns a server of a table that explains requests and can call nobody: every upstream is in good health, and nothing was spent.
func NewDry(t *table.Table) (*Server, error) {
	s := New(Options{
		Book: ledger.NewBook(ledger.NewOwner("dry", time.Time{})), Providers: registry.Default(), Metrics: telemetry.NewMetrics(),
		NewTransport: func(table.EndpointRules) (http.RoundTripper, error) { return dryTransport{}, nil },
		AccessLog:    telemetry.NewAccessLog(io.Discard), Log: slog.New(slog.DiscardHandler),
	})
	return s, s.Use(t)
}

// dryTransport refuses everything.
type dryTransport struct{}

// RoundTrip is a part of http.RoundTripper.
func (dryTransport) RoundTrip(*http.Request) (*http.Response, error) { return nil, errDry }
