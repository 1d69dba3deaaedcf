-- Puts a counter into the index of counters, if there is room for one more.
--
-- KEYS: the index. ARGV: the counter's name, most counters.
--
-- Answers 1 if it is listed now, 0 if there is no room.

if redis.call('ZSCORE', KEYS[1], ARGV[1]) then
    return 1
end
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
    return 0
end
redis.call('ZADD', KEYS[1], 0, ARGV[1])
return 1
