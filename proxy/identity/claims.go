package identity

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4/jwt"

	"signalbox.dev/signalbox/proxy/table"
)

const (
	// maxName bounds the name of a user, in bytes.
	maxName = 256
	// maxTagValue bounds the value of a tag, in bytes.
	maxTagValue = 256
	// emailClaim names a caller only where the issuer says that it has verified the address.
	emailClaim         = "email"
	emailVerifiedClaim = "email_verified"
)

// readServiceAccount reads the claims that belong to a ServiceAccount's token. The subject and the cluster's own claims must say the same.
func readServiceAccount(parsed *jwt.JSONWebToken, subject string) (Grant, *Error) {
	var claims struct {
		Kubernetes struct {
			Namespace      string `json:"namespace"`
			ServiceAccount struct {
				Name string `json:"name"`
			} `json:"serviceaccount"`
		} `json:"kubernetes.io"`
	}
	if parsed.UnsafeClaimsWithoutVerification(&claims) != nil {
		return Grant{}, malformed("the token does not name a ServiceAccount")
	}
	caller := Caller{Kind: ServiceAccount, Namespace: claims.Kubernetes.Namespace, Name: claims.Kubernetes.ServiceAccount.Name}
	if caller.Namespace == "" || caller.Name == "" || strings.Contains(caller.Namespace+caller.Name, "/") ||
		subject != "system:serviceaccount:"+caller.Namespace+":"+caller.Name {
		return Grant{}, malformed("the token does not name a ServiceAccount")
	}
	return Grant{Caller: caller}, nil
}

// readUser reads the claims that name the caller of an OIDC issuer, and those that become tags.
func (i *issuer) readUser(parsed *jwt.JSONWebToken) (Grant, *Error) {
	var claims map[string]json.RawMessage
	if parsed.UnsafeClaimsWithoutVerification(&claims) != nil {
		return Grant{}, malformed("the claims of the token cannot be read")
	}
	var name string
	if json.Unmarshal(claims[i.callerClaim], &name) != nil || name == "" || len(name) > maxName || !isPrintable(name) {
		return Grant{}, malformed("the token does not name its bearer: its claim \"" + i.callerClaim + "\" must be a text of 1 to 256 printable characters")
	}
	if i.callerClaim == emailClaim && !isTrue(claims[emailVerifiedClaim]) {
		return Grant{}, malformed("the issuer has not verified the e-mail address that names the token's bearer")
	}
	grant := Grant{Caller: Caller{Kind: User, Issuer: i.name, Name: name}, TagKeys: i.tagKeys}
	for _, key := range i.tagKeys {
		if value := tagValue(claims[i.tagClaims[key]]); value != "" {
			grant.Tags = append(grant.Tags, table.Tag{Key: key, Value: value})
		}
	}
	return grant, nil
}

// isTrue also takes the text that some issuers send in place of the boolean.
func isTrue(claim json.RawMessage) bool { return string(claim) == `true` || string(claim) == `"true"` }

func isPrintable(text string) bool {
	// A reader of JSON puts U+FFFD in the place of what is no text, so that different names would be one.
	return !strings.ContainsFunc(text, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) })
}

// tagValue is a claim as the value of a tag: a text, a number or a boolean as it is, a list of texts joined by commas. It is empty for anything else, and for
// what is too long or not printable.
func tagValue(claim json.RawMessage) string {
	if len(claim) == 0 || string(claim) == "null" {
		return ""
	}
	var value string
	switch claim[0] {
	case '"':
		if json.Unmarshal(claim, &value) != nil {
			return ""
		}
	case '[':
		value = joined(claim)
	case '{':
		return ""
	default:
		value = string(claim)
	}
	if len(value) > maxTagValue || !isPrintable(value) {
		return ""
	}
	return value
}

// joined is a list of texts, in its order, as far as it fits. A text with a comma in it could pass for two, so a list with one is no value.
func joined(claim json.RawMessage) string {
	var list []string
	if json.Unmarshal(claim, &list) != nil {
		return ""
	}
	var value strings.Builder
	for _, text := range list {
		if strings.Contains(text, ",") {
			return ""
		}
		if value.Len()+len(text)+1 > maxTagValue {
			break
		}
		if value.Len() > 0 {
			value.WriteByte(',')
		}
		value.WriteString(text)
	}
	return value.String()
}
