// Package certificate keeps the certificate of a server as it is in files, which somebody else renews.
package certificate

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"signalbox.dev/signalbox/proxy/telemetry"
)

const (
	// certificateFile and keyFile are the names of the files, as in a Secret of type kubernetes.io/tls.
	certificateFile = "tls.crt"
	keyFile         = "tls.key"
	// maxBytes bounds a file; a Secret holds no more.
	maxBytes = 1 << 20
	// lookEvery is how often the files are read.
	lookEvery = 2 * time.Second
)

// errNone means that there is nothing to serve TLS with.
var errNone = errors.New("there is no certificate yet")

// Options of Files.
type Options struct {
	// Dir of the files tls.crt and tls.key.
	Dir string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log is told what becomes of the files; required.
	Log *slog.Logger
	// Metrics are told of the certificate in use; required.
	Metrics *telemetry.Certificate
}

// Files are a certificate and its key. What cannot be used never replaces what can.
type Files struct {
	options Options
	current atomic.Pointer[tls.Certificate]
	// used is what is served, seen what was read last, and judged tells that it was said what is wrong with seen.
	used, seen pair
	judged     bool
}

// pair is the content of both files.
type pair struct{ certificate, key []byte }

func (p pair) equal(other pair) bool {
	return bytes.Equal(p.certificate, other.certificate) && bytes.Equal(p.key, other.key)
}

// Open reads the files for the first time. They may be missing.
func Open(o Options) *Files {
	if o.Now == nil {
		o.Now = time.Now
	}
	f := &Files{options: o}
	f.look()
	if !f.Ready() {
		o.Log.Warn("there is no certificate to serve TLS with; connections are refused until its Secret has a good one", "dir", o.Dir)
	}
	return f
}

// Run looks at the files until the context ends.
func (f *Files) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			f.look()
		}
	}
}

// Ready tells whether there is a certificate.
func (f *Files) Ready() bool { return f.current.Load() != nil }

// Config serves what is in the files at the time of a handshake, with TLS 1.2 or later.
func (f *Files) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			if current := f.current.Load(); current != nil {
				return current, nil
			}
			return nil, errNone
		},
	}
}

// look takes up a new pair. One that cannot be used is only complained of when it is still the same at the next look: the two files may be of two versions while they are
// being replaced. It is tried again each time, for a certificate can become valid.
func (f *Files) look() {
	read, err := f.read()
	if err != nil || read.equal(f.used) {
		// A Secret that is gone takes nothing from what is served.
		return
	}
	again := read.equal(f.seen)
	if !again {
		f.seen, f.judged = read, false
	}
	next, err := f.parse(read)
	switch {
	case err == nil:
		f.used = read
		f.take(next)
	case again && !f.judged:
		f.judged = true
		f.options.Metrics.Refused()
		f.options.Log.Error("the files of the certificate cannot be used; the one before them, if there is one, stays", "dir", f.options.Dir, "error", err)
	}
}

// parse makes a certificate of a pair. One that is not valid now does not replace one that is.
func (f *Files) parse(read pair) (*tls.Certificate, error) {
	next, err := tls.X509KeyPair(read.certificate, read.key)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	before := f.current.Load()
	if before != nil && f.valid(before) && !f.valid(&next) {
		return nil, fmt.Errorf("the certificate is valid from %s to %s only", next.Leaf.NotBefore.UTC().Format(time.RFC3339), next.Leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return &next, nil
}

func (f *Files) valid(certificate *tls.Certificate) bool {
	now := f.options.Now()
	return !now.Before(certificate.Leaf.NotBefore) && now.Before(certificate.Leaf.NotAfter)
}

// take serves a certificate from the next handshake on. Connections that are open keep theirs.
func (f *Files) take(next *tls.Certificate) {
	f.current.Store(next)
	f.options.Metrics.Taken(next.Leaf.NotAfter)
	told := []any{"dir", f.options.Dir, "not_after", next.Leaf.NotAfter.UTC().Format(time.RFC3339), "names", next.Leaf.DNSNames}
	if !f.valid(next) {
		f.options.Log.Error("TLS is served with a certificate that is not valid now, for there is no other", told...)
		return
	}
	f.options.Log.Info("TLS is served with a new certificate", told...)
}

func (f *Files) read() (pair, error) {
	certificate, err := readBounded(filepath.Join(f.options.Dir, certificateFile))
	if err != nil {
		return pair{}, err
	}
	key, err := readBounded(filepath.Join(f.options.Dir, keyFile))
	return pair{certificate, key}, err
}

func readBounded(name string) ([]byte, error) {
	file, err := os.Open(filepath.Clean(name))
	if err != nil {
		return nil, fmt.Errorf("opening a file of the certificate: %w", err)
	}
	defer func() { _ = file.Close() }()
	return io.ReadAll(io.LimitReader(file, maxBytes))
}
