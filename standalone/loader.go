package standalone

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/manifest"
	"signalbox.dev/signalbox/manifest/lint"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/table"
)

// DefaultNamespace is where objects go that name no namespace.
const DefaultNamespace = "default"

// saltBytes is the length of an access-key salt.
const saltBytes = 32

// Loopback returns the addresses that are closed to the endpoints of a cluster and open to those of a laptop.
func Loopback() []string { return []string{"127.0.0.0/8", "::1/128"} }

// Options say what to load.
type Options struct {
	// Paths of files and directories; "-" is Stdin.
	Paths []string
	// Namespace to serve. When it is empty the objects must be of one namespace.
	Namespace string
	// Stdin is read once.
	Stdin io.Reader
	// Findings gets what is wrong with the manifests, and what became of them after a change.
	Findings io.Writer
	// Now tells the time, from which the overlap of a replaced key counts.
	Now func() time.Time
}

// Loader makes the table of one namespace from files. It is used by one goroutine at a time.
type Loader struct {
	options Options
	salt    []byte
	stdin   []byte
	// seen is the hash of what was read last.
	seen [sha256.Size]byte
	// namespace is that of the first table; it stays.
	namespace string
	// complaint is what was said last about files that cannot be used.
	complaint string
	set       *manifest.Set
	current   *table.Table
	// next is when the table is to be made anew though no file changed; zero for never.
	next time.Time
}

// ErrRefused is the error for manifests that have errors; those were printed.
var ErrRefused = errors.New("the manifests have errors")

// New reads the files and makes the first table. What is wrong with them is printed; the error is ErrRefused when the API server would refuse them.
func New(ctx context.Context, options Options) (*Loader, error) {
	salt := make([]byte, saltBytes)
	if _, err := rand.Read(salt); err != nil {
		return nil, fmt.Errorf("making a salt: %w", err)
	}
	l := &Loader{options: options, salt: salt, namespace: options.Namespace}
	if slices.Contains(options.Paths, manifest.Stdin) {
		stdin, err := io.ReadAll(io.LimitReader(options.Stdin, manifest.MaxFileBytes+1))
		if err != nil {
			return nil, fmt.Errorf("reading standard input: %w", err)
		}
		l.stdin = stdin
	}
	if _, err := l.load(ctx); err != nil {
		return nil, err
	}
	return l, nil
}

// Table returns the table in force.
func (l *Loader) Table() *table.Table { return l.current }

// load reads the files and, if anything changed, makes the table anew. It tells whether there is a new one. On an error the one in force stays.
func (l *Loader) load(ctx context.Context) (bool, error) {
	sources, err := manifest.Open(l.options.Paths, strings.NewReader(string(l.stdin)))
	if err != nil {
		return false, err
	}
	sum, now := digest(sources), l.options.Now()
	if sum == l.seen && (l.next.IsZero() || now.Before(l.next)) {
		return false, nil
	}
	l.seen, l.next = sum, time.Time{}
	// The schemas and their compiled rules are megabytes that nobody needs until the next change; what they leave behind is given back at once.
	defer debug.FreeOSMemory()
	reader, err := manifest.NewReader()
	if err != nil {
		return false, err
	}
	set, problems := reader.Read(ctx, sources, l.defaultNamespace())
	if manifest.Count(problems, manifest.Error) > 0 {
		return false, errors.Join(l.print(problems), ErrRefused)
	}
	namespace, err := l.choose(set)
	if err != nil {
		return false, err
	}
	in := set.Input(namespace)
	in.Endpoints = table.EndpointRules{AllowCIDRs: Loopback()}
	in.Previous = l.current
	in.Now = now
	in.Fresh.AccessKeySalt = l.salt
	result := compile.Compile(in)
	problems = append(problems, lint.Findings(set, namespace, result.Report)...)
	manifest.Sort(problems)
	fresh := l.current == nil || l.current.Revision != result.Table.Revision
	l.namespace, l.set, l.current, l.complaint, l.next = namespace, set, &result.Table, "", result.Next
	return fresh, l.print(problems)
}

// defaultNamespace is where objects go that name none.
func (l *Loader) defaultNamespace() string {
	if l.namespace != "" {
		return l.namespace
	}
	return DefaultNamespace
}

func (l *Loader) choose(set *manifest.Set) (string, error) {
	names := set.Names()
	switch {
	case len(names) == 0:
		return "", errors.New("the files declare no object that Signalbox reads")
	case l.namespace != "" && !slices.Contains(names, l.namespace):
		return "", fmt.Errorf("the files declare nothing in namespace %s, only in %s", l.namespace, strings.Join(names, ", "))
	case l.namespace != "":
		return l.namespace, nil
	case len(names) > 1:
		return "", fmt.Errorf("the files declare objects in the namespaces %s; choose one with --namespace", strings.Join(names, ", "))
	default:
		return names[0], nil
	}
}

func (l *Loader) print(problems []manifest.Problem) error {
	for i := range problems {
		if _, err := fmt.Fprintln(l.options.Findings, problems[i].String()); err != nil {
			return fmt.Errorf("printing findings: %w", err)
		}
	}
	return nil
}

// digest is the hash of what was read and from where.
func digest(sources []manifest.Source) [sha256.Size]byte {
	var all []byte
	for _, source := range sources {
		sum := sha256.Sum256(source.Content)
		all = fmt.Appendf(all, "%q %x\n", source.Name, sum)
	}
	return sha256.Sum256(all)
}
