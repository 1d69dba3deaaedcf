-- Says in the stream of a counter how far it has been counted without being recorded: by older versions
-- of Footfall, or while too much waited. Else it would be said with the next visit that is recorded.
--
-- KEYS: the count, the state of the record and its stream.
--
-- Answers 1 if there was something to say.

local read = redis.call('HMGET', KEYS[2], 'on', 'top', 'at', 'bytes', 'gap', 'through')
local count = redis.call('GET', KEYS[1])
if not read[1] or not count or tonumber(count) <= tonumber(read[2]) then
    return 0
end
if read[5] == 'behind' and tonumber(read[2]) > tonumber(read[6]) then
    -- What was not recorded is one range, until nothing waits any more.
    return 0
end
local time = redis.call('TIME')
local at = math.max(time[1] * 1000 + math.floor(time[2] / 1000), tonumber(read[3]))
local bytes = string.format('%.0f', tonumber(read[4]) + 64)
local entry = {'n', 0, 't', string.format('%.0f', at), 'c', bytes, 'p', read[2]}
if read[5] ~= '' then
    entry[#entry + 1] = 'w'
    entry[#entry + 1] = read[5]
end
redis.call('XADD', KEYS[3], count .. '-0', unpack(entry))
redis.call('HSET', KEYS[2], 'top', count, 'at', string.format('%.0f', at), 'bytes', bytes,
    'gap', read[1] == '1' and '' or read[5])
return 1
