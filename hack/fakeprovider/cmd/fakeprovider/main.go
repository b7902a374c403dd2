// Command fakeprovider serves the fake provider: the imitated API on one listener, its control API on another.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"signalbox.dev/signalbox/hack/fakeprovider"
)

// maxHeaderBytes keeps the records, which hold headers, bounded.
const maxHeaderBytes = 64 << 10

type flags struct {
	addr, controlAddr, settings, tlsCert, tlsKey string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "fakeprovider:", err)
		stop()
		os.Exit(1)
	}
}

// run serves until the context ends.
func run(ctx context.Context, args []string) error {
	f, err := parse(args)
	if err != nil {
		return err
	}
	settings, err := readSettings(f.settings)
	if err != nil {
		return err
	}
	server, err := fakeprovider.New(fakeprovider.Options{Settings: &settings})
	if err != nil {
		return fmt.Errorf("making the server: %w", err)
	}
	data := newServer(ctx, server.Data())
	control := newServer(ctx, server.Control())
	dataListener, err := listen(ctx, f.addr)
	if err != nil {
		return err
	}
	controlListener, err := listen(ctx, f.controlAddr)
	if err != nil {
		return errors.Join(err, dataListener.Close())
	}
	fmt.Printf("fakeprovider: data on %s, control on %s\n", dataListener.Addr(), controlListener.Addr())
	failed := make(chan error, 2)
	go func() {
		if f.tlsCert == "" {
			failed <- data.Serve(dataListener)
			return
		}
		failed <- data.ServeTLS(dataListener, f.tlsCert, f.tlsKey)
	}()
	go func() { failed <- control.Serve(controlListener) }()
	select {
	case err = <-failed:
	case <-ctx.Done():
		err = nil
	}
	return errors.Join(err, data.Close(), control.Close())
}

func parse(args []string) (flags, error) {
	var f flags
	set := flag.NewFlagSet("fakeprovider", flag.ContinueOnError)
	set.StringVar(&f.addr, "addr", "127.0.0.1:9900", "address of the imitated API")
	set.StringVar(&f.controlAddr, "control-addr", "127.0.0.1:9901", "address of the control API")
	set.StringVar(&f.settings, "settings", "", "settings at start: a JSON object of the fields that differ from the defaults")
	set.StringVar(&f.tlsCert, "tls-cert", "", "PEM certificate file: serves the imitated API over TLS, HTTP/2 included")
	set.StringVar(&f.tlsKey, "tls-key", "", "PEM key file of the certificate")
	if err := set.Parse(args); err != nil {
		return f, fmt.Errorf("reading flags: %w", err)
	}
	if (f.tlsCert == "") != (f.tlsKey == "") {
		return f, errors.New("tls-cert and tls-key belong together")
	}
	return f, nil
}

// readSettings applies the flag's JSON to the defaults.
func readSettings(value string) (fakeprovider.Settings, error) {
	settings := fakeprovider.DefaultSettings()
	if value == "" {
		return settings, nil
	}
	decoder := json.NewDecoder(strings.NewReader(value))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&settings); err != nil {
		return settings, fmt.Errorf("decoding settings: %w", err)
	}
	return settings, nil
}

func newServer(ctx context.Context, handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: maxHeaderBytes,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
}

func listen(ctx context.Context, addr string) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", addr, err)
	}
	return listener, nil
}
