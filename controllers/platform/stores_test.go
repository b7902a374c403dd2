package platform_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/controllers/platform"
)

const image = "proxy: {image: a}\n"

func TestStoresHaveDefaults(t *testing.T) {
	type summary struct {
		Store                           platform.LedgerStore
		UsesValkey                      bool
		Cluster                         platform.State
		User                            string
		Full                            platform.WhenFull
		Journal                         int64
		Retention                       time.Duration
		Ahead                           int32
		HasPostgres, HasOTLP, HasValkey bool
	}
	read := func(config *platform.Config) summary {
		got := summary{
			Store: config.Ledger.Store, UsesValkey: config.Ledger.UsesValkey(), Full: config.Usage.WhenFull, Journal: config.Usage.JournalSize.Value(),
			HasPostgres: config.Usage.Postgres != nil, HasOTLP: config.Usage.OTLP != nil, HasValkey: config.Ledger.Valkey != nil,
		}
		if valkey := config.Ledger.Valkey; valkey != nil {
			got.Cluster, got.User = valkey.Cluster, valkey.Username
		}
		if postgres := config.Usage.Postgres; postgres != nil {
			got.Retention, got.Ahead = postgres.Retention.Duration, postgres.PartitionsAhead
		}
		return got
	}
	cases := map[string]struct {
		yaml string
		want summary
	}{
		"nothing": {"", summary{Store: platform.StoreKubernetes, Full: platform.DropOldest, Journal: 256 << 20}},
		"the least of both": {
			"ledger: {store: Valkey, valkey: {addresses: ['v:6379']}}\nusage: {postgres: {urlFile: /x}, otlp: {endpoint: 'http://c:4318/v1/logs'}}",
			summary{
				Store: platform.StoreValkey, UsesValkey: true, HasValkey: true, Cluster: platform.Disabled, User: "default", Full: platform.DropOldest,
				Journal: 256 << 20, HasPostgres: true, HasOTLP: true, Retention: 400 * 24 * time.Hour, Ahead: 3,
			},
		},
		"everything": {
			"ledger: {store: Valkey, valkey: {addresses: ['a:1', 'b:2'], cluster: Enabled, username: root}}\n" +
				"usage: {postgres: {urlFile: /x, retention: 48h, partitionsAhead: 12}, whenFull: Refuse, journalSize: 1Gi}",
			summary{
				Store: platform.StoreValkey, UsesValkey: true, HasValkey: true, Cluster: platform.Enabled, User: "root", Full: platform.Refuse,
				Journal: 1 << 30, HasPostgres: true, Retention: 48 * time.Hour, Ahead: 12,
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, read(parse(t, image+tc.yaml))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestStoresNameTheFieldThatIsWrong(t *testing.T) {
	valkey := func(fields string) string { return "ledger: {store: Valkey, valkey: {" + fields + "}}" }
	postgres := func(fields string) string { return "usage: {postgres: {" + fields + "}}" }
	cases := map[string]struct{ yaml, want string }{
		"another store":         {"ledger: {store: Disk}", "ledger.store: Unsupported"},
		"no server":             {"ledger: {store: Valkey}", "ledger.valkey: Required"},
		"a server too much":     {"ledger: {valkey: {addresses: ['a:1']}}", "ledger.valkey: Forbidden"},
		"an unknown field":      {valkey("address: 'a:1'"), `unknown field "ledger.valkey.address"`},
		"a password in clear":   {valkey("addresses: ['a:1'], password: x"), `unknown field "ledger.valkey.password"`},
		"no address":            {valkey("addresses: []"), "ledger.valkey.addresses: Required"},
		"too many addresses":    {valkey("cluster: Enabled, addresses: [" + strings.Repeat("'a:1',", 33) + "]"), "ledger.valkey.addresses: Too many"},
		"a host without a port": {valkey("addresses: [valkey]"), "ledger.valkey.addresses[0]: Invalid"},
		"a port without a host": {valkey("addresses: [':6379']"), "ledger.valkey.addresses[0]: Invalid"},
		"a port of zero":        {valkey("addresses: ['a:0']"), "ledger.valkey.addresses[0]: Invalid"},
		"a port by name":        {valkey("addresses: ['a:redis']"), "ledger.valkey.addresses[0]: Invalid"},
		"an address twice":      {valkey("cluster: Enabled, addresses: ['a:1', 'a:1']"), "ledger.valkey.addresses[1]: Duplicate"},
		"two without a cluster": {valkey("addresses: ['a:1', 'b:1']"), "ledger.valkey.addresses: Invalid"},
		"a cluster by true":     {valkey("addresses: ['a:1'], cluster: 'On'"), "ledger.valkey.cluster: Unsupported"},
		"a long name":           {valkey("addresses: ['a:1'], username: " + strings.Repeat("u", 129)), "ledger.valkey.username: Too long"},
		"no database":           {postgres(""), "usage.postgres.urlFile: Required"},
		"a URL in clear":        {postgres("urlFile: /x, url: y"), `unknown field "usage.postgres.url"`},
		"a short retention":     {postgres("urlFile: /x, retention: 1h"), "usage.postgres.retention: Invalid"},
		"an endless retention":  {postgres("urlFile: /x, retention: 90000h"), "usage.postgres.retention: Invalid"},
		"far ahead":             {postgres("urlFile: /x, partitionsAhead: 25"), "usage.postgres.partitionsAhead: Invalid"},
		"behind":                {postgres("urlFile: /x, partitionsAhead: -1"), "usage.postgres.partitionsAhead: Invalid"},
		"no endpoint":           {"usage: {otlp: {endpoint: ''}}", "usage.otlp.endpoint: Invalid"},
		"an endpoint by gRPC":   {"usage: {otlp: {endpoint: 'grpc://c:4317'}}", "usage.otlp.endpoint: Invalid"},
		"an endpoint's user":    {"usage: {otlp: {endpoint: 'http://u:hunter2@c/'}}", "usage.otlp.endpoint: Invalid"},
		"when full":             {"usage: {whenFull: Panic}", "usage.whenFull: Unsupported"},
		"a tiny journal":        {"usage: {journalSize: 1Mi}", "usage.journalSize: Invalid"},
		"a huge journal":        {"usage: {journalSize: 1Ti}", "usage.journalSize: Invalid"},
		"several at one time":   {"ledger: {store: Disk}\nusage: {whenFull: Panic, journalSize: 1}", "usage.journalSize: Invalid"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := platform.Parse([]byte(image + tc.yaml))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error holds a password: %v", err)
			}
		})
	}
}

// TestLoadLooksForFiles: a file that is missing, empty or absurd is told when the manager starts, by the field that names it.
func TestLoadLooksForFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, missing := write("good", []byte("secret\n")), filepath.Join(dir, "missing")
	const issuer = "tokens: {issuers: [{name: corp, url: 'https://login.example.com', audience: llm, caFile: "
	empty, large := write("empty", nil), write("large", make([]byte, 1<<20+1))
	cases := map[string]struct{ yaml, want string }{
		"all there": {
			"ledger: {store: Valkey, valkey: {addresses: ['a:1'], passwordFile: " + good + ", caFile: " + good + "}}\n" +
				"usage: {postgres: {urlFile: " + good + ", caFile: " + good + "}}", "",
		},
		"no password":    {"ledger: {store: Valkey, valkey: {addresses: ['a:1'], passwordFile: " + missing + "}}", "ledger.valkey.passwordFile: Invalid"},
		"no authorities": {"ledger: {store: Valkey, valkey: {addresses: ['a:1'], caFile: " + missing + "}}", "ledger.valkey.caFile: Invalid"},
		"no URL":         {"usage: {postgres: {urlFile: " + missing + "}}", "usage.postgres.urlFile: Invalid"},
		"an empty URL":   {"usage: {postgres: {urlFile: " + empty + "}}", "usage.postgres.urlFile: Invalid"},
		"a folder":       {"usage: {postgres: {urlFile: " + dir + "}}", "usage.postgres.urlFile: Invalid"},
		"endless":        {"usage: {postgres: {urlFile: " + large + "}}", "usage.postgres.urlFile: Invalid"},
		"their authorities": {
			"usage: {postgres: {urlFile: " + good + ", caFile: " + missing + "}}", "usage.postgres.caFile: Invalid",
		},
		"those of an issuer":    {issuer + good + "}]}", ""},
		"none of an issuer":     {issuer + missing + "}]}", "tokens.issuers[0].caFile: Invalid"},
		"an issuer's are empty": {issuer + empty + "}]}", "tokens.issuers[0].caFile: Invalid"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := platform.Load(write("config.yaml", []byte(image+tc.yaml)))
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// TestFilesAreReadAnew: a Secret that is replaced counts without a restart, and a newline at the end is an editor's.
func TestFilesAreReadAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	server := &platform.Valkey{PasswordFile: path}
	for _, want := range []string{"first", "second"} {
		if err := os.WriteFile(path, []byte(want+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := server.Password(); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	without := &platform.Valkey{}
	if got, err := without.Password(); err != nil || got != "" {
		t.Errorf("without a file: %q, %v", got, err)
	}
}

// TestMountedFilesAreRead: a kubelet mounts a Secret's data behind links.
func TestMountedFilesAreRead(t *testing.T) {
	mounted := filepath.Join(t.TempDir(), "mount")
	if err := os.MkdirAll(filepath.Join(mounted, "..2026_11_23"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(mounted, "..2026_11_23", "password"), []byte("linked"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"..data": "..2026_11_23", "password": "..data/password"} {
		if err := os.Symlink(to, filepath.Join(mounted, link)); err != nil {
			t.Fatal(err)
		}
	}
	linked := &platform.Valkey{PasswordFile: filepath.Join(mounted, "password")}
	if got, err := linked.Password(); err != nil || got != "linked" {
		t.Errorf("as a kubelet mounts it: %q, %v", got, err)
	}
}
