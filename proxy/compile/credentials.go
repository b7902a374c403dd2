package compile

import (
	"errors"
	"fmt"
	"slices"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/endpoint"
	"signalbox.dev/signalbox/proxy/provider/registry"
	"signalbox.dev/signalbox/proxy/table"
)

// credentialDraft is a ProviderCredential on its way into the table.
type credentialDraft struct {
	draft[table.Credential]
	// keyNames are the names of the keys of the spec, in its order.
	keyNames []string
	// troubles are what is wrong with keys, by name.
	troubles map[string]string
}

// credentialCompiler reads ProviderCredentials.
type credentialCompiler struct {
	shop     keyShop
	registry registry.Registry
	// check refuses endpoints that must not be called.
	check    func(endpoint string) error
	previous map[string]*table.Credential
}

func newCredentialCompiler(in *Input) credentialCompiler {
	c := credentialCompiler{
		shop:     newKeyShop(in),
		registry: registry.Default(),
		check:    endpointCheck(in),
		previous: map[string]*table.Credential{},
	}
	if in.Previous != nil {
		for i := range in.Previous.Credentials {
			c.previous[in.Previous.Credentials[i].Name] = &in.Previous.Credentials[i]
		}
	}
	return c
}

// endpointCheck returns the static check of endpoints. Rules that cannot be read close everything.
func endpointCheck(in *Input) func(string) error {
	allow, deny, err := in.Endpoints.Parse()
	if err != nil {
		return func(string) error { return err }
	}
	rules := endpoint.Rules{Allow: allow, APIServers: deny, ClusterDomain: in.ClusterDomain}
	return endpoint.ProxyPolicy(rules).CheckURL
}

func (c credentialCompiler) compile(spec *v1alpha1.ProviderCredential) *credentialDraft {
	d := &credentialDraft{
		draft:    newDraft[table.Credential](KindProviderCredential, spec.ObjectMeta),
		troubles: map[string]string{},
	}
	for _, key := range spec.Spec.Auth.Keys {
		d.keyNames = append(d.keyNames, key.Name)
	}
	if previous := c.previous[spec.Name]; previous != nil && previous.UID == d.uid {
		d.last, d.before = c.lastGood(previous, d.keyNames), previous.Object
	}

	fresh := table.Credential{Object: d.identity(), Provider: string(spec.Spec.Provider)}
	var defects []Finding
	fresh.Endpoint, defects = c.endpoint(&spec.Spec)
	defects = append(defects, authDefects(spec.Spec.Auth)...)
	fresh.Keyless = spec.Spec.Auth.None != nil
	var priceDefects []Finding
	fresh.Prices, priceDefects = priceList(spec.Spec.Prices)
	defects = append(defects, priceDefects...)
	keyFindings, serves := c.readKeys(d, &fresh, spec.Spec.Auth.Keys)
	d.findings = defects
	if serves {
		d.accept(&fresh)
	}
	d.findings = append(d.findings, keyFindings...)
	return d
}

// endpoint returns the address that is called.
func (c credentialCompiler) endpoint(spec *v1alpha1.ProviderCredentialSpec) (string, []Finding) {
	vendor, known := c.registry.Lookup(string(spec.Provider))
	if !known {
		return "", []Finding{{
			Condition: v1alpha1.ConditionReady,
			Reason:    v1alpha1.ReasonUnsupportedValue,
			Message:   fmt.Sprintf("spec.provider: %q is not a provider that this version knows", bounded(string(spec.Provider))),
			Field:     "spec.provider",
		}}
	}
	address := spec.Endpoint
	if address == "" {
		address = vendor.DefaultEndpoint
	}
	if address == "" {
		return "", []Finding{invalid(v1alpha1.ConditionReady, "spec.endpoint", fmt.Sprintf("provider %s needs an endpoint", spec.Provider))}
	}
	err := c.check(address)
	var form *endpoint.URLError
	switch {
	case err == nil:
		return address, nil
	case errors.As(err, &form):
		return "", []Finding{invalid(v1alpha1.ConditionReady, "spec.endpoint", form.Error())}
	default:
		return "", []Finding{{
			Condition: v1alpha1.ConditionReady,
			Reason:    v1alpha1.ReasonEndpointDenied,
			Message:   "spec.endpoint: " + err.Error(),
			Field:     "spec.endpoint",
		}}
	}
}

func authDefects(auth v1alpha1.ProviderAuth) []Finding {
	if (len(auth.Keys) > 0) == (auth.None != nil) {
		return []Finding{invalid(v1alpha1.ConditionReady, "spec.auth", "auth needs exactly one of keys and none")}
	}
	var findings []Finding
	seen := map[string]struct{}{}
	for i, key := range auth.Keys {
		if _, twice := seen[key.Name]; twice {
			findings = append(findings, invalid(v1alpha1.ConditionReady, fmt.Sprintf("spec.auth.keys[%d].name", i), fmt.Sprintf("%q is there twice", bounded(key.Name))))
		}
		seen[key.Name] = struct{}{}
	}
	return findings
}

func priceList(list []v1alpha1.ModelPrice) (map[string]table.Prices, []Finding) {
	if len(list) == 0 {
		return nil, nil
	}
	var findings []Finding
	read := make(map[string]table.Prices, len(list))
	for i, entry := range list {
		path := fmt.Sprintf("spec.prices[%d]", i)
		price, defects := prices(entry.TokenPrices, path, v1alpha1.ConditionReady)
		findings = append(findings, defects...)
		if _, twice := read[entry.Model]; twice {
			findings = append(findings, invalid(v1alpha1.ConditionReady, path+".model", fmt.Sprintf("%q is there twice", bounded(entry.Model))))
		}
		read[entry.Model] = price
	}
	return read, findings
}

// readKeys fills in the keys of a fresh entry and notes what is wrong with them. A key that is gone is left out. In place of a value that cannot be a
// key the last good one stays, but it is never sent to another address: if that has changed too, readKeys returns false and the whole last good entry
// stays in force.
func (c credentialCompiler) readKeys(d *credentialDraft, fresh *table.Credential, keys []v1alpha1.ProviderKey) (findings []Finding, serves bool) {
	serves = true
	for i, key := range keys {
		value, problem := c.shop.read(key.SecretKeyRef.Name, key.SecretKeyRef.Key)
		if problem == nil {
			fresh.Keys = append(fresh.Keys, table.Key{
				Name: key.Name, Value: value, Fingerprint: fingerprint(value),
				Secret: key.SecretKeyRef.Name, SecretKey: key.SecretKeyRef.Key,
			})
			continue
		}
		findings = append(findings, Finding{
			Condition: v1alpha1.ConditionResolvedRefs,
			Reason:    problem.reason,
			Message:   problem.message,
			Field:     fmt.Sprintf("spec.auth.keys[%d].secretKeyRef", i),
		})
		d.troubles[key.Name] = problem.message
		if !problem.invalid() || d.last == nil {
			continue
		}
		if d.last.Endpoint != fresh.Endpoint || d.last.Provider != fresh.Provider {
			serves = false
			continue
		}
		if at := keyIndex(d.last.Keys, key.Name); at >= 0 {
			fresh.Keys = append(fresh.Keys, d.last.Keys[at])
		}
	}
	return findings, serves
}

// lastGood returns the entry in force with the keys that may still be used: those whose name is still in the spec and whose Secret still holds a value.
// It is nil when the endpoint has been closed since.
func (c credentialCompiler) lastGood(previous *table.Credential, keyNames []string) *table.Credential {
	if c.check(previous.Endpoint) != nil {
		return nil
	}
	last := *previous
	last.Keys = nil
	for _, key := range previous.Keys {
		if !slices.Contains(keyNames, key.Name) {
			continue
		}
		value, problem := c.shop.read(key.Secret, key.SecretKey)
		switch {
		case problem == nil:
			key.Value, key.Fingerprint = value, fingerprint(value)
		case !problem.invalid():
			continue
		}
		last.Keys = append(last.Keys, key)
	}
	return &last
}

func keyIndex(keys []table.Key, name string) int {
	return slices.IndexFunc(keys, func(k table.Key) bool { return k.Name == name })
}

// keyReports describes the keys of the spec as the chosen entry holds them; entry is nil when the table holds none.
func (d *credentialDraft) keyReports(entry *table.Credential) []KeyReport {
	var reports []KeyReport
	for _, name := range d.keyNames {
		report := KeyReport{Name: name, State: v1alpha1.KeyMissing, Message: d.troubles[name]}
		if entry != nil {
			if at := keyIndex(entry.Keys, name); at >= 0 {
				report.State = v1alpha1.KeyActive
				report.Fingerprint = entry.Keys[at].Fingerprint
				if report.Message != "" {
					report.Message += "; the last good key stays in use"
				}
			}
		}
		reports = append(reports, report)
	}
	return reports
}
