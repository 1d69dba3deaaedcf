-- Charges one attempt to log in, unless there are too many failures.
--
-- KEYS: the failures of the subject; its attempts under way, by when they began.
-- ARGV: the attempt, the limit, how long failures are remembered and how long an attempt
--       may be under way, in milliseconds.
--
-- Answers the failures that are known, the attempts under way and for how many milliseconds
-- the failures are remembered. The attempt is charged if the first two, together, are less
-- than the limit.

local limit, window, under_way = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- What is from the future is from before the clock was set back.
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - window)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '(' .. now, '+inf')
local recent = redis.call('ZCOUNT', KEYS[2], now - under_way, '+inf')
local failures = tonumber(redis.call('GET', KEYS[1]) or 0) + redis.call('ZCARD', KEYS[2]) - recent

local remembered = math.max(redis.call('PTTL', KEYS[1]), 0)
if remembered > window then
    -- Likewise: people would be locked out for as long as the clock was wrong.
    redis.call('PEXPIRE', KEYS[1], window)
    remembered = window
elseif remembered == 0 and failures > 0 then
    remembered = math.max(redis.call('PTTL', KEYS[2]), 0)
end

if failures + recent < limit then
    redis.call('ZADD', KEYS[2], now, ARGV[1])
    redis.call('PEXPIRE', KEYS[2], window)
end
return {failures, recent, remembered}
