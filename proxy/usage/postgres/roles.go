package postgres

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
)

// maxRoleName is how long PostgreSQL's names are at most, in bytes.
const maxRoleName = 63

// namespaceName matches the names of namespaces.
var namespaceName = regexp.MustCompile(`\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\z`)

// RoleName is the role of a namespace's proxies. Roles belong to the whole server, so the name of the database is a part of it: two clusters that share a server
// have a database each.
func RoleName(database, namespace string) string {
	name := "signalbox_" + database + "_" + namespace
	if len(name) <= maxRoleName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	digest := hex.EncodeToString(sum[:12])
	return strings.ToValidUTF8(name[:maxRoleName-len(digest)-1], "") + "_" + digest
}

// EnsureRole makes the role of a namespace's proxies, or gives it another password. The role can insert records of its namespace and read nothing. Nothing is
// written when all is as it should be.
func (a *Admin) EnsureRole(ctx context.Context, namespace, password string) error {
	if !namespaceName.MatchString(namespace) || password == "" {
		return errors.New("making the database role of a namespace: it needs the name of a namespace and a password")
	}
	role := RoleName(a.config.Database, namespace)
	err := a.change(ctx, func(tx pgx.Tx) error {
		proof := proofOf(role, password)
		var done bool
		err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM signalbox.namespaces n JOIN pg_roles r ON r.rolname = n.role WHERE n.namespace = $1 AND n.role = $2 AND n.proof = $3)`,
			namespace, role, proof).Scan(&done)
		if err != nil || done {
			return err
		}
		verifier, err := scramVerifier(password)
		if err != nil {
			return err
		}
		return makeRole(ctx, tx, access{namespace: namespace, role: role, verifier: verifier, proof: proof})
	})
	if err != nil {
		return fmt.Errorf("making the database role of namespace %s: %w", namespace, err)
	}
	return nil
}

// access is a role and its password's verifier and proof.
type access struct{ namespace, role, verifier, proof string }

func makeRole(ctx context.Context, tx pgx.Tx, of access) error {
	var exists, temporary, connect bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, of.role).Scan(&exists); err != nil {
		return err
	}
	name := pgx.Identifier{of.role}.Sanitize()
	if !exists {
		if _, err := tx.Exec(ctx, `CREATE ROLE `+name); err != nil {
			return err
		}
	}
	if err := tx.QueryRow(ctx, `SELECT has_database_privilege($1, current_database(), 'TEMPORARY'), has_database_privilege($1, current_database(), 'CONNECT')`, of.role).Scan(&temporary, &connect); err != nil {
		return err
	}
	statements := []string{
		// The verifier is of base64 and digits. The password itself is in no statement, so in no log of the server.
		`ALTER ROLE ` + name + ` LOGIN NOINHERIT NOCREATEDB NOCREATEROLE PASSWORD '` + of.verifier + `'`,
		`GRANT USAGE ON SCHEMA signalbox TO ` + name,
		`GRANT INSERT ON signalbox.usage TO ` + name,
		`DROP POLICY IF EXISTS ` + name + ` ON signalbox.usage`,
		`CREATE POLICY ` + name + ` ON signalbox.usage FOR INSERT TO ` + name + ` WITH CHECK (namespace = '` + of.namespace + `')`,
		`INSERT INTO signalbox.namespaces VALUES ('` + of.namespace + `', '` + strings.ReplaceAll(of.role, "'", "''") + `', '` + of.proof +
			`') ON CONFLICT (namespace) DO UPDATE SET role = excluded.role, proof = excluded.proof`,
	}
	if !temporary || !connect {
		statements = append(statements, `GRANT CONNECT, TEMPORARY ON DATABASE `+pgx.Identifier{tx.Conn().Config().Database}.Sanitize()+` TO `+name)
	}
	return execute(ctx, tx, statements)
}

func execute(ctx context.Context, tx pgx.Tx, statements []string) error {
	for _, statement := range statements {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// RemoveRole removes the role of a namespace. Its records stay.
func (a *Admin) RemoveRole(ctx context.Context, namespace string) error {
	role := RoleName(a.config.Database, namespace)
	err := a.change(ctx, func(tx pgx.Tx) error {
		var exists bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, role).Scan(&exists); err != nil {
			return err
		}
		name := pgx.Identifier{role}.Sanitize()
		if exists {
			err := execute(ctx, tx, []string{
				`DROP POLICY IF EXISTS ` + name + ` ON signalbox.usage`,
				`REVOKE ALL ON signalbox.usage FROM ` + name,
				`REVOKE ALL ON SCHEMA signalbox FROM ` + name,
				`REVOKE ALL ON DATABASE ` + pgx.Identifier{a.config.Database}.Sanitize() + ` FROM ` + name,
				`DROP ROLE ` + name,
			})
			if err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `DELETE FROM signalbox.namespaces WHERE namespace = $1`, namespace)
		return err
	})
	if err != nil {
		return fmt.Errorf("removing the database role of namespace %s: %w", namespace, err)
	}
	return nil
}

// Namespaces lists those that have a role.
func (a *Admin) Namespaces(ctx context.Context) ([]string, error) {
	var namespaces []string
	err := a.change(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT namespace FROM signalbox.namespaces ORDER BY namespace`)
		if err != nil {
			return err
		}
		namespaces, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing the database roles of namespaces: %w", err)
	}
	return namespaces, nil
}

// proofOf tells a password that the role has from another one. Passwords are random and long, so a plain hash gives nothing away.
func proofOf(role, password string) string {
	sum := sha256.Sum256([]byte(role + "\x00" + password))
	return hex.EncodeToString(sum[:])
}

const (
	scramIterations = 4096
	scramSalt       = 16
)

// scramVerifier is the form in which PostgreSQL keeps a password, as RFC 5803 defines it.
func scramVerifier(password string) (string, error) {
	salt := make([]byte, scramSalt)
	// It never fails.
	_, _ = rand.Read(salt)
	salted, err := pbkdf2.Key(sha256.New, password, salt, scramIterations, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("deriving a password's verifier: %w", err)
	}
	stored := sha256.Sum256(mac(salted, "Client Key"))
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", scramIterations, encode(salt), encode(stored[:]), encode(mac(salted, "Server Key"))), nil
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	// A hash takes anything.
	_, _ = h.Write([]byte(text))
	return h.Sum(nil)
}
