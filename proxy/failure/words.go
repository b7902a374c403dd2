package failure

import (
	"strings"

	"signalbox.dev/signalbox/proxy/table"
)

// ofWord classifies a code or a type that means the same whatever the status; None for all others.
func ofWord(word string) table.FailureKind {
	switch letters(word) {
	case "insufficientquota", "billinghardlimitreached", "billingnotactive", "billingerror", "insufficientbalance", "insufficientcredits",
		"paymentrequired", "exceededcurrentquotaerror", "servicequotaexceededexception":
		return table.QuotaExhausted
	case "invalidapikey", "authenticationerror", "authentication", "unrecognizedclientexception", "expiredtokenexception",
		"invalidsignatureexception":
		return table.KeyRejected
	case "ratelimiterror", "ratelimitexceeded", "throttlingexception":
		return table.RateLimited
	case "overloadederror", "engineoverloaded", "engineoverloadederror", "provideroverloaded", "capacityexceeded", "capacityexhausted",
		"servicetiercapacityexceeded", "queueexceeded", "modelnotreadyexception", "nocapacity", "slowdown", "overloaded":
		return table.Capacity
	case "modelnotfound", "modeldecommissioned", "modelnotavailable", "modeldeprecated", "modeltermsrequired", "modelunavailableupstream",
		"freevariantended", "deploymentnotfound", "invalidmodel":
		return table.ModelWithdrawn
	case "contextlengthexceeded", "exceedcontextsizeerror", "tokenlimitexceeded", "stringtoolong":
		return table.ContextTooLong
	case "contentfilter", "contentpolicyviolation", "responsibleaipolicyviolation", "moderationblocked", "refusal", "datainspectionfailed":
		return table.ContentFiltered
	case "modeltimeoutexception", "timeouterror", "timeout":
		return table.Timeout
	case "modelerrorexception", "modelstreamerrorexception", "internalserverexception", "serviceunavailableexception", "providerunavailable":
		return table.Unavailable
	default:
		return table.None
	}
}

// letters are the letters of a word in lower case, without what AWS puts around the name of an exception.
func letters(word string) string {
	if _, name, ok := strings.Cut(word, "#"); ok {
		word = name
	}
	word, _, _ = strings.Cut(word, ":")
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z':
			return c
		case c >= 'A' && c <= 'Z':
			return c + ('a' - 'A')
		default:
			return -1
		}
	}, word)
}
