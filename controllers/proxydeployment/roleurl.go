package proxydeployment

import (
	"net/url"
)

func roleName(namespace string) string { return "signalbox-" + namespace }

// roleURL is an address of a database with a user's name and password in place of the manager's own. What names the manager's files or secrets is left out.
func roleURL(address, namespace, password string) (string, error) {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme != "postgres" && parsed.Scheme != "postgresql" || parsed.Host == "" {
		return "", errNoURL
	}
	query := parsed.Query()
	for _, own := range []string{"user", "password", "passfile", "sslcert", "sslkey", "sslpassword", "sslrootcert", "service", "servicefile"} {
		query.Del(own)
	}
	parsed.RawQuery, parsed.Fragment = query.Encode(), ""
	parsed.User = url.UserPassword(roleName(namespace), password)
	return parsed.String(), nil
}
