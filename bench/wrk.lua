-- For wrk: prints what became of the requests as one line of JSON. With IDS in the environment, each
-- request has an X-Request-ID of its own, as a proxy would set it.

local PLACEHOLDER = string.rep('0', 16)
local threads = 0

function setup(thread)
    thread:set('number', threads)
    threads = threads + 1
end

-- wrk takes requests for constant as long as there is no such function, which is much cheaper.
if os.getenv('IDS') then
    local before, after, sent

    function init()
        wrk.headers['X-Request-ID'] = os.getenv('IDS') .. '-' .. number .. '-' .. PLACEHOLDER
        local request = wrk.format()
        local from, to = request:find(PLACEHOLDER, 1, true)
        before, after, sent = request:sub(1, from - 1), request:sub(to + 1), 0
    end

    function request()
        sent = sent + 1
        return before .. string.format('%016d', sent) .. after
    end
end

-- Latencies are not among it: see docs/benchmarks/README.md.
function done(summary)
    local errors = summary.errors
    io.write(string.format(
        '{"requests": %d, "failures": %d, "seconds": %f}\n',
        summary.requests,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        summary.duration / 1e6
    ))
end
