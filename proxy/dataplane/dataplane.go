package dataplane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"signalbox.dev/signalbox/proxy/ballast"
	"signalbox.dev/signalbox/proxy/certificate"
	"signalbox.dev/signalbox/proxy/control"
	"signalbox.dev/signalbox/proxy/endpoint"
	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/limit"
	"signalbox.dev/signalbox/proxy/peers"
	"signalbox.dev/signalbox/proxy/provider/registry"
	"signalbox.dev/signalbox/proxy/server"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/telemetry"
	"signalbox.dev/signalbox/proxy/tracing"
	"signalbox.dev/signalbox/proxy/traffic"
	"signalbox.dev/signalbox/proxy/upstream"
	"signalbox.dev/signalbox/proxy/usage"
	"signalbox.dev/signalbox/proxy/usage/journal"
)

// Bounds of the operations port and of the end.
const (
	headerTimeout  = 10 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 32 << 10
	// ballastBytes is how much more garbage the garbage collector waits for: with the few megabytes that live in an idle proxy it would otherwise run many times
	// a second under load, for a sixth of the CPU time.
	ballastBytes = 32 << 20
	// cutLimit is how long requests that were cut may take to settle.
	cutLimit = 5 * time.Second
	// traceFlushLimit is how long the collector may take for the last traces.
	traceFlushLimit = 5 * time.Second
	// quietLook is how often a draining proxy looks whether its clients have left.
	quietLook = 20 * time.Millisecond
	// operationsLimit is how long a scrape may take.
	operationsLimit = 10 * time.Second
)

// DataPlane is one proxy.
type DataPlane struct {
	options Options
	server  *server.Server
	ledgers *ledgers
	journal *journal.Journal
	sinks   *sinks
	recent  *usage.Recent
	tracer  *tracing.Tracer
	control *control.Server
	mesh    *peers.Mesh  // nil without other replicas
	limited atomic.Bool  // the table in use has limits
	freed   atomic.Int64 // when a connection last became free while draining, in Unix nanoseconds
	lines   *telemetry.Buffer

	requests     *http.Server
	operations   *http.Server
	listener     net.Listener                   // nil without a port for plain requests
	tlsListener  net.Listener                   // nil without TLS
	certificate  *certificate.Files             // nil without TLS
	called       atomic.Pointer[control.Called] // nil before the first table
	operationsOn net.Listener
	controlOn    net.Listener
}

// New opens the listeners and the journal and puts the parts together. Run must follow, or Close.
func New(ctx context.Context, options Options) (*DataPlane, error) {
	metrics := telemetry.NewMetrics()
	lines := telemetry.NewBuffer(options.AccessLog)
	if err := metrics.Register(lines.Collector()); err != nil {
		return nil, fmt.Errorf("registering the access log's metrics: %w", err)
	}
	noted, left, err := journal.Open(journal.Options{Dir: options.JournalDir, MaxBytes: options.JournalBytes, Log: options.Log})
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	d := &DataPlane{options: options, lines: lines, journal: noted, recent: usage.NewRecent(usage.RecentOptions{Started: options.StartedAt})}
	for _, lost := range left.Lost {
		d.recent.Put(lost)
	}
	if err := d.build(ctx, metrics, left.Counters); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// build puts the parts together. before are the counters of earlier processes of this pod.
func (d *DataPlane) build(ctx context.Context, metrics *telemetry.Metrics, before []ledger.Recovered) error {
	options := &d.options
	book := ledger.NewBook(options.Owner)
	d.ledgers, d.sinks = &ledgers{options: options, book: book, before: before, wrote: metrics.LedgerWrote, begun: make(chan struct{})}, newSinks(options, d.journal)
	d.tracer = tracing.New(tracing.Options{Pod: options.Pod, Version: options.Version, Log: options.Log, Metrics: telemetry.NewSpans(metrics)})
	upstreams := health.NewRegistry(health.Options{Changed: d.changedHealth, Ended: d.endedHealth})
	limits := limit.NewSet(limit.Options{Changed: d.changedLimits})
	d.server = server.New(server.Options{
		Book: book, Providers: registry.Default(), NewTransport: d.newTransport, Metrics: metrics, AccessLog: telemetry.NewAccessLog(d.lines),
		Log: options.Log, Limits: options.Limits, Health: upstreams, CallerLimits: limits, Pod: options.Pod, Journal: d.journal, Recent: d.recent,
		Generation: d.askGeneration, Tokens: options.Tokens, Tracer: d.tracer, WantKeys: d.wantKeys(),
	})
	if err := metrics.WatchTargets(func() []traffic.Target { return d.server.Targets(time.Now()) }); err != nil {
		return fmt.Errorf("registering the metrics of targets: %w", err)
	}
	if err := metrics.WatchMoney(func() telemetry.Money { return d.money(book) }); err != nil {
		return fmt.Errorf("registering the metrics of money: %w", err)
	}
	d.requests = d.server.HTTPServer()
	d.requests.ConnState = d.watchConnection
	if options.TLSAddr != "" {
		d.certificate = certificate.Open(certificate.Options{Dir: options.TLSDir, Log: options.Log, Metrics: telemetry.NewCertificate(metrics)})
		d.requests.TLSConfig = d.tlsConfig()
	}
	d.operations = &http.Server{
		Handler: d.operationsHandler(metrics), ReadHeaderTimeout: headerTimeout, ReadTimeout: headerTimeout, WriteTimeout: operationsLimit,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(options.Log.Handler(), slog.LevelDebug),
	}
	serving := control.Options{Pod: options.Pod, PodUID: options.PodUID, StartedAt: options.StartedAt, Stats: d.stats, Log: options.Log, KeysFound: d.keysFound}
	if options.hasPeers() {
		serving.Answer, serving.Generation = d.answerPeer, d.generation
	}
	d.control = control.NewServer(serving)
	if err := d.listen(ctx); err != nil {
		return err
	}
	if options.hasPeers() {
		d.mesh = d.newMesh(metrics, upstreams, limits)
	}
	return nil
}

// newTransport makes the client for upstreams, whose connections all obey the rules.
func (d *DataPlane) newTransport(rules table.EndpointRules) (http.RoundTripper, error) {
	allow, deny, err := rules.Parse()
	if err != nil {
		return nil, err
	}
	dialer := &endpoint.Dialer{Policy: endpoint.ProxyPolicy(endpoint.Rules{Allow: allow, APIServers: deny})}
	return upstream.NewSelecting(upstream.Options{DialContext: dialer.DialContext, Resolver: dialer}, d.options.HTTPProxy), nil
}

func (d *DataPlane) listen(ctx context.Context) error {
	var config net.ListenConfig
	for _, port := range []struct {
		listener *net.Listener
		addr     string
	}{{&d.listener, d.options.Addr}, {&d.tlsListener, d.options.TLSAddr}, {&d.operationsOn, d.options.MetricsAddr}, {&d.controlOn, d.options.ControlAddr}} {
		if port.addr == "" {
			continue
		}
		listener, err := config.Listen(ctx, "tcp", port.addr)
		if err != nil {
			return fmt.Errorf("listening on %s: %w", port.addr, err)
		}
		*port.listener = listener
	}
	return nil
}

// Addr is where requests are served without TLS; nil if they are not.
func (d *DataPlane) Addr() net.Addr { return addrOf(d.listener) }

// TLSAddr is where requests are served with TLS; nil if they are not.
func (d *DataPlane) TLSAddr() net.Addr { return addrOf(d.tlsListener) }

func addrOf(listener net.Listener) net.Addr {
	if listener == nil {
		return nil
	}
	return listener.Addr()
}

// MetricsAddr is where metrics and health are served; nil if they are not.
func (d *DataPlane) MetricsAddr() net.Addr { return addrOf(d.operationsOn) }

// Close closes the listeners and the journal of a DataPlane that is not run.
func (d *DataPlane) Close() error {
	problems := []error{d.journal.Close()}
	for _, listener := range []net.Listener{d.listener, d.tlsListener, d.operationsOn, d.controlOn} {
		if listener != nil {
			problems = append(problems, listener.Close())
		}
	}
	return errors.Join(problems...)
}

func (d *DataPlane) stats() control.Stats {
	now := time.Now()
	wanted, asked := d.server.KeysWanted()
	return control.Stats{
		Draining: d.server.Draining(), InFlight: d.server.InFlight(), Targets: d.server.Targets(now), Credentials: d.server.Credentials(now),
		KeysWanted: wanted, KeysAsked: asked,
	}
}

func (d *DataPlane) keysFound(found control.KeysFound) {
	d.server.KeysFound(found.Issuer, found.Asked, found.Digest)
}

// wantKeys tells the manager at once that a request waits for an issuer's newest keys; nil without a manager.
func (d *DataPlane) wantKeys() func() {
	if d.options.ControlAddr == "" {
		return nil
	}
	return func() { d.control.Announce() }
}

// use puts a table in force: the ledgers' store must be chosen before budgets are asked, and what is acknowledged must be served already.
func (d *DataPlane) use(parts context.Context, t *table.Table) {
	if err := d.ledgers.use(t); err != nil {
		d.options.Log.Warn("a routing table is not used", "sequence", t.Sequence, "error", err)
		return
	}
	d.sinks.use(parts, t)
	d.tracer.Use(t.Namespace, t.Tracing)
	// Readiness must know of limits before they are in force.
	if hasLimits(t) {
		d.limited.Store(true)
	}
	d.limitTokens(t)
	d.takeCalled(t)
	if err := d.server.Use(t); err != nil {
		d.options.Log.Error("a routing table cannot be used; the one before it stays", "sequence", t.Sequence, "error", err)
		return
	}
	d.options.Log.Info("routing table in use", "sequence", t.Sequence, "revision", t.Revision, "routes", len(t.Routes))
	if d.controlOn == nil {
		return
	}
	if err := d.control.Use(t); err != nil {
		d.options.Log.Error("the control port keeps its identity", "sequence", t.Sequence, "error", err)
	}
}

// Run serves until the context ends and then drains: readiness fails, and connections are still taken for DrainDelay; then requests have DrainLimit to
// end and clients IdleGrace to leave their connections; then the ledgers are written and the last usage records delivered. The error is nil if all went that way.
func (d *DataPlane) Run(ctx context.Context) error {
	weight := ballast.New(ballastBytes)
	defer runtime.KeepAlive(weight)
	// The parts outlive the context: they are needed until the last request has ended.
	parts, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	var running sync.WaitGroup
	start := func(name string, part func(context.Context) error) {
		running.Go(func() {
			if err := part(parts); err != nil && parts.Err() == nil {
				stop(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	start("writing the access log", d.lines.Run)
	start("reading routing tables", func(ctx context.Context) error {
		return d.options.Source.Run(ctx, func(t *table.Table) { d.use(ctx, t) })
	})
	start("keeping the ledger", func(ctx context.Context) error { d.ledgers.run(ctx, d.journal.SetClean); return nil })
	if d.listener != nil {
		start("serving requests", func(context.Context) error { return d.served(d.requests.Serve(d.listener)) })
	}
	if d.tlsListener != nil {
		start("serving requests with TLS", func(context.Context) error { return d.served(d.requests.ServeTLS(d.tlsListener, "", "")) })
		start("watching the certificate", d.certificate.Run)
	}
	if d.operationsOn != nil {
		start("serving metrics", func(context.Context) error { return served(d.operations.Serve(d.operationsOn)) })
	}
	if d.controlOn != nil {
		start("serving the control port", func(ctx context.Context) error { return d.control.Serve(ctx, d.controlOn) })
	}
	if d.mesh != nil {
		start("talking to the other replicas", func(ctx context.Context) error { d.mesh.Run(ctx); return nil })
	}
	select {
	case <-ctx.Done():
	case <-parts.Done():
	}
	broken := context.Cause(parts)
	err := errors.Join(broken, d.drain(parts), d.awaitMirrors(parts), d.settle(parts))
	stop(nil)
	closed := d.operations.Close()
	running.Wait()
	return errors.Join(err, closed, d.ledgers.close(), d.journal.Close())
}

// settle tells everybody the last that this proxy knows, once no request is under way: its ledgers what was spent and what is left of its allowances, the
// sinks the last records, and the other replicas that they may have its shares, which nothing can use any more.
func (d *DataPlane) settle(parts context.Context) error {
	var flushed, delivered error
	var telling sync.WaitGroup
	telling.Go(func() { d.goodbye(parts) })
	telling.Go(func() { flushed = d.ledgers.flush(parts, d.journal.SetClean) })
	telling.Go(func() { delivered = d.sinks.flush(parts) })
	telling.Go(func() { d.flushTraces(parts) })
	telling.Wait()
	return errors.Join(flushed, delivered)
}

// flushTraces sends the last traces, if the collector takes them.
func (d *DataPlane) flushTraces(parts context.Context) {
	limited, cancel := context.WithTimeout(context.WithoutCancel(parts), traceFlushLimit)
	defer cancel()
	d.tracer.Flush(limited)
}

// served is nil for a listener that the drain has closed.
func (d *DataPlane) served(err error) error {
	if errors.Is(err, net.ErrClosed) && d.server.Draining() {
		return nil
	}
	return served(err)
}

// served is nil for a server that was asked to stop.
func served(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// drain ends serving without cutting a request before the limit.
func (d *DataPlane) drain(parts context.Context) error {
	d.options.Log.Info("draining", "in_flight", d.server.InFlight(), "delay", d.options.DrainDelay.String(), "limit", d.options.DrainLimit.String())
	d.freed.Store(time.Now().UnixNano())
	d.server.Drain()
	d.control.Announce()
	delay := time.NewTimer(d.options.DrainDelay)
	defer delay.Stop()
	select {
	case <-delay.C:
	case <-parts.Done():
	}
	var closed error
	for _, listener := range []net.Listener{d.listener, d.tlsListener} {
		if listener != nil {
			closed = errors.Join(closed, listener.Close())
		}
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(parts), d.options.DrainLimit)
	defer cancel()
	d.awaitQuiet(limited)
	err := d.requests.Shutdown(limited)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		d.options.Log.Warn("requests are cut at the drain limit", "in_flight", d.server.InFlight())
		err = d.requests.Close()
		d.awaitCut(parts)
	case errors.Is(err, net.ErrClosed):
		err = nil
	}
	return errors.Join(closed, err)
}

// watchConnection notes when a connection waits for its next request. While the proxy drains that is one whose answer began before, for the others end with
// their answer.
func (d *DataPlane) watchConnection(_ net.Conn, state http.ConnState) {
	if state == http.StateIdle && d.server.Draining() {
		d.freed.Store(time.Now().UnixNano())
	}
}

// awaitQuiet waits until no request is under way and the last connection that became free has been silent for IdleGrace.
func (d *DataPlane) awaitQuiet(limited context.Context) {
	look := time.NewTicker(quietLook)
	defer look.Stop()
	for !d.quiet(time.Now()) {
		select {
		case <-limited.Done():
			return
		case <-look.C:
		}
	}
}

func (d *DataPlane) quiet(now time.Time) bool {
	return d.server.InFlight() == 0 && now.Sub(time.Unix(0, d.freed.Load())) >= d.options.IdleGrace
}

// awaitCut waits for requests that were cut, for they still settle what they used.
func (d *DataPlane) awaitCut(parts context.Context) {
	limited, cancel := context.WithTimeout(context.WithoutCancel(parts), cutLimit)
	defer cancel()
	look := time.NewTicker(cutLimit / 500)
	defer look.Stop()
	for d.server.InFlight() > 0 {
		select {
		case <-limited.Done():
			return
		case <-look.C:
		}
	}
}

// awaitMirrors waits for copies of requests that were given up, for they still settle what they used.
func (d *DataPlane) awaitMirrors(parts context.Context) error {
	limited, cancel := context.WithTimeout(context.WithoutCancel(parts), cutLimit)
	defer cancel()
	return d.server.AwaitMirrors(limited)
}
