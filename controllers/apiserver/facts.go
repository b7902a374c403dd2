// Package apiserver learns from the API server what routing tables need to know of it: who signs ServiceAccount tokens, with which keys, and at which
// addresses the API server itself is, for these are closed to providers.
package apiserver

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	configurationPath = "/.well-known/openid-configuration"
	keysPath          = "/openid/v1/jwks"
	versionsPath      = "/api"
)

// Facts are what is known of the API server.
type Facts struct {
	// Issuer is the "iss" of the cluster's ServiceAccount tokens; empty while it is not known.
	Issuer string
	// JWKS is the issuer's JSON Web Key Set.
	JWKS []byte
	// Addresses of the API server, "addr" or "addr:port", sorted.
	Addresses []string
}

// equal compares two states of knowledge.
func (f Facts) equal(other Facts) bool {
	return f.Issuer == other.Issuer && string(f.JWKS) == string(other.JWKS) && slices.Equal(f.Addresses, other.Addresses)
}

// Asker asks the API server.
type Asker struct {
	// REST reaches paths that are no resources.
	REST rest.Interface
	// Live reads Services and EndpointSlices past any cache.
	Live client.Reader
	// Host is the address in the client's configuration.
	Host string
}

// issuer asks who signs tokens, and with which keys.
func (a Asker) issuer(ctx context.Context) (string, []byte, error) {
	plain, err := a.REST.Get().AbsPath(configurationPath).DoRaw(ctx)
	if err != nil {
		return "", nil, fmt.Errorf("reading the issuer of ServiceAccount tokens: %w", err)
	}
	var configuration struct {
		Issuer string `json:"issuer"`
	}
	if err := json.Unmarshal(plain, &configuration); err != nil {
		return "", nil, fmt.Errorf("reading the issuer of ServiceAccount tokens: %w", err)
	}
	keys, err := a.REST.Get().AbsPath(keysPath).DoRaw(ctx)
	if err != nil {
		return "", nil, fmt.Errorf("reading the keys of ServiceAccount tokens: %w", err)
	}
	if !json.Valid(keys) {
		return "", nil, fmt.Errorf("reading the keys of ServiceAccount tokens: %d bytes that are not JSON", len(keys))
	}
	return configuration.Issuer, keys, nil
}

// addresses collects where the API server is, from all that may tell. The Service and its EndpointSlices cannot be read where the manager has Roles in
// some namespaces only; the other sources then have to do.
func (a Asker) addresses(ctx context.Context) ([]string, error) {
	found := map[string]bool{}
	addHost(found, a.Host)
	if host := os.Getenv("KUBERNETES_SERVICE_HOST"); host != "" {
		addAddr(found, host)
	}
	if err := a.addAdvertised(ctx, found); err != nil {
		return nil, err
	}
	if err := a.addService(ctx, found); err != nil && !apierrors.IsForbidden(err) && !apierrors.IsNotFound(err) {
		return nil, err
	}
	addresses := make([]string, 0, len(found))
	for address := range found {
		addresses = append(addresses, address)
	}
	slices.Sort(addresses)
	return addresses, nil
}

// addAdvertised adds the addresses that the API server gives to its clients.
func (a Asker) addAdvertised(ctx context.Context, found map[string]bool) error {
	var versions metav1.APIVersions
	plain, err := a.REST.Get().AbsPath(versionsPath).DoRaw(ctx)
	if err != nil {
		return fmt.Errorf("reading the API server's addresses: %w", err)
	}
	if err := json.Unmarshal(plain, &versions); err != nil {
		return fmt.Errorf("reading the API server's addresses: %w", err)
	}
	for _, server := range versions.ServerAddressByClientCIDRs {
		addHostPort(found, server.ServerAddress)
	}
	return nil
}

// addService adds the addresses of the Service kubernetes and of what is behind it.
func (a Asker) addService(ctx context.Context, found map[string]bool) error {
	var service corev1.Service
	name := types.NamespacedName{Namespace: metav1.NamespaceDefault, Name: "kubernetes"}
	if err := a.Live.Get(ctx, name, &service); err != nil {
		return fmt.Errorf("reading Service %s: %w", name, err)
	}
	for _, address := range service.Spec.ClusterIPs {
		addAddr(found, address)
	}
	var list discoveryv1.EndpointSliceList
	selector := client.MatchingLabels{discoveryv1.LabelServiceName: name.Name}
	if err := a.Live.List(ctx, &list, client.InNamespace(name.Namespace), selector); err != nil {
		return fmt.Errorf("listing EndpointSlices of %s: %w", name, err)
	}
	for _, slice := range list.Items {
		addEndpoints(found, slice)
	}
	return nil
}

func addEndpoints(found map[string]bool, slice discoveryv1.EndpointSlice) {
	for _, endpoint := range slice.Endpoints {
		for _, address := range endpoint.Addresses {
			for _, port := range slice.Ports {
				if port.Port != nil {
					addHostPort(found, net.JoinHostPort(address, strconv.Itoa(int(*port.Port))))
				}
			}
		}
	}
}

// addHost adds the address of a client's configuration, which may be a URL or a host with port; names are left to the check after resolution.
func addHost(found map[string]bool, host string) {
	if parsed, err := url.Parse(host); err == nil && parsed.Host != "" {
		host = parsed.Host
		if parsed.Port() == "" && parsed.Scheme == "https" {
			host = net.JoinHostPort(parsed.Hostname(), "443")
		}
	}
	addHostPort(found, host)
}

func addHostPort(found map[string]bool, hostPort string) {
	if address, err := netip.ParseAddrPort(hostPort); err == nil {
		found[address.String()] = true
	}
}

func addAddr(found map[string]bool, addr string) {
	if address, err := netip.ParseAddr(addr); err == nil {
		found[address.String()] = true
	}
}
