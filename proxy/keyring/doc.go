// Package keyring chooses the key of a provider's account that a call is made with. It is pure: what is known of the keys' health and the time come in from
// outside, and the only thing that it remembers is whose turn it is where a new key gets a share of calls.
//
// All values of one key have the same name. Of a name the key that leads is used; a canary gets its share of the name's calls; one that was replaced is used
// only where those that replaced it are refused, and no key is from its deadline on.
//
// Between names the first one whose key can be used leads, or they share the calls: in proportion to
//
//	weight x room
//
// where room is how many calls of that size the rate limits of the key leave, as far as its provider tells: the lower one of the requests that are left and of
// the tokens that are left over those that the call takes. A key of which that is not known counts like the one with the most room, so that it is called and
// becomes known.
package keyring
