package stores

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalbox.dev/signalbox/controllers/platform"
)

// TestPostgresDirectoryTellsNoSecrets: whatever is wrong with the file or the server, the error names it and holds no password.
func TestPostgresDirectoryTellsNoSecrets(t *testing.T) {
	cases := map[string]struct{ url, want string }{
		"nothing listens": {"postgres://admin:hunter2@127.0.0.1:1/usage?sslmode=disable&connect_timeout=1", "connecting to the database"},
		"no URL":          {"hunter2", "URL"},
		"no database":     {"postgres://admin:hunter2@db", "URL"},
		"no file":         {"", "usage.postgres.urlFile"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "url")
			if tc.url != "" {
				if err := os.WriteFile(path, []byte(tc.url), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			roles := &Postgres{Database: &platform.Postgres{URLFile: path, PartitionsAhead: 1}}
			for call, do := range map[string]func(context.Context) error{
				"Ensure":     func(ctx context.Context) error { return roles.Ensure(ctx, "team-a", onePassword) },
				"Remove":     func(ctx context.Context) error { return roles.Remove(ctx, "team-a") },
				"Namespaces": func(ctx context.Context) error { _, err := roles.Namespaces(ctx); return err },
				"Maintain":   func(ctx context.Context) error { _, err := roles.Maintain(ctx); return err },
			} {
				err := do(t.Context())
				if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), onePassword) {
					t.Errorf("%s: got %v, want %q", call, err, tc.want)
				}
			}
		})
	}
}
