package compile

import (
	"errors"
	"fmt"
	"time"

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
	// freshKeys and lastKeys are what became of the values for the two entries.
	freshKeys, lastKeys keptKeys
}

// credentialCompiler reads ProviderCredentials.
type credentialCompiler struct {
	shop     keyShop
	registry registry.Registry
	// check refuses endpoints that must not be called.
	check    func(endpoint string) error
	previous map[string]*table.Credential
	now      time.Time
	verdicts map[string]map[string]KeyVerdict
}

func newCredentialCompiler(in *Input, providers registry.Registry) credentialCompiler {
	check := endpointCheck(in)
	c := credentialCompiler{
		shop:     newKeyShop(in, check),
		registry: providers,
		check:    check,
		previous: map[string]*table.Credential{},
		now:      in.Now,
		verdicts: in.Verdicts,
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
	d := &credentialDraft{draft: newDraft[table.Credential](KindProviderCredential, spec.ObjectMeta), sources: keySources(spec.Spec.Auth)}
	previous := c.previous[spec.Name]
	if previous != nil && previous.UID != d.uid {
		previous = nil
	}
	if previous != nil {
		c.keepLast(d, spec, previous)
		d.before = previous.Object
	}

	fresh := table.Credential{Object: d.identity(), Provider: string(spec.Spec.Provider)}
	defects := c.place(&fresh, &spec.Spec)
	fresh.Keyless = spec.Spec.Auth.None != nil
	fresh.SharesKeys = spec.Spec.Auth.KeyPolicy == v1alpha1.KeysShare
	var priceDefects []Finding
	fresh.Prices, priceDefects = priceList(spec)
	defects = append(defects, priceDefects...)
	keyFindings, serves := c.readKeys(d, spec, &fresh, previous)
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
