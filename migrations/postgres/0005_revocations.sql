-- What is good no longer, though no token says so. Replicas compare with what of it is published in
-- Redis; what is not yet, any of them publishes.

CREATE TABLE revocations (
    seq            BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind           TEXT    NOT NULL,
    subject        UUID    NOT NULL,
    below          BIGINT,
    except_session UUID,
    noted_at       BIGINT  NOT NULL,
    until          BIGINT  NOT NULL,
    published      BOOLEAN NOT NULL
);

CREATE INDEX revocations_not_published ON revocations (seq) WHERE NOT published;
CREATE INDEX revocations_until ON revocations (until);
