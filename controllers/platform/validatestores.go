package platform

import (
	"net"
	"net/url"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	maxAddresses       = 32
	maxAddressBytes    = 512
	maxUsernameBytes   = 128
	maxEndpointBytes   = 2048
	minRetention       = 24 * time.Hour
	maxRetention       = 87600 * time.Hour
	maxPartitionsAhead = 24
	minJournalSize     = 16 << 20
	maxJournalSize     = 64 << 30
	maxPort            = 65535
)

func (l *Ledger) validate(path *field.Path) field.ErrorList {
	switch {
	case l.Store != StoreKubernetes && l.Store != StoreValkey:
		return field.ErrorList{field.NotSupported(path.Child("store"), l.Store, []LedgerStore{StoreKubernetes, StoreValkey})}
	case l.Store == StoreValkey && l.Valkey == nil:
		return field.ErrorList{field.Required(path.Child("valkey"), "the server, with store Valkey")}
	case l.Store != StoreValkey && l.Valkey != nil:
		return field.ErrorList{field.Forbidden(path.Child("valkey"), "it is used with store Valkey only")}
	case l.Valkey == nil:
		return nil
	default:
		return l.Valkey.validate(path.Child("valkey"))
	}
}

func (v *Valkey) validate(path *field.Path) field.ErrorList {
	var problems field.ErrorList
	switch {
	case len(v.Addresses) == 0:
		problems = append(problems, field.Required(path.Child("addresses"), "host:port of the server, or of some of a cluster"))
	case len(v.Addresses) > maxAddresses:
		problems = append(problems, field.TooMany(path.Child("addresses"), len(v.Addresses), maxAddresses))
	case len(v.Addresses) > 1 && v.Cluster == Disabled:
		problems = append(problems, field.Invalid(path.Child("addresses"), v.Addresses, "several addresses are those of a cluster: set cluster to Enabled"))
	}
	seen := map[string]bool{}
	for i, address := range v.Addresses {
		at := path.Child("addresses").Index(i)
		problems = append(problems, checkAddress(address, at)...)
		if seen[address] {
			problems = append(problems, field.Duplicate(at, address))
		}
		seen[address] = true
	}
	if len(v.Username) > maxUsernameBytes {
		problems = append(problems, field.TooLong(path.Child("username"), "", maxUsernameBytes))
	}
	return append(problems, checkState(v.Cluster, path.Child("cluster"))...)
}

func checkAddress(address string, path *field.Path) field.ErrorList {
	host, port, err := net.SplitHostPort(address)
	number, numeric := strconv.Atoi(port)
	if err != nil || numeric != nil || host == "" || number < 1 || number > maxPort || len(address) > maxAddressBytes {
		return field.ErrorList{field.Invalid(path, address, "must be host:port, such as valkey.storage:6379")}
	}
	return nil
}

func (u *Usage) validate(path *field.Path) field.ErrorList {
	var problems field.ErrorList
	if u.Postgres != nil {
		problems = append(problems, u.Postgres.validate(path.Child("postgres"))...)
	}
	if u.OTLP != nil {
		problems = append(problems, checkEndpoint(u.OTLP.Endpoint, path.Child("otlp", "endpoint"))...)
	}
	if u.WhenFull != DropOldest && u.WhenFull != Refuse {
		problems = append(problems, field.NotSupported(path.Child("whenFull"), u.WhenFull, []WhenFull{DropOldest, Refuse}))
	}
	if size := u.JournalSize.Value(); size < minJournalSize || size > maxJournalSize {
		problems = append(problems, field.Invalid(path.Child("journalSize"), u.JournalSize.String(), "must be between 16Mi and 64Gi"))
	}
	return problems
}

func (p *Postgres) validate(path *field.Path) field.ErrorList {
	var problems field.ErrorList
	if p.URLFile == "" {
		problems = append(problems, field.Required(path.Child("urlFile"), "the file that holds the address of the database"))
	}
	problems = append(problems, checkDuration(p.Retention.Duration, minRetention, maxRetention, path.Child("retention"))...)
	return append(problems, checkRange(p.PartitionsAhead, 1, maxPartitionsAhead, path.Child("partitionsAhead"))...)
}

// checkEndpoint keeps user and password out of a URL that is shown in the clear.
func checkEndpoint(endpoint string, path *field.Path) field.ErrorList {
	parsed, err := url.Parse(endpoint)
	switch {
	case err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" || len(endpoint) > maxEndpointBytes:
		return field.ErrorList{field.Invalid(path, "", "must be a URL such as http://collector.observability:4318")}
	case parsed.User != nil || parsed.Fragment != "":
		return field.ErrorList{field.Invalid(path, "", "must have no user, password or fragment")}
	default:
		return nil
	}
}
