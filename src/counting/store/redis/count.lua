-- Counts a batch of visits of one counter and remembers their identities, atomically.
--
-- KEYS: the count; then for each kind of identity the set in use and the one before it.
-- ARGV: visits without identity, whether the counter is listed and whether replicas are
--       waited for (0 or 1); then for each kind its window in milliseconds, most identities
--       to remember and its identities, 16 bytes each, one after the other.
--
-- Answers {-1} if the counter is new and not listed yet, having done nothing. Else the
-- number of the first visit without identity, then one number per identity: positive if it
-- was counted now, negative if it had been counted before, 0 if there is no room for it. If
-- there was none for some, then for each kind the milliseconds until some of it expires.

local BYTES = 16
local KINDS = 2

local count = KEYS[1]
local anonymous = tonumber(ARGV[1])

if ARGV[2] == '0' and redis.call('EXISTS', count) == 0 then
    return {-1}
end

local kinds = {}
local fresh = anonymous
local refused = false
for kind = 1, KINDS do
    local current, previous = KEYS[2 * kind], KEYS[2 * kind + 1]
    local window, limit = tonumber(ARGV[1 + 3 * kind]), tonumber(ARGV[2 + 3 * kind])
    local packed = ARGV[3 + 3 * kind]
    local ids = {}
    for from = 1, #packed, BYTES do
        ids[#ids + 1] = string.sub(packed, from, from + BYTES - 1)
    end
    local numbers, new = {}, {}
    if #ids > 0 then
        local known = redis.call('HMGET', current, unpack(ids))
        local older = redis.call('HMGET', previous, unpack(ids))
        local room = limit - redis.call('HLEN', current) - redis.call('HLEN', previous)
        for i = 1, #ids do
            local number = known[i] or older[i]
            if number then
                numbers[i] = -tonumber(number)
            elseif #new < room then
                new[#new + 1] = i
            else
                numbers[i] = 0
                refused = true
            end
        end
    end
    fresh = fresh + #new
    kinds[kind] = {
        ids = ids, numbers = numbers, new = new, current = current, previous = previous, window = window
    }
end

local last = 0
if fresh > 0 then
    -- The first write of all: a full Redis refuses it, and so has done nothing. After one that
    -- takes no memory, such as RENAME, it would let all others of the script pass.
    last = redis.call('INCRBY', count, fresh)
elseif ARGV[3] == '1' and redis.call('EXISTS', count) == 1 then
    -- WAIT waits for what its connection has written, and newer versions of Redis mean it
    -- literally: without a write a replay would be acknowledged before replicas have it.
    redis.call('INCRBY', count, 0)
end
local number = last - fresh + 1
local reply = {number}
number = number + anonymous

for _, kind in ipairs(kinds) do
    if #kind.new > 0 then
        local entries = {}
        for _, i in ipairs(kind.new) do
            kind.numbers[i] = number
            entries[#entries + 1] = kind.ids[i]
            -- Lua's own conversion writes 1e+14 from there on.
            entries[#entries + 1] = string.format('%.0f', number)
            number = number + 1
        end
        -- A set is created to live for two windows and is written to during the first, so
        -- each identity in it is remembered for at least one.
        local ttl = redis.call('PTTL', kind.current)
        if ttl >= 0 and ttl <= kind.window then
            -- In its last millisecond a set still exists; all in it is older than a window.
            if redis.call('PTTL', kind.previous) <= 0 then
                redis.call('RENAME', kind.current, kind.previous)
            else
                -- Only while replicas with different windows are at work: none may be forgotten.
                redis.call('PEXPIRE', kind.current, 2 * kind.window)
            end
        end
        redis.call('HSET', kind.current, unpack(entries))
        if redis.call('PTTL', kind.current) < 0 then
            redis.call('PEXPIRE', kind.current, 2 * kind.window)
        end
    end
    for i = 1, #kind.ids do
        reply[#reply + 1] = kind.numbers[i]
    end
end
if refused then
    for _, kind in ipairs(kinds) do
        local ttl = redis.call('PTTL', kind.previous)
        reply[#reply + 1] = ttl > 0 and ttl or redis.call('PTTL', kind.current)
    end
end
return reply
