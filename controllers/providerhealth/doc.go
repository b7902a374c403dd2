// Package providerhealth is the rule by which a provider's account is called Healthy, Degraded, Down, RateLimited or Unknown. It weighs what the manager's
// probes found against what the proxies saw of calls: neither alone brings a provider down while the other says that it is well. It is pure: it takes values
// and a time and returns values. docs/health.md has the same rule for people.
package providerhealth
