-- Counts one action, unless there were too many.
--
-- KEYS: the actions of one bucket, by when they were done.
-- ARGV: the action, the limit, how long an action counts, in milliseconds.
--
-- Answers 0 if it was counted, else in how many milliseconds the oldest counts no longer.

local limit, window = tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- What is from the future is from before the clock was set back: people would be locked out for
-- as long as it was wrong.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')

if redis.call('ZCARD', KEYS[1]) < limit then
    redis.call('ZADD', KEYS[1], now, ARGV[1])
    redis.call('PEXPIRE', KEYS[1], window)
    return 0
end
local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return math.max(oldest[2] + window - now, 1)
