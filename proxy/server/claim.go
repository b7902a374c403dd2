package server

import (
	"bytes"
	"net/http"
	"slices"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/identity"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/table"
)

// headerTags marks a call: "team=search,env=prod".
const headerTags = "X-Signalbox-Tags"

// Bounds of what a caller says of a call. What is beyond them is left out, as if it had not been said.
const (
	maxTags     = 16
	maxTagKey   = 64
	maxTagValue = 256
	maxEndUser  = 256
)

// claim notes whose call it is, as budgets and usage records see it. It must come before the body is given back.
func (c *call) claim() {
	c.claimant = ledger.Claimant{Caller: ledgerCaller(c.caller), Tags: c.tags()}
	if c.grant != nil {
		c.claimant.Vouched = len(c.grant.Tags)
	}
	if len(c.inbound.Head.User) <= maxEndUser {
		c.claimant.EndUser = c.inbound.Head.User
	}
}

func ledgerCaller(c identity.Caller) ledger.Caller {
	switch c.Kind {
	case identity.AccessKey:
		return ledger.Caller{AccessKey: c.Name}
	case identity.User:
		return ledger.Caller{Issuer: c.Issuer, User: c.Name}
	case identity.ServiceAccount:
	}
	return ledger.Caller{Namespace: c.Namespace, ServiceAccount: c.Name}
}

// tags are those of the caller's issuer, of the header, of OpenAI's "metadata" and of OpenRouter's "trace", each key once, in this order; nil for none. A tag
// that the issuer can set is never taken from the request.
func (c *call) tags() []table.Tag {
	given := readTagHeader(nil, c.r.Header)
	if c.form == nil && c.body != nil {
		given = readTagMember(given, c.body.bytes, "metadata")
		given = readTagMember(given, c.body.bytes, "trace")
	}
	if c.grant == nil || len(c.grant.TagKeys) == 0 {
		return given
	}
	tags := slices.Clone(c.grant.Tags)
	for _, tag := range given {
		if !slices.Contains(c.grant.TagKeys, tag.Key) {
			tags = addTag(tags, tag.Key, tag.Value)
		}
	}
	return tags
}

func readTagHeader(tags []table.Tag, header http.Header) []table.Tag {
	for _, line := range header[headerTags] {
		for pair := range strings.SplitSeq(line, ",") {
			key, value, _ := strings.Cut(pair, "=")
			tags = addTag(tags, strings.TrimSpace(key), strings.TrimSpace(value))
		}
	}
	return tags
}

// readTagMember takes the strings of an object that is a member of the body. Most bodies have no such member, and are not read.
func readTagMember(tags []table.Tag, body []byte, name string) []table.Tag {
	if !bytes.Contains(body, []byte(`"`+name+`"`)) {
		return tags
	}
	object := jsonscan.Lookup(body, name)
	if len(object) == 0 || object[0] != '{' {
		return tags
	}
	members := jsonscan.WalkObject(object, 0)
	for {
		member, ok := members.Next()
		if !ok {
			return tags
		}
		end := members.Skip()
		if object[member.Value] != '"' {
			continue
		}
		value, _ := jsonscan.Unquote(nil, object[member.Value:end])
		tags = addTag(tags, string(member.Name(object)), string(value))
	}
}

func addTag(tags []table.Tag, key, value string) []table.Tag {
	known := slices.ContainsFunc(tags, func(t table.Tag) bool { return t.Key == key })
	if key == "" || known || len(tags) == maxTags || len(key) > maxTagKey || len(value) > maxTagValue {
		return tags
	}
	return append(tags, table.Tag{Key: key, Value: value})
}
