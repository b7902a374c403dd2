package valkey

import "github.com/redis/go-redis/v9"

// A document is a hash: i its identity, o its order, d the encoded record, h the last orders with a comma after each, and e when its last window ends in
// microseconds, 0 for never. Orders have 16 digits until the year 2286, so that h can be searched and cut as text. Scripts return orders and times as text: a number of
// Lua is a float, which is exact for them.

// scripts are what runs on the server.
type scripts struct {
	load, save, prune *redis.Script
}

func newScripts() scripts {
	return scripts{load: redis.NewScript(loadScript), save: redis.NewScript(saveScript), prune: redis.NewScript(pruneScript)}
}

const (
	// loadScript reads a document, and makes it when there is none. KEYS: document, index of the ledger, ledgers, seed of the ledger. ARGV: an identity that is new,
	// the identity and the order that the caller has seen (0 for none), the document's name, the ledger's name, the channel, the largest record. A document that does
	// not descend from that order gets the new identity.
	loadScript = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local held = redis.call('HMGET', KEYS[1], 'i', 'o', 'd', 'h')
local floor = tonumber(ARGV[3])
if held[1] then
  local line = held[4]
  local follows = floor == 0 or string.find(line, ARGV[3] .. ',', 1, true)
    or (tonumber(held[2]) > floor and (held[1] ~= ARGV[2] or tonumber(string.sub(line, 1, 16)) > floor))
  if follows then
    if #held[3] > tonumber(ARGV[7]) then
      return redis.error_reply('TOOLARGE the document')
    end
    return {held[1], held[2], held[3], string.format('%.0f', now)}
  end
end
local data = held[3] or redis.call('GET', KEYS[4]) or ''
local order = string.format('%.0f', math.max(now, floor + 1, tonumber(held[2] or 0) + 1))
redis.call('HSET', KEYS[1], 'i', ARGV[1], 'o', order, 'd', data, 'h', order .. ',')
redis.call('HSETNX', KEYS[1], 'e', string.format('%.0f', now))
redis.call('SADD', KEYS[2], ARGV[4])
redis.call('SADD', KEYS[3], ARGV[5])
redis.call('PUBLISH', ARGV[6], ARGV[4])
return {ARGV[1], order, data, string.format('%.0f', now)}
`

	// saveScript replaces the record of a document when identity and order are what they were. KEYS: document. ARGV: identity, order, record, end of the last
	// window or an empty text for now, the document's name, the channel. It returns false when they are not.
	saveScript = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local held = redis.call('HMGET', KEYS[1], 'i', 'o', 'h')
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then
  return false
end
local order = string.format('%.0f', math.max(now, tonumber(held[2]) + 1))
local ends = ARGV[4]
if ends == '' then
  ends = string.format('%.0f', now)
end
redis.call('HSET', KEYS[1], 'o', order, 'd', ARGV[3], 'h', string.sub(held[3] .. order .. ',', -17 * 32), 'e', ends)
redis.call('PUBLISH', ARGV[6], ARGV[5])
return {order, string.format('%.0f', now)}
`

	// pruneScript removes a document whose last window ended long ago. KEYS: document, index of the ledger. ARGV: the document's name, how long ago in
	// microseconds. It returns 1 when it did.
	pruneScript = `
local time = redis.call('TIME')
local ends = tonumber(redis.call('HGET', KEYS[1], 'e') or 1)
if ends == 0 or ends > time[1] * 1000000 + time[2] - tonumber(ARGV[2]) then
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('SREM', KEYS[2], ARGV[1])
return 1
`
)
