package cmd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/ledger/file"
	"signalbox.dev/signalbox/proxy/ledger/kubernetes"
	"signalbox.dev/signalbox/proxy/ledger/migrate"
	"signalbox.dev/signalbox/proxy/ledger/valkey"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	kubernetesPlace = "kubernetes"
	filePlace       = "file:"
	valkeyPlace     = "valkey://"

	placesHelp = "Ledgers are in the cluster's ConfigMaps (kubernetes), in a directory\n" +
		"(file:DIR), or on a Valkey or Redis server (valkey://USER@HOST:PORT[,HOST:PORT...][?password=FILE][&ca=FILE][&cluster=true])."

	// maxSecretFile bounds the files of passwords and certificates.
	maxSecretFile = 1 << 20
	// placeHash is how much of the hash of an address is in a place's name.
	placeHash = 8
	// podPage is how many pods are asked for at a time.
	podPage = 500
)

// access is what a place is opened for.
type access int

const (
	reading access = iota
	writing
)

// ledgerPlace is a place that ledgers are in.
type ledgerPlace struct {
	migrate.Place
	// list returns the names of all ledgers.
	list func(context.Context) ([]string, error)
	// documents returns the names of the documents of a ledger.
	documents func(ctx context.Context, of string) ([]string, error)
	// read reads documents without changing anything.
	read func(ctx context.Context, names []string) ([]ledger.Record, error)
	// running returns which pods may use the place.
	running func(context.Context) (func(pod string) bool, error)
	close   func()
}

// whole returns all documents of a ledger in one record.
func (p *ledgerPlace) whole(ctx context.Context, of string) (ledger.Record, error) {
	names, err := p.documents(ctx, of)
	if err != nil {
		return ledger.Record{}, err
	}
	records, err := p.read(ctx, names)
	if err != nil {
		return ledger.Record{}, err
	}
	var whole ledger.Record
	for _, record := range records {
		whole.Windows = append(whole.Windows, record.Windows...)
		if record.Moved != "" {
			whole.Moved = record.Moved
		}
	}
	return whole, nil
}

// open opens the place that a text names.
func (f *ledgerFlags) open(text string, to access) (*ledgerPlace, error) {
	dir, isFile := strings.CutPrefix(text, filePlace)
	address, isValkey := strings.CutPrefix(text, valkeyPlace)
	switch {
	case text == kubernetesPlace:
		return f.openKubernetes()
	case isFile && to == reading:
		return readFiles(dir), nil
	case isFile:
		return openFiles(dir)
	case isValkey:
		return f.openValkey(address)
	default:
		return nil, errors.New("a place is kubernetes, file:DIR or valkey://USER@HOST:PORT?password=FILE")
	}
}

func (f *ledgerFlags) openKubernetes() (*ledgerPlace, error) {
	core, err := newCoreClient(f.kubeconfig)
	if err != nil {
		return nil, err
	}
	store := kubernetes.New(core, f.namespace, slog.New(slog.DiscardHandler))
	return &ledgerPlace{
		Place:     migrate.Place{Name: kubernetesPlace, Store: store},
		list:      store.Ledgers,
		documents: oneDocument,
		read:      loader(store),
		running:   func(ctx context.Context) (func(string) bool, error) { return runningPods(ctx, core.Pods(f.namespace)) },
		close:     func() {},
	}, nil
}

// runningPods lists the pods of a namespace, by UID. Pods that ended are among them: it is enough that they are gone some time.
func runningPods(ctx context.Context, pods typedcorev1.PodInterface) (func(string) bool, error) {
	uids := map[string]bool{}
	options := metav1.ListOptions{Limit: podPage}
	for {
		page, err := pods.List(ctx, options)
		if err != nil {
			return nil, fmt.Errorf("listing pods: %w", err)
		}
		for i := range page.Items {
			uids[string(page.Items[i].UID)] = true
		}
		if options.Continue = page.Continue; options.Continue == "" {
			return func(pod string) bool { return uids[pod] }, nil
		}
	}
}

// oneDocument is for places where a ledger is one document.
func oneDocument(_ context.Context, of string) ([]string, error) {
	return []string{of}, nil
}

// loader reads documents one after the other.
func loader(store migrate.Store) func(context.Context, []string) ([]ledger.Record, error) {
	return func(ctx context.Context, names []string) ([]ledger.Record, error) {
		records := make([]ledger.Record, len(names))
		for i, name := range names {
			stored, err := store.Load(ctx, name)
			if err != nil {
				return nil, err
			}
			records[i] = stored.Record
		}
		return records, nil
	}
}

// readFiles reads a directory that a process may be using.
func readFiles(dir string) *ledgerPlace {
	return &ledgerPlace{
		list:      func(context.Context) ([]string, error) { return file.Ledgers(dir) },
		documents: oneDocument,
		read: func(_ context.Context, names []string) ([]ledger.Record, error) {
			records := make([]ledger.Record, len(names))
			for i, name := range names {
				var err error
				if records[i], err = file.Read(dir, name); err != nil {
					return nil, err
				}
			}
			return records, nil
		},
		close: func() {},
	}
}

// openFiles takes a directory, so no process uses it: none of its owners is left.
func openFiles(dir string) (*ledgerPlace, error) {
	whole, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("finding the ledger directory: %w", err)
	}
	store, err := file.Open(dir)
	if errors.Is(err, file.ErrInUse) {
		return nil, fmt.Errorf("%w: stop it first", err)
	}
	if err != nil {
		return nil, err
	}
	return &ledgerPlace{
		Place:     migrate.Place{Name: "file-" + shortHash(whole), Store: store},
		list:      func(context.Context) ([]string, error) { return file.Ledgers(dir) },
		documents: oneDocument,
		read:      loader(store),
		running:   func(context.Context) (func(string) bool, error) { return func(string) bool { return false }, nil },
		close:     func() { _ = store.Close() },
	}, nil
}

func (f *ledgerFlags) openValkey(text string) (*ledgerPlace, error) {
	options, err := valkeyOptions(text)
	if err != nil {
		return nil, err
	}
	options.Prefix = valkey.Prefix(f.namespace)
	store, err := valkey.New(options, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	addresses := slices.Sorted(slices.Values(options.Addresses))
	return &ledgerPlace{
		Place:     migrate.Place{Name: "valkey-" + shortHash(strings.Join(addresses, ",")), Store: store, Subjects: store},
		list:      store.Ledgers,
		documents: store.List,
		read: func(ctx context.Context, names []string) ([]ledger.Record, error) {
			stored, err := store.Peek(ctx, names...)
			if err != nil {
				return nil, err
			}
			records := make([]ledger.Record, len(stored))
			for i := range stored {
				records[i] = stored[i].Record
			}
			return records, nil
		},
		running: func(ctx context.Context) (func(string) bool, error) {
			core, err := newCoreClient(f.kubeconfig)
			if err != nil {
				return nil, err
			}
			return runningPods(ctx, core.Pods(f.namespace))
		},
		close: func() { _ = store.Close() },
	}, nil
}

// valkeyOptions reads USER@HOST:PORT[,HOST:PORT...][?password=FILE][&ca=FILE][&cluster=true]. Errors do not repeat it: it may hold a password.
func valkeyOptions(text string) (table.Valkey, error) {
	server, query, _ := strings.Cut(text, "?")
	user, hosts, named := strings.Cut(server, "@")
	if !named {
		user, hosts = "default", server
	}
	if strings.Contains(user, ":") {
		return table.Valkey{}, errors.New("a password does not belong into a URL, where others can see it: put it into a file and say password=FILE")
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return table.Valkey{}, errors.New("what follows the ? of the valkey URL cannot be read")
	}
	options := table.Valkey{Addresses: strings.Split(strings.TrimSuffix(hosts, "/"), ","), Username: user}
	for name := range values {
		switch value := values.Get(name); name {
		case "password":
			password, err := readSecretFile(value)
			if err != nil {
				return table.Valkey{}, err
			}
			options.Password = strings.TrimRight(string(password), "\r\n")
		case "ca":
			if options.CAPEM, err = readSecretFile(value); err != nil {
				return table.Valkey{}, err
			}
		case "cluster":
			options.Cluster = value == "true"
		default:
			return table.Valkey{}, fmt.Errorf("the valkey URL has %q; it takes password, ca and cluster", name)
		}
	}
	return options, nil
}

func readSecretFile(name string) ([]byte, error) {
	opened, err := os.Open(filepath.Clean(name))
	if err != nil {
		return nil, err
	}
	defer func() { _ = opened.Close() }()
	content, err := io.ReadAll(io.LimitReader(opened, maxSecretFile))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return content, nil
}

// shortHash tells addresses apart in names.
func shortHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:placeHash])
}
