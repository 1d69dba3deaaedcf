-- Removes what is in the database from the stream of a counter.
--
-- KEYS: the state of the record and its stream.
-- ARGV: up to which number it is recorded, and the bytes ever written up to there.
--
-- Answers 1 if something was new. Any number of replicas may say it, in any order.

local read = redis.call('HMGET', KEYS[1], 'through', 'top')
if not read[1] or tonumber(read[1]) >= tonumber(ARGV[1]) then
    return 0
end
if tonumber(read[2]) < tonumber(ARGV[1]) then
    -- Another Redis by now, that has lost visits: what it counts under their numbers is still to be read.
    return 0
end
-- First, since only this can fail: what is removed twice is removed once.
redis.call('XTRIM', KEYS[2], 'MINID', string.format('%.0f', tonumber(ARGV[1]) + 1))
redis.call('HSET', KEYS[1], 'through', ARGV[1], 'drained', ARGV[2])
return 1
