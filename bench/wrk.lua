-- For wrk: prints what became of the requests as one line of JSON. With IDS in the environment, each
-- request has an X-Request-ID of its own, as a proxy would set it; with BODY, it is a POST of that.

local PLACEHOLDER = string.rep('0', 16)
local threads = 0

function setup(thread)
    thread:set('number', threads)
    threads = threads + 1
end

if os.getenv('BODY') then
    wrk.method, wrk.body = 'POST', os.getenv('BODY')
    wrk.headers['Content-Type'] = 'application/json'
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

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '{"requests": %d, "failures": %d, "seconds": %f, "p50_us": %d, "p99_us": %d, "p999_us": %d}\n',
        summary.requests,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        summary.duration / 1e6,
        latency:percentile(50), latency:percentile(99), latency:percentile(99.9)
    ))
end
