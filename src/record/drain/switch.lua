-- Has a counter recorded as the database says, unless something newer is known.
--
-- KEYS: the count, the state of the record.
-- ARGV: whether visits are recorded (0 or 1), how visitors are stored, the version of that, and up to
--       which number the database has visits.
--
-- Answers 1 if it was news.

local read = redis.call('HMGET', KEYS[2], 'on', 'version', 'gap')
if not read[1] then
    -- Nobody has counted here since there is a record, or all of it is lost: it goes on behind what the
    -- database has.
    local through = string.format('%.0f', math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), tonumber(ARGV[4])))
    redis.call('HSET', KEYS[2], 'on', ARGV[1], 'mode', ARGV[2], 'version', ARGV[3], 'top', through, 'at', '0',
        'bytes', '0', 'through', through, 'drained', '0', 'gap', ARGV[1] == '0' and 'off' or '')
    return 1
end
if tonumber(read[2]) >= tonumber(ARGV[3]) then
    return 0
end
local gap = read[3]
if ARGV[1] == '0' then
    gap = 'off'
end
redis.call('HSET', KEYS[2], 'on', ARGV[1], 'mode', ARGV[2], 'version', ARGV[3], 'gap', gap)
return 1
