-- Counts a batch of visits of one counter, remembers their identities and writes what is recorded of
-- them, atomically.
--
-- KEYS: the count; then for each kind of identity the set in use and the one before it; the state of
--       the record and its stream; where passes were looked at, the epoch of what was revoked.
-- ARGV: visits without identity that carry nothing, whether the counter is listed and whether replicas
--       are waited for (0 or 1); then for each kind its window in milliseconds, most identities to
--       remember and its identities, 16 bytes each, one after the other; whether a counter without a
--       state is recorded (0 or 1), most visits and most bytes that may wait to be recorded, what there
--       is room for (0 everything, 1 nothing that is carried, 2 no record); the epoch that is known, or
--       nothing. Only where visits carry something: how visitors are stored in what follows; for
--       each kind how many identities carry something, and for each of these its position and what it
--       carries; then what each visit without identity carries.
--
-- Answers {-2} if more was revoked than is known, having done nothing.
-- Answers {-1} if the counter is new and not listed yet, having done nothing.
-- Answers {-3, mode} if visitors are stored otherwise, having done nothing. Else the
-- number of the first visit that has no identity and carries nothing, then one number per identity, then
-- one per visit without identity that carries something: positive if it was counted now, negative if it
-- had been counted before, 0 if there is no room for its identity, OFF or BEHIND if what it carries is
-- not recorded. If there was no room for some, then for each kind the milliseconds until some of it
-- expires.
--
-- An error means that nothing was done: all is read before anything is written, and where a
-- later write is refused the first ones are taken back. Only one that begins with PARTIAL says that
-- the visits may have been counted.

local BYTES = 16
local KINDS = 2
local OFF = -9007199254740991
local BEHIND = -9007199254740990

-- What an entry of the stream takes beside identities and what is carried, and each of the latter
-- beside its text: about as much as Redis reports.
local ENTRY_BYTES = 64
local FIELD_BYTES = 8

local count = KEYS[1]
local anonymous = tonumber(ARGV[1])
local records, most_visits, most_bytes = ARGV[10] == '1', tonumber(ARGV[11]), tonumber(ARGV[12])
local room = ARGV[13]

if KEYS[8] and (redis.call('GET', KEYS[8]) or '') ~= ARGV[14] then
    return {-2}
end

if ARGV[2] == '0' and redis.call('EXISTS', count) == 0 then
    return {-1}
end

-- Numbers are written out: Lua's own conversion writes 1e+14 from there on, and that of Redis takes twice as long.
local function text(number)
    return string.format('%d', number)
end

-- The state of the record; `nil` if the counter has none and gets none.
local function record()
    local read = redis.call('HMGET', KEYS[6], 'on', 'mode', 'top', 'at', 'bytes', 'through', 'drained', 'gap')
    if not read[1] then
        if not records then
            return nil
        end
        local before = redis.call('GET', count) or '0'
        return {new = true, on = true, mode = '1', top = tonumber(before), at = 0, bytes = 0,
            through = tonumber(before), drained = 0, gap = ''}
    end
    return {
        on = read[1] == '1', mode = read[2], top = tonumber(read[3]), at = tonumber(read[4]),
        bytes = tonumber(read[5]), through = tonumber(read[6]), drained = tonumber(read[7]), gap = read[8]
    }
end

local function exceeds(state, times)
    return state.top - state.through >= times * most_visits or state.bytes - state.drained >= times * most_bytes
end

-- What visits carry, by kind and position; KINDS + 1 is that of those without identity.
local carried, refusal, state
if #ARGV > 14 then
    state = record()
    if not (state and state.on) then
        refusal = OFF
    elseif state.mode ~= ARGV[15] then
        return {-3, tonumber(state.mode)}
    elseif room ~= '0' or state.gap == 'behind' and state.top > state.through or exceeds(state, 1) then
        refusal = BEHIND
    end
    carried = {{}, {}, {}}
    local at = 16
    for kind = 1, KINDS do
        for _ = 1, tonumber(ARGV[at]) do
            carried[kind][tonumber(ARGV[at + 1])] = ARGV[at + 2]
            at = at + 2
        end
        at = at + 1
    end
    for i = at, #ARGV do
        carried[KINDS + 1][i - at + 1] = ARGV[i]
    end
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
        local left = limit - redis.call('HLEN', current) - redis.call('HLEN', previous)
        for i = 1, #ids do
            local number = known[i] or older[i]
            if number then
                numbers[i] = -tonumber(number)
            elseif refusal and carried[kind][i] then
                numbers[i] = refusal
            elseif #new < left then
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
            kind = kind, ids = ids, packed = packed, numbers = numbers, new = new, current = current,
            previous = previous, life = 2 * window, create = create or rotate, rotate = rotate,
            prolong = prolong
        }
    end
end
local bare = carried and not refusal and #carried[KINDS + 1] or 0
fresh = fresh + bare

local waits = {}
if refused then
    for kind = 1, KINDS do
        local ttl = redis.call('PTTL', KEYS[2 * kind + 1])
        waits[kind] = ttl > 0 and ttl or redis.call('PTTL', KEYS[2 * kind])
    end
end

if fresh > 0 and not state then
    state = record()
end

local last, raised = 0, 0
if fresh > 0 then
    if state then
        -- Somebody has made the count less than what is recorded: these numbers are not given again.
        raised = math.max(state.top - tonumber(redis.call('GET', count) or '0'), 0)
    end
    -- The first write of all: a full Redis refuses it, and so has done nothing. After one that
    -- takes no memory, such as RENAME, it would let all others of the script pass.
    last = redis.call('INCRBY', count, text(fresh + raised))
elseif ARGV[3] == '1' and redis.call('EXISTS', count) == 1 then
    -- WAIT waits for what its connection has written, and newer versions of Redis mean it
    -- literally: without a write a replay would be acknowledged before replicas have it.
    redis.call('INCRBY', count, 0)
end
local first = last - fresh + 1

-- An entry of the stream: what the database needs to know of the visits that are counted now. Gives
-- what takes it back, or nothing, and why not.
local function enter()
    if state.gap == 'behind' then
        -- What was not recorded is one range: from here until nothing waits any more.
        if state.top > state.through or room == '2' then
            return
        end
    elseif room == '2' or exceeds(state, 2) then
        redis.pcall('HSET', KEYS[6], 'gap', 'behind')
        return
    end
    local time = redis.call('TIME')
    local at = math.max(time[1] * 1000 + math.floor(time[2] / 1000), state.at)
    local now, number = text(at), text(last)
    local entry = {'n', text(fresh), 't', now, 'c', ''}
    local bytes = ENTRY_BYTES
    local function add(field, value)
        entry[#entry + 1] = field
        entry[#entry + 1] = value
        bytes = bytes + #value + FIELD_BYTES
    end
    if state.top ~= first - 1 then
        add('p', text(state.top))
        if state.gap ~= '' then
            add('w', state.gap)
        end
    end
    if anonymous > 0 and fresh > anonymous + bare then
        add('i', text(anonymous))
    end
    for _, kind in ipairs(kinds) do
        if #kind.new == #kind.ids then
            add(kind.kind == 1 and 'r' or 'k', kind.packed)
        elseif #kind.new > 0 then
            local ids = {}
            for i, position in ipairs(kind.new) do
                ids[i] = kind.ids[position]
            end
            add(kind.kind == 1 and 'r' or 'k', table.concat(ids))
        end
    end
    if carried then
        local offset = anonymous
        for _, kind in ipairs(kinds) do
            for _, position in ipairs(kind.new) do
                local what = carried[kind.kind][position]
                if what then
                    add(tostring(offset), what)
                end
                offset = offset + 1
            end
        end
        for i = 1, bare do
            add(tostring(offset + i - 1), carried[KINDS + 1][i])
        end
    end
    local written = text(state.bytes + bytes)
    entry[6] = written
    local id = number .. '-0'
    local entered = redis.pcall('XADD', KEYS[7], id, unpack(entry))
    if type(entered) == 'table' and entered.err then
        return nil, entered.err
    end
    local top = {'top', number, 'at', now, 'bytes', written}
    if state.new then
        top = {'on', '1', 'mode', state.mode, 'version', '0', 'through', text(state.through), 'drained', '0',
            'gap', '', unpack(top)}
    elseif state.gap ~= '' then
        top = {'gap', '', unpack(top)}
    end
    local function undo()
        redis.pcall('XDEL', KEYS[7], id)
        -- Else the stream would take no entry with this number again.
        redis.pcall('XSETID', KEYS[7], text(state.top) .. '-0')
        if state.new then
            redis.pcall('DEL', KEYS[6], KEYS[7])
        else
            redis.pcall('HSET', KEYS[6], 'top', text(state.top), 'at', text(state.at), 'bytes', text(state.bytes),
                'gap', state.gap)
        end
    end
    local noted = redis.pcall('HSET', KEYS[6], unpack(top))
    if type(noted) == 'table' and noted.err then
        undo()
        return nil, noted.err
    end
    return undo
end

local undo
if fresh > 0 and state and state.on then
    local failure
    undo, failure = enter()
    -- Visits that carry nothing are counted, whatever becomes of the record.
    if failure and carried and not refusal then
        redis.call('INCRBY', count, -fresh - raised)
        return redis.error_reply('REFUSED ' .. failure)
    end
end

if fresh > anonymous + bare then
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
                entries[#entries + 1] = text(number)
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
        local undone = not remembered and type(redis.pcall('INCRBY', count, -fresh - raised)) == 'number'
        if undone and undo then
            undo()
        end
        return redis.error_reply((undone and 'REFUSED ' or 'PARTIAL ') .. failure)
    end
end

local reply = {first}
for _, kind in ipairs(kinds) do
    for i = 1, #kind.ids do
        reply[#reply + 1] = kind.numbers[i]
    end
end
if carried then
    for i = 1, #carried[KINDS + 1] do
        reply[#reply + 1] = refusal or last - bare + i
    end
end
for _, wait in ipairs(waits) do
    reply[#reply + 1] = wait
end
return reply
