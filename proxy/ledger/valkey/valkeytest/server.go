// Package valkeytest starts a real Valkey or Redis server for tests.
package valkeytest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// Password is the password of the default user.
const Password = "the-administrator-of-a-test"

// startTimeout bounds the wait for a server to answer.
const startTimeout = 60 * time.Second

// Server is a server on a port of the loopback, with its data in a directory of its own. It forces each write to the disk before it answers.
type Server struct {
	t       testing.TB
	binary  string
	dir     string
	args    []string
	port    string
	process *exec.Cmd
}

// Start starts a server until the test ends. The arguments are settings beside the usual ones, as "--name", "value". The test fails when no server is installed.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	s := &Server{t: t, binary: find(t), dir: t.TempDir(), args: args}
	users := "user default on >" + Password + " ~* &* +@all\n"
	if err := os.WriteFile(filepath.Join(s.dir, "users.acl"), []byte(users), 0o600); err != nil {
		t.Fatal(err)
	}
	s.port = FreePort(t)
	s.Restart()
	t.Cleanup(s.Kill)
	return s
}

func find(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"valkey-server", "redis-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("neither valkey-server nor redis-server is installed; Debian's package is redis-server, and `make ci-packages` installs it")
	return ""
}

// FreePort returns a port of the loopback that nothing listens on.
func FreePort(t testing.TB) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Addr returns host:port.
func (s *Server) Addr() string {
	return net.JoinHostPort("127.0.0.1", s.port)
}

// Dir returns the directory of the data.
func (s *Server) Dir() string {
	return s.dir
}

// Restart starts the server again, after Kill, with what is in its directory, and waits until it answers.
func (s *Server) Restart() {
	s.t.Helper()
	args := slices.Concat([]string{
		"--bind", "127.0.0.1", "--port", s.port, "--dir", s.dir, "--aclfile", filepath.Join(s.dir, "users.acl"),
		"--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction", "--logfile", filepath.Join(s.dir, "log"),
	}, s.args)
	s.process = &exec.Cmd{Path: s.binary, Args: append([]string{s.binary}, args...)}
	if err := s.process.Start(); err != nil {
		s.t.Fatalf("starting %s: %v", s.binary, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !s.answers(ctx) {
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			s.t.Fatalf("%s does not answer; its log:\n%s", s.binary, log)
		case <-tick.C:
		}
	}
}

// answers tells whether the server has loaded its data.
func (s *Server) answers(ctx context.Context) bool {
	connection, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", s.Addr())
	if err != nil {
		return false
	}
	defer func() { _ = connection.Close() }()
	if err := connection.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return false
	}
	if _, err := fmt.Fprintf(connection, "*3\r\n$4\r\nAUTH\r\n$7\r\ndefault\r\n$%d\r\n%s\r\n*1\r\n$4\r\nPING\r\n", len(Password), Password); err != nil {
		return false
	}
	want := []byte("+OK\r\n+PONG\r\n")
	got := make([]byte, len(want))
	_, err = io.ReadFull(connection, got)
	return err == nil && bytes.Equal(got, want)
}

// Kill ends the server without a chance to write anything, as kill -9 does. It does nothing when the server is not running.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	if err := s.process.Process.Signal(syscall.SIGKILL); err == nil {
		_ = s.process.Wait()
	}
	s.process = nil
}
