// Package control measures how long a route that was applied with kubectl takes until the proxy serves it, on a real cluster.
package control

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/hack/bench/load"
	"signalbox.dev/signalbox/hack/bench/report"
)

const (
	chatPath = "/v1/chat/completions"
	// pollEvery is how often the proxy is asked for the new route; it bounds the figure's resolution.
	pollEvery = 2 * time.Millisecond
	// servedWithin is after how long a route that is not served fails the run.
	servedWithin = 2 * time.Minute
)

// Options say what to measure where.
type Options struct {
	// Kubectl and Kubeconfig reach the cluster.
	Kubectl, Kubeconfig string
	// Namespace is made for the run and deleted at its end.
	Namespace string
	// Endpoint is the base URL of an OpenAI-compatible server that the proxy can reach, such as the fake provider's Service.
	Endpoint string
	// ProxyAddr is host:port of the namespace's proxy as reached from here; empty means a port-forward to it.
	ProxyAddr string
	// Sizes are the numbers of routes beside the new one, growing.
	Sizes []int
	// Samples is how many routes are timed at each size.
	Samples int
	// Say tells progress.
	Say func(format string, args ...any)
}

// Figures are the times for one number of routes, in milliseconds.
type Figures struct {
	Routes  int `json:"routes"`
	Samples int `json:"samples"`
	// P50 and P99 are from the start of kubectl apply to the first answer of the new route.
	P50 float64 `json:"p50Millis"`
	P99 float64 `json:"p99Millis"`
	// AfterApplyP50 and AfterApplyP99 are from the end of kubectl apply; a route served before kubectl ended counts as zero.
	AfterApplyP50 float64 `json:"afterApplyP50Millis"`
	AfterApplyP99 float64 `json:"afterApplyP99Millis"`
}

// run is a measurement under way.
type run struct {
	Options
	key  string
	addr string
}

// Measure makes the namespace, measures every size, and deletes the namespace.
func Measure(ctx context.Context, options Options) (figures []Figures, err error) {
	r := &run{Options: options, key: "bench-" + rand.Text()}
	defer func() {
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, r.kubectl(cleanup, "", "delete", "namespace", r.Namespace, "--ignore-not-found", "--wait=false"))
	}()
	if err := r.apply(ctx, baseManifests(r.Namespace, r.key, r.Endpoint)+routeManifest(r.Namespace, "filler-0", "filler-0")); err != nil {
		return nil, err
	}
	if err := r.kubectl(ctx, "", "wait", "-n", r.Namespace, "mroute/filler-0", "--for=condition=Ready", "--timeout=120s"); err != nil {
		return nil, err
	}
	stop, err := r.reach(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	if _, err := r.untilServed(ctx, "filler-0"); err != nil {
		return nil, err
	}
	filled := 1
	for _, size := range r.Sizes {
		if err := r.fill(ctx, filled, size); err != nil {
			return figures, err
		}
		filled = max(filled, size)
		f, err := r.sample(ctx, size)
		if err != nil {
			return figures, err
		}
		figures = append(figures, f)
		r.Say("%d routes: p50 %.0f ms, p99 %.0f ms", size, f.P50, f.P99)
	}
	return figures, nil
}

// fill applies routes until there are size of them, and waits for the last one.
func (r *run) fill(ctx context.Context, from, size int) error {
	if from >= size {
		return nil
	}
	var manifests strings.Builder
	for i := from; i < size; i++ {
		name := fmt.Sprintf("filler-%d", i)
		manifests.WriteString(routeManifest(r.Namespace, name, name))
	}
	r.Say("applying %d routes", size-from)
	if err := r.apply(ctx, manifests.String()); err != nil {
		return err
	}
	_, err := r.untilServed(ctx, fmt.Sprintf("filler-%d", size-1))
	return err
}

// sample times new routes one after the other; each is deleted before the next.
func (r *run) sample(ctx context.Context, size int) (Figures, error) {
	var fromStart, fromEnd []time.Duration
	for i := range r.Samples {
		name := fmt.Sprintf("probe-%d-%d", size, i)
		total, afterApply, err := r.timeRoute(ctx, name)
		if err != nil {
			return Figures{}, fmt.Errorf("timing route %s: %w", name, err)
		}
		fromStart, fromEnd = append(fromStart, total), append(fromEnd, afterApply)
		if err := r.kubectl(ctx, "", "delete", "-n", r.Namespace, "mroute/"+name); err != nil {
			return Figures{}, err
		}
	}
	slices.Sort(fromStart)
	slices.Sort(fromEnd)
	millis := func(sorted []time.Duration, percent float64) float64 {
		return float64(report.Percentile(sorted, percent).Microseconds()) / 1000
	}
	return Figures{
		Routes: size, Samples: r.Samples, P50: millis(fromStart, 50), P99: millis(fromStart, 99), AfterApplyP50: millis(fromEnd, 50), AfterApplyP99: millis(fromEnd, 99),
	}, nil
}

// timeRoute applies a route while it is already asked for.
func (r *run) timeRoute(ctx context.Context, name string) (total, afterApply time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, servedWithin)
	defer cancel()
	type answer struct {
		at  time.Time
		err error
	}
	answered := make(chan answer, 1)
	start := time.Now()
	go func() {
		at, err := r.untilServed(ctx, name)
		answered <- answer{at, err}
	}()
	err = r.apply(ctx, routeManifest(r.Namespace, name, name))
	applied := time.Now()
	if err != nil {
		cancel()
	}
	first := <-answered
	return first.at.Sub(start), max(0, first.at.Sub(applied)), errors.Join(err, first.err)
}

// untilServed asks for a model until it is answered with 200, and returns when that was.
func (r *run) untilServed(ctx context.Context, model string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, servedWithin)
	defer cancel()
	request := load.Request(chatPath, r.key, model, `,"max_tokens":1`)
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		err := r.ask(ctx, request)
		if err == nil {
			return time.Now(), nil
		}
		select {
		case <-ctx.Done():
			return time.Now(), fmt.Errorf("waiting for model %s: %w", model, err)
		case <-ticker.C:
		}
	}
}

// ask makes one request on a connection of its own: proxies may come and go meanwhile.
func (r *run) ask(ctx context.Context, request []byte) error {
	conn, err := load.Dial(ctx, r.addr)
	if err != nil {
		return err
	}
	_, err = conn.Do(request, nil)
	return errors.Join(err, conn.Close())
}

// reach finds the proxy, by port-forward unless its address was given. The function ends the port-forward.
func (r *run) reach(ctx context.Context) (func(), error) {
	if r.ProxyAddr != "" {
		r.addr = r.ProxyAddr
		return func() {}, nil
	}
	forwarding, cancel := context.WithCancel(ctx)
	command := r.command(forwarding, "port-forward", "-n", r.Namespace, "service/signalbox", "0:80", "--address", "127.0.0.1")
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	if err != nil {
		cancel()
		return nil, fmt.Errorf("preparing the port-forward: %w", err)
	}
	if err := command.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("starting the port-forward: %w", err)
	}
	stop := func() {
		cancel()
		_ = command.Wait() // it was killed on purpose
	}
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if addr, ok := forwardedAddr(lines.Text()); ok {
			r.addr = addr
			go func() {
				for lines.Scan() { // kubectl blocks when nobody reads what it says of each connection
					continue
				}
			}()
			return stop, nil
		}
	}
	stop()
	return nil, errors.New("the port-forward ended before it named its address")
}

// forwardedAddr reads "Forwarding from 127.0.0.1:41234 -> 8080".
func forwardedAddr(line string) (string, bool) {
	rest, found := strings.CutPrefix(line, "Forwarding from ")
	addr, _, arrow := strings.Cut(rest, " -> ")
	if _, _, err := net.SplitHostPort(addr); !found || !arrow || err != nil {
		return "", false
	}
	return addr, true
}

func (r *run) apply(ctx context.Context, manifests string) error {
	return r.kubectl(ctx, manifests, "apply", "--server-side", "-f", "-")
}

// kubectl runs a command and returns what it complained of.
func (r *run) kubectl(ctx context.Context, stdin string, args ...string) error {
	command := r.command(ctx, args...)
	var complaint bytes.Buffer
	command.Stdin, command.Stderr = strings.NewReader(stdin), &complaint
	if err := command.Run(); err != nil {
		return fmt.Errorf("running kubectl %s: %w: %s", args[0], err, bytes.TrimSpace(complaint.Bytes()))
	}
	return nil
}

func (r *run) command(ctx context.Context, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, r.Kubectl, args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+r.Kubeconfig)
	return command
}

// Validate reports what is missing or out of bounds.
func (o Options) Validate() error {
	endpoint, err := url.Parse(o.Endpoint)
	if err != nil || endpoint.Host == "" {
		return fmt.Errorf("endpoint %q is not a URL", o.Endpoint)
	}
	if !slices.IsSorted(o.Sizes) || len(o.Sizes) == 0 || o.Sizes[0] < 1 || o.Sizes[len(o.Sizes)-1] > 5000 {
		return fmt.Errorf("sizes %v: give growing numbers from 1 to 5000", o.Sizes)
	}
	if o.Samples < 1 || o.Samples > 1000 {
		return fmt.Errorf("samples %d: give 1 to 1000", o.Samples)
	}
	return nil
}
