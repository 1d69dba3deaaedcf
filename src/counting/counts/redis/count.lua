-- Counts a batch of visits of one counter and remembers their identities, atomically.
--
-- KEYS: the count; then for each kind of identity the set in use and the one before it; where
--       passes were looked at, the epoch of what was revoked.
-- ARGV: visits without identity, whether the counter is listed and whether replicas are
--       waited for (0 or 1); then for each kind its window in milliseconds, most identities
--       to remember and its identities, 16 bytes each, one after the other; with an epoch,
--       the one that is known.
--
-- Answers {-2} if more was revoked than is known, having done nothing.
-- Answers {-1} if the counter is new and not listed yet, having done nothing. Else the
-- number of the first visit without identity, then one number per identity: positive if it
-- was counted now, negative if it had been counted before, 0 if there is no room for it. If
-- there was none for some, then for each kind the milliseconds until some of it expires.
--
-- An error means that nothing was done: all is read before anything is written, and where a
-- later write is refused the first is taken back. Only one that begins with PARTIAL says that
-- the visits may have been counted.

local BYTES = 16
local KINDS = 2

local count = KEYS[1]
local anonymous = tonumber(ARGV[1])

if KEYS[6] and (redis.call('GET', KEYS[6]) or '') ~= ARGV[10] then
    return {-2}
end

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
    if #packed > 0 then
        local ids = {}
        for from = 1, #packed, BYTES do
            ids[#ids + 1] = string.sub(packed, from, from + BYTES - 1)
        end
        local numbers, new = {}, {}
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
        -- A set is created to live for two windows and is written to during the first, so each
        -- identity in it is remembered for at least one.
        local create, rotate, prolong = false, false, false
        if #new > 0 then
            local ttl = redis.call('PTTL', current)
            create = ttl < 0
            if ttl >= 0 and ttl <= window then
                -- In its last millisecond a set still exists; all in it is older than a window.
                rotate = redis.call('PTTL', previous) <= 0
                -- Only while replicas with different windows are at work: none may be forgotten.
                prolong = not rotate
            end
        end
        fresh = fresh + #new
        kinds[#kinds + 1] = {
            ids = ids, numbers = numbers, new = new, current = current, previous = previous,
            life = 2 * window, create = create or rotate, rotate = rotate, prolong = prolong
        }
    end
end

local waits = {}
if refused then
    for kind = 1, KINDS do
        local ttl = redis.call('PTTL', KEYS[2 * kind + 1])
        waits[kind] = ttl > 0 and ttl or redis.call('PTTL', KEYS[2 * kind])
    end
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
local first = last - fresh + 1

if fresh > anonymous then
    local failure
    local function write(...)
        if not failure then
            local reply = redis.pcall(...)
            failure = type(reply) == 'table' and reply.err
        end
    end
    for _, kind in ipairs(kinds) do
        if kind.rotate then
            write('RENAME', kind.current, kind.previous)
        end
        if kind.create or kind.prolong then
            -- A set to be created is not there yet, and this does nothing to it. But who may not
            -- expire keys learns it here, before there is one that never expires.
            write('PEXPIRE', kind.current, kind.life)
        end
    end
    local number, remembered = first + anonymous, false
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
            write('HSET', kind.current, unpack(entries))
            remembered = remembered or not failure
            if kind.create then
                write('PEXPIRE', kind.current, kind.life)
            end
        end
    end
    if failure then
        -- Identities that are remembered keep their numbers, so these must not be given again.
        local undone = not remembered and type(redis.pcall('INCRBY', count, -fresh)) == 'number'
        return redis.error_reply((undone and 'REFUSED ' or 'PARTIAL ') .. failure)
    end
end

local reply = {first}
for _, kind in ipairs(kinds) do
    for i = 1, #kind.ids do
        reply[#reply + 1] = kind.numbers[i]
    end
end
for _, wait in ipairs(waits) do
    reply[#reply + 1] = wait
end
return reply
