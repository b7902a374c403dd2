package platform

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	maxIssuers        = 16
	maxIssuerURLBytes = 512
	maxAudienceBytes  = 256
	maxClaimBytes     = 128
	maxTagClaims      = 16
	maxTagKeyBytes    = 64
	minIssuerLifetime = time.Minute
	// defaultCallerClaim is what every OIDC issuer has.
	defaultCallerClaim = "sub"
)

func (i *OIDCIssuer) setDefaults() {
	if i.CallerClaim == "" {
		i.CallerClaim = defaultCallerClaim
	}
	if i.MaxLifetime.Duration == 0 {
		i.MaxLifetime.Duration = defaultMaxLifetime
	}
}

func (t *Tokens) validate(clusterDomain string, path *field.Path) field.ErrorList {
	problems := checkDuration(t.MaxLifetime.Duration, minMaxLifetime, maxMaxLifetime, path.Child("maxLifetime"))
	if len(t.Issuers) > maxIssuers {
		problems = append(problems, field.TooMany(path.Child("issuers"), len(t.Issuers), maxIssuers))
	}
	names, urls := map[string]bool{}, map[string]bool{}
	for i := range t.Issuers {
		issuer, at := &t.Issuers[i], path.Child("issuers").Index(i)
		problems = append(problems, issuer.validate(clusterDomain, at)...)
		if names[issuer.Name] {
			problems = append(problems, field.Duplicate(at.Child("name"), issuer.Name))
		}
		if urls[issuer.URL] {
			problems = append(problems, field.Duplicate(at.Child("url"), issuer.URL))
		}
		names[issuer.Name], urls[issuer.URL] = true, true
	}
	return problems
}

func (i *OIDCIssuer) validate(clusterDomain string, path *field.Path) field.ErrorList {
	problems := checkNamespace(i.Name, path.Child("name"))
	problems = append(problems, i.checkURL(clusterDomain, path.Child("url"))...)
	problems = append(problems, checkWord(i.Audience, maxAudienceBytes, path.Child("audience"))...)
	problems = append(problems, checkWord(i.CallerClaim, maxClaimBytes, path.Child("callerClaim"))...)
	if strings.HasPrefix(i.Audience, "signalbox.") {
		problems = append(problems, field.Invalid(path.Child("audience"), i.Audience, "signalbox.* are the audiences of ServiceAccount tokens; choose another one"))
	}
	if len(i.TagClaims) > maxTagClaims {
		problems = append(problems, field.TooMany(path.Child("tagClaims"), len(i.TagClaims), maxTagClaims))
	}
	for _, key := range slices.Sorted(maps.Keys(i.TagClaims)) {
		problems = append(problems, checkWord(key, maxTagKeyBytes, path.Child("tagClaims"))...)
		problems = append(problems, checkWord(i.TagClaims[key], maxClaimBytes, path.Child("tagClaims").Key(key))...)
	}
	return append(problems, checkDuration(i.MaxLifetime.Duration, minIssuerLifetime, maxMaxLifetime, path.Child("maxLifetime"))...)
}

// checkURL refuses what cannot be the "iss" of an issuer whose keys can be found, and what clusters have for their own.
func (i *OIDCIssuer) checkURL(clusterDomain string, path *field.Path) field.ErrorList {
	parsed, err := url.Parse(i.URL)
	switch {
	case i.URL == "":
		return field.ErrorList{field.Required(path, "the issuer's URL, as its tokens have it in iss")}
	case err != nil || parsed.Scheme != "https" || parsed.Host == "" || len(i.URL) > maxIssuerURLBytes:
		return field.ErrorList{field.Invalid(path, "", "must be an https URL such as https://login.example.com")}
	case parsed.User != nil || strings.ContainsAny(i.URL, "?#"):
		return field.ErrorList{field.Invalid(path, "", "must have no user, password, query or fragment")}
	}
	own := "kubernetes.default.svc"
	if host := strings.TrimSuffix(strings.ToLower(parsed.Hostname()), "."); host == own || host == own+"."+clusterDomain {
		return field.ErrorList{field.Invalid(path, i.URL, "is the cluster itself, whose ServiceAccount tokens are taken without being named here")}
	}
	return nil
}

// checkWord takes a text of printable characters without blanks around it.
func checkWord(text string, most int, path *field.Path) field.ErrorList {
	switch {
	case text == "":
		return field.ErrorList{field.Required(path, "it must not be empty")}
	case len(text) > most:
		return field.ErrorList{field.TooLong(path, "", most)}
	case text != strings.TrimSpace(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		return field.ErrorList{field.Invalid(path, text, "must be printable characters without blanks around them")}
	}
	return nil
}
