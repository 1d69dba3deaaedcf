-- What was revoked after an epoch.
--
-- KEYS: the history, the epoch. ARGV: the epoch that is known, the last entry of the page before if
--       there was one, and how many there are on a page.
--
-- Answers the epoch; 0 if it is the known one, 1 for what came after it, 2 for everything, since the
-- known epoch is not in the history; and a page of that. See publish.lua.

local history = KEYS[1]
local epoch = redis.call('GET', KEYS[2]) or ''
local known, after, kind = ARGV[1], ARGV[2], 1
if after == '' then
    if epoch == known then
        return {epoch, 0, {}}
    end
    local at = redis.call('ZRANGEBYLEX', history, '[' .. known, '+', 'LIMIT', 0, 1)[1]
    if known ~= '' and at and string.sub(at, 1, #known + 1) == known .. '|' then
        after = at
    else
        kind = 2
    end
end
local from = after == '' and '-' or '(' .. after
return {epoch, kind, redis.call('ZRANGEBYLEX', history, from, '+', 'LIMIT', 0, ARGV[3])}
