-- Which counters were counted on lately: asked whenever counting goes on over another connection to Redis.
CREATE INDEX recordings_by_time ON recordings (through_at);
