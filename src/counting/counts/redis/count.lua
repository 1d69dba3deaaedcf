-- Counts a batch of visits of one counter, remembers their identities and writes what is recorded of
-- them, atomically.
--
-- KEYS: the count; the state of the record and its stream; then for each kind of identity that the batch
--       has the set in use and the one before it; where passes were looked at, the epoch of what was
--       revoked.
-- ARGV: visits without identity that carry nothing, whether the counter is listed, whether replicas are
--       waited for and whether a counter without a state is recorded (0 or 1); most visits and most bytes
--       that may wait to be recorded, what there is room for (0 everything, 1 nothing that is carried,
--       2 no record); the epoch that is known, or * where none is compared. Only where visits have
--       identities or carry something: for each kind its window in milliseconds and most identities to
--       remember; for each kind how many there are; the identities. Only where visits carry something: how
--       visitors are stored in what follows; for each kind how many identities carry something, and for
--       each of these its position and what it carries; then what each visit without identity carries.
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
--
-- What Lua does costs Redis more than most commands: turning a text into a number or back as much as
-- EXISTS, making a function half of that. So a call makes what it needs, and nothing before it does.

local count = KEYS[1]

if ARGV[8] ~= '*' and (redis.call('GET', KEYS[#KEYS]) or '') ~= ARGV[8] then
    return {-2}
end

if ARGV[2] == '0' and redis.call('EXISTS', count) == 0 then
    return {-1}
end

local records = ARGV[4] == '1'
local may_have_state = records or redis.call('EXISTS', KEYS[2]) == 1
if not may_have_state and #ARGV == 8 then
    return {redis.call('INCRBY', count, ARGV[1]) - ARGV[1] + 1}
end

-- What an entry of the stream takes beside identities and what is carried, and each of the latter
-- beside its text: about as much as Redis reports.
local ENTRY_BYTES = 64
local FIELD_BYTES = 8

local most_visits, most_bytes, room = ARGV[5], ARGV[6], ARGV[7]

-- Numbers are written out with '%d': Lua's own conversion writes 1e+14 from there on, and that of Redis
-- takes twice as long.
local format = string.format

-- The state of the record; all `false` if the counter has none.
local read = may_have_state
    and redis.call('HMGET', KEYS[2], 'on', 'mode', 'top', 'at', 'bytes', 'through', 'drained', 'gap')

-- Most batches carry nothing and follow what was recorded last, of a counter that is not behind. These are
-- counted and recorded here, as it is done below for all others, where it takes Redis a third longer.
if #ARGV == 8 and read[1] == '1' and read[8] == '' and room ~= '2' and redis.call('GET', count) == read[3]
    and read[3] - read[6] < 2 * most_visits and read[5] - read[7] < 2 * most_bytes then
    local last = redis.call('INCRBY', count, ARGV[1])
    local time = redis.call('TIME')
    local at = format('%d', math.max(time[1] * 1000 + math.floor(time[2] / 1000), read[4]))
    local number, bytes = format('%d', last), format('%d', read[5] + ENTRY_BYTES)
    local id = number .. '-0'
    -- It is counted, whatever becomes of the record.
    if type(redis.pcall('XADD', KEYS[3], id, 'n', ARGV[1], 't', at, 'c', bytes)) == 'string'
        and type(redis.pcall('HSET', KEYS[2], 'top', number, 'at', at, 'bytes', bytes)) ~= 'number' then
        redis.pcall('XDEL', KEYS[3], id)
        -- Else the stream would take no entry with this number again.
        redis.pcall('XSETID', KEYS[3], read[3] .. '-0')
    end
    return {last - ARGV[1] + 1}
end

local KINDS = 2
local FIRST = 15
local OFF = -9007199254740991
local BEHIND = -9007199254740990

local anonymous = tonumber(ARGV[1])

-- The state of the record; `nil` if the counter has none and gets none.
local function record()
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

-- How many identities of each kind there are; what follows them.
local sizes, behind = {0, 0}, FIRST
if #ARGV > 8 then
    sizes = {tonumber(ARGV[13]), tonumber(ARGV[14])}
    behind = FIRST + sizes[1] + sizes[2]
end

-- What visits carry, by kind and position; KINDS + 1 is that of those without identity.
local carried, refusal, state
if ARGV[behind] then
    state = may_have_state and record() or nil
    if not (state and state.on) then
        refusal = OFF
    elseif state.mode ~= ARGV[behind] then
        return {-3, tonumber(state.mode)}
    elseif room ~= '0' or state.gap == 'behind' and state.top > state.through or exceeds(state, 1) then
        refusal = BEHIND
    end
    carried = {{}, {}, {}}
    local at = behind + 1
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
local key, from = 4, FIRST
for kind = 1, KINDS do
    local size = sizes[kind]
    if size > 0 then
        local current, previous, to = KEYS[key], KEYS[key + 1], from + size - 1
        local held, before = redis.call('HLEN', current), redis.call('HLEN', previous)
        -- Of what is new it stays `false`, until there is a number.
        local numbers = redis.call('HMGET', current, unpack(ARGV, from, to))
        local older = before > 0 and redis.call('HMGET', previous, unpack(ARGV, from, to))
        local left = ARGV[8 + 2 * kind] - held - before
        local new = 0
        for i = 1, size do
            local number = numbers[i] or older and older[i]
            if number then
                numbers[i] = -number
            elseif refusal and carried[kind][i] then
                numbers[i] = refusal
            elseif new < left then
                new = new + 1
            else
                numbers[i] = 0
                refused = true
            end
        end
        -- A set is created to live for two windows and is written to during the first, so each
        -- identity in it is remembered for at least one.
        local window, create, rotate, prolong = 0, false, false, false
        if new > 0 then
            local ttl = redis.call('PTTL', current)
            window = tonumber(ARGV[7 + 2 * kind])
            create = ttl < 0
            if ttl >= 0 and ttl <= window then
                -- In its last millisecond a set still exists; all in it is older than a window.
                rotate = redis.call('PTTL', previous) <= 0
                -- Only while replicas with different windows are at work: none may be forgotten.
                prolong = not rotate
            end
        end
        fresh = fresh + new
        kinds[#kinds + 1] = {
            kind = kind, from = from, size = size, numbers = numbers, new = new, current = current,
            previous = previous, life = 2 * window, create = create or rotate, rotate = rotate,
            prolong = prolong
        }
        key, from = key + 2, from + size
    end
end
local bare = carried and not refusal and #carried[KINDS + 1] or 0
fresh = fresh + bare

local waits = {}
if refused then
    waits = {0, 0}
    for _, kind in ipairs(kinds) do
        local ttl = redis.call('PTTL', kind.previous)
        waits[kind.kind] = ttl > 0 and ttl or redis.call('PTTL', kind.current)
    end
end

if fresh > 0 and may_have_state and not state then
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
    last = redis.call('INCRBY', count, format('%d', fresh + raised))
elseif ARGV[3] == '1' and redis.call('EXISTS', count) == 1 then
    -- WAIT waits for what its connection has written, and newer versions of Redis mean it
    -- literally: without a write a replay would be acknowledged before replicas have it.
    redis.call('INCRBY', count, 0)
end
local first = last - fresh + 1

local undo
if fresh > 0 and state and state.on then
    -- The identities of a kind that are new, one after the other.
    local function packed(kind)
        if kind.new == kind.size then
            return table.concat(ARGV, '', kind.from, kind.from + kind.size - 1)
        end
        local ids = {}
        for i = 1, kind.size do
            if not kind.numbers[i] then
                ids[#ids + 1] = ARGV[kind.from + i - 1]
            end
        end
        return table.concat(ids)
    end

    -- An entry of the stream: what the database needs to know of the visits that are counted now. Gives
    -- what takes it back, or nothing, and why not.
    local function enter()
        if state.gap == 'behind' then
            -- What was not recorded is one range: from here until nothing waits any more.
            if state.top > state.through or room == '2' then
                return
            end
        elseif room == '2' or exceeds(state, 2) then
            redis.pcall('HSET', KEYS[2], 'gap', 'behind')
            return
        end
        local time = redis.call('TIME')
        local at = math.max(time[1] * 1000 + math.floor(time[2] / 1000), state.at)
        local now, number = format('%d', at), format('%d', last)
        local entry = {'n', format('%d', fresh), 't', now, 'c', ''}
        local bytes = ENTRY_BYTES
        local function add(field, value)
            entry[#entry + 1] = field
            entry[#entry + 1] = value
            bytes = bytes + #value + FIELD_BYTES
        end
        if state.top ~= first - 1 then
            add('p', format('%d', state.top))
            if state.gap ~= '' then
                add('w', state.gap)
            end
        end
        if anonymous > 0 and fresh > anonymous + bare then
            add('i', format('%d', anonymous))
        end
        for _, kind in ipairs(kinds) do
            if kind.new > 0 then
                add(kind.kind == 1 and 'r' or 'k', packed(kind))
            end
        end
        if carried then
            local offset = anonymous
            for _, kind in ipairs(kinds) do
                for i = 1, kind.size do
                    if not kind.numbers[i] then
                        local what = carried[kind.kind][i]
                        if what then
                            add(tostring(offset), what)
                        end
                        offset = offset + 1
                    end
                end
            end
            for i = 1, bare do
                add(tostring(offset + i - 1), carried[KINDS + 1][i])
            end
        end
        local written = format('%d', state.bytes + bytes)
        entry[6] = written
        local id = number .. '-0'
        local entered = redis.pcall('XADD', KEYS[3], id, unpack(entry))
        if type(entered) == 'table' and entered.err then
            return nil, entered.err
        end
        local top = {'top', number, 'at', now, 'bytes', written}
        if state.new then
            top = {'on', '1', 'mode', state.mode, 'version', '0', 'through', format('%d', state.through),
                'drained', '0', 'gap', '', unpack(top)}
        elseif state.gap ~= '' then
            top = {'gap', '', unpack(top)}
        end
        local function undo()
            redis.pcall('XDEL', KEYS[3], id)
            -- Else the stream would take no entry with this number again.
            redis.pcall('XSETID', KEYS[3], format('%d', state.top) .. '-0')
            if state.new then
                redis.pcall('DEL', KEYS[2], KEYS[3])
            else
                redis.pcall('HSET', KEYS[2], 'top', format('%d', state.top), 'at', format('%d', state.at),
                    'bytes', format('%d', state.bytes), 'gap', state.gap)
            end
        end
        local noted = redis.pcall('HSET', KEYS[2], unpack(top))
        if type(noted) == 'table' and noted.err then
            undo()
            return nil, noted.err
        end
        return undo
    end

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
        if kind.new > 0 then
            local entries, numbers, before, used = {}, kind.numbers, kind.from - 1, 0
            for i = 1, kind.size do
                if not numbers[i] then
                    numbers[i] = number
                    entries[used + 1] = ARGV[before + i]
                    entries[used + 2] = format('%d', number)
                    used, number = used + 2, number + 1
                end
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

local reply = {first, unpack(kinds[1] and kinds[1].numbers or {})}
if kinds[2] then
    for i = 1, kinds[2].size do
        reply[#reply + 1] = kinds[2].numbers[i]
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
