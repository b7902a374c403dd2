package compile

import (
	"errors"
	"fmt"
	"slices"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/endpoint"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/provider/registry"
	"signalbox.dev/signalbox/proxy/provider/signalbox"
	"signalbox.dev/signalbox/proxy/table"
)

// credentialDraft is a ProviderCredential on its way into the table.
type credentialDraft struct {
	draft[table.Credential]
	// sources are the keys of the spec, in its order.
	sources []keySource
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

func newCredentialCompiler(in *Input, providers registry.Registry) credentialCompiler {
	check := endpointCheck(in)
	c := credentialCompiler{
		shop:     newKeyShop(in, check),
		registry: providers,
		check:    check,
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
		sources:  keySources(spec.Spec.Auth),
		troubles: map[string]string{},
	}
	if previous := c.previous[spec.Name]; previous != nil && previous.UID == d.uid {
		d.last, d.before = c.lastGood(previous, d.sources), previous.Object
	}

	fresh := table.Credential{Object: d.identity(), Provider: string(spec.Spec.Provider)}
	defects := c.place(&fresh, &spec.Spec)
	fresh.Keyless = spec.Spec.Auth.None != nil
	var priceDefects []Finding
	fresh.Prices, priceDefects = priceList(spec)
	defects = append(defects, priceDefects...)
	keyFindings, serves := c.readKeys(d, &fresh)
	d.findings = defects
	if serves {
		d.accept(&fresh)
	}
	d.findings = append(d.findings, keyFindings...)
	return d
}

// place fills in where a credential's calls go, and checks that its provider can be called as the spec says.
func (c credentialCompiler) place(fresh *table.Credential, spec *v1alpha1.ProviderCredentialSpec) []Finding {
	vendor, known := c.registry.Lookup(fresh.Provider)
	if !known || vendor.Name == signalbox.Name {
		return []Finding{{
			Condition: v1alpha1.ConditionReady,
			Reason:    v1alpha1.ReasonUnsupportedValue,
			Message:   fmt.Sprintf("spec.provider: %q is not a provider that this version knows", bounded(fresh.Provider)),
			Field:     "spec.provider",
		}}
	}
	account, findings := accountOf(spec)
	if len(findings) == 0 {
		fresh.Region, fresh.Project, fresh.Location, fresh.APIVersion = account.Region, account.Project, account.Location, account.APIVersion
		fresh.Endpoint, findings = c.endpoint(vendor.For(account), account)
	}
	return append(findings, authDefects(vendor, spec.Auth)...)
}

// endpoint returns the address that is called.
func (c credentialCompiler) endpoint(vendor provider.Provider, account provider.Account) (string, []Finding) {
	address := vendor.EndpointOf(account)
	if address == "" {
		return "", []Finding{invalid(v1alpha1.ConditionReady, "spec.endpoint", fmt.Sprintf("provider %s needs an endpoint", vendor.Name))}
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

// priceList reads what a credential says its provider charges.
func priceList(spec *v1alpha1.ProviderCredential) (map[string]table.Prices, []Finding) {
	list := spec.Spec.Prices
	if len(list) == 0 {
		return nil, nil
	}
	var findings []Finding
	read := make(map[string]table.Prices, len(list))
	for i := range list {
		path := fmt.Sprintf("spec.prices[%d]", i)
		price, defects := prices(&list[i].TokenPrices, path, v1alpha1.ConditionReady, KindProviderCredential+" "+spec.Name)
		findings = append(findings, defects...)
		if _, twice := read[list[i].Model]; twice {
			findings = append(findings, invalid(v1alpha1.ConditionReady, path+".model", fmt.Sprintf("%q is there twice", bounded(list[i].Model))))
		}
		read[list[i].Model] = price
	}
	return read, findings
}

// readKeys fills in the keys of a fresh entry and notes what is wrong with them. A key that is gone is left out. In place of a value that cannot be a
// key the last good one stays, but it is never sent to another address: if that has changed too, readKeys returns false and the whole last good entry
// stays in force.
func (c credentialCompiler) readKeys(d *credentialDraft, fresh *table.Credential) (findings []Finding, serves bool) {
	serves = true
	for _, source := range d.sources {
		key, problem := c.shop.readKey(source)
		if problem == nil {
			fresh.Keys = append(fresh.Keys, key)
			continue
		}
		findings = append(findings, Finding{
			Condition: v1alpha1.ConditionResolvedRefs,
			Reason:    problem.reason,
			Message:   problem.message,
			Field:     problem.field,
		})
		d.troubles[source.name] = problem.message
		if !problem.invalid() || d.last == nil {
			continue
		}
		if d.last.Provider != fresh.Provider || provider.AccountOf(d.last) != provider.AccountOf(fresh) {
			serves = false
			continue
		}
		if at := keyIndex(d.last.Keys, source); at >= 0 {
			fresh.Keys = append(fresh.Keys, d.last.Keys[at])
		}
	}
	return findings, serves
}

// lastGood returns the entry in force with the keys that may still be used: those whose name is still in the spec and whose Secret still holds a value.
// It is nil when the endpoint has been closed since.
func (c credentialCompiler) lastGood(previous *table.Credential, sources []keySource) *table.Credential {
	if c.check(previous.Endpoint) != nil {
		return nil
	}
	last := *previous
	last.Keys = nil
	for _, key := range previous.Keys {
		if !slices.ContainsFunc(sources, func(s keySource) bool { return s.makes(key) }) {
			continue
		}
		current, problem := c.shop.readKey(sourceOf(key))
		switch {
		case problem == nil:
			key = current
		case !problem.invalid():
			continue
		}
		last.Keys = append(last.Keys, key)
	}
	return &last
}

func keyIndex(keys []table.Key, source keySource) int {
	return slices.IndexFunc(keys, source.makes)
}

// keyReports describes the keys of the spec as the chosen entry holds them; entry is nil when the table holds none.
func (d *credentialDraft) keyReports(entry *table.Credential) []KeyReport {
	var reports []KeyReport
	for _, source := range d.sources {
		report := KeyReport{Name: source.name, State: v1alpha1.KeyMissing, Message: d.troubles[source.name]}
		if entry != nil {
			if at := keyIndex(entry.Keys, source); at >= 0 {
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
