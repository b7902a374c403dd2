package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// nginxConfig is nginx as plain reverse proxy: one worker, upstream connections kept, streams unbuffered, nothing logged.
const nginxConfig = `daemon off;
worker_processes 1;
worker_rlimit_nofile 16384;
pid DIR/nginx.pid;
error_log DIR/nginx-error.log;
USER
events { worker_connections 8192; }
http {
  access_log off;
  client_body_temp_path DIR/body;
  proxy_temp_path DIR/proxy;
  fastcgi_temp_path DIR/fastcgi;
  uwsgi_temp_path DIR/uwsgi;
  scgi_temp_path DIR/scgi;
  keepalive_requests 1000000000;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_read_timeout 1h;
  upstream model { server UPSTREAM; keepalive 2048; keepalive_requests 1000000000; }
  server { listen PLAIN; location / { proxy_pass http://model; } }
  server { listen STREAM; location / { proxy_buffering off; proxy_pass http://model; } }
}
`

// renderNginx fills the configuration in. As root the worker has to stay root, for the directory is root's.
func renderNginx(dir, upstream, plain, stream string, uid int) string {
	user := ""
	if uid == 0 {
		user = "user root;"
	}
	return strings.NewReplacer("DIR", dir, "UPSTREAM", upstream, "PLAIN", plain, "STREAM", stream, "USER", user).Replace(nginxConfig)
}

// StartNginx starts nginx in front of the upstream. Addresses are those of the target; dir is for its files.
func (t *Target) StartNginx(dir, upstream string, cpu int) error {
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, []byte(renderNginx(dir, upstream, t.PlainAddr, t.StreamAddr, os.Getuid())), 0o600); err != nil {
		return fmt.Errorf("writing nginx's configuration: %w", err)
	}
	program, err := nginxProgram()
	if err != nil {
		return err
	}
	return t.Start(Command{Args: []string{program, "-p", dir, "-e", filepath.Join(dir, "nginx-error.log"), "-c", config}, CPU: cpu, Log: filepath.Join(dir, "nginx.log")})
}

// nginxProgram finds nginx, which Debian keeps in a directory that is not in every user's path.
func nginxProgram() (string, error) {
	for _, name := range []string{"nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("nginx is not installed")
}

// NginxVersion is what nginx calls itself, installing it first where it is missing and can be installed.
func NginxVersion(ctx context.Context, say func(string)) (string, error) {
	program, err := nginxProgram()
	if err != nil {
		if err := installNginx(ctx, say); err != nil {
			return "", err
		}
		if program, err = nginxProgram(); err != nil {
			return "", err
		}
	}
	output, err := exec.CommandContext(ctx, program, "-v").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("asking nginx for its version: %w", err)
	}
	_, version, _ := bytes.Cut(bytes.TrimSpace(output), []byte("nginx version: "))
	return string(version), nil
}

// installNginx installs the Debian package, which only root can.
func installNginx(ctx context.Context, say func(string)) error {
	if _, err := exec.LookPath("apt-get"); err != nil || os.Getuid() != 0 {
		return errors.New("the benchmark compares with nginx: install it (Debian: apt-get install nginx-light), or run as root on Debian")
	}
	say("installing the Debian package nginx-light")
	install := exec.CommandContext(ctx, "apt-get", "install", "-y", "--no-install-recommends", "nginx-light")
	install.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	install.Stdout, install.Stderr = os.Stderr, os.Stderr
	if err := install.Run(); err != nil {
		return fmt.Errorf("installing nginx: %w", err)
	}
	return nil
}
