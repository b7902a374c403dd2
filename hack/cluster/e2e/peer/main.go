// Command peer is what pods of the cluster's own test run: a server that tells its name, and a client.
//
//	peer serve ADDRESS        answer every request with the pod's name
//	peer get URL [WORD...]    fetch until every word was in some answer; exit code 1 when that does not come about
//	peer keys                 fetch the API server's token keys with the pod's own token
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

const account = "/var/run/secrets/kubernetes.io/serviceaccount/"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	switch {
	case len(arguments) == 2 && arguments[0] == "serve":
		return serve(arguments[1])
	case len(arguments) >= 2 && arguments[0] == "get":
		return get(arguments[1], arguments[2:])
	case len(arguments) == 1 && arguments[0] == "keys":
		return keys()
	}
	return errors.New("unknown arguments")
}

func serve(address string) error {
	server := &http.Server{Addr: address, ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) {
			name, err := os.Hostname()
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			_, _ = fmt.Fprintln(w, name)
		})}
	return server.ListenAndServe()
}

// get opens a new connection for each attempt, since kube-proxy chooses a pod by connection.
func get(url string, wanted []string) error {
	client := &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	missing := map[string]bool{}
	for _, word := range wanted {
		missing[word] = true
	}
	var last error
	for range 100 {
		body, err := fetch(context.Background(), client, url, "")
		if err != nil {
			last = err
			if len(wanted) == 0 {
				return err
			}
			continue
		}
		fmt.Print(body)
		for word := range missing {
			if strings.Contains(body, word) {
				delete(missing, word)
			}
		}
		if len(missing) == 0 {
			return nil
		}
	}
	return errors.Join(fmt.Errorf("never answered by %v", missing), last)
}

func keys() error {
	token, err := os.ReadFile(account + "token")
	if err != nil {
		return err
	}
	authority, err := os.ReadFile(account + "ca.crt")
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	config := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: config}}
	body, err := fetch(context.Background(), client, "https://kubernetes.default.svc/openid/v1/jwks", string(token))
	if err != nil {
		return err
	}
	fmt.Println(body)
	return nil
}

func fetch(ctx context.Context, client *http.Client, url, token string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return "", err
	}
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answers %s", url, answer.Status)
	}
	return string(body), nil
}
