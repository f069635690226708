-- The log, and what stands beside it.

-- The row that every append locks until it has committed, on whatever node. It never changes, so that it leaves nothing
-- to clean up; where the log ends is asked of the index of its positions.
CREATE TABLE log_head (only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one));
INSERT INTO log_head VALUES (true);

-- Streams by number: an index of integers costs a third of an index of names. A stream has no version
-- column, because its version is the highest one in events_by_stream. Numbers are given out under the head's lock.
CREATE TABLE streams (
    id   bigint PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE
);

-- Event types by number. A type belongs to a category, so the type alone tells an event's category.
CREATE TABLE event_types (
    id       integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    category text COLLATE "C" NOT NULL,
    name     text COLLATE "C" NOT NULL,
    UNIQUE (category, name)
);

-- The log. What can be derived is NULL, which takes no room:
--   causation    NULL is the command that the event's id leads back to as its first event; '' is none
--   correlation  NULL is the same as the causation; '' is none
--   metadata     NULL is empty
-- JSON is kept as text, since it must be read as it was written, to the byte; data::json looks into it.
CREATE TABLE events (
    position    bigint  PRIMARY KEY,
    stream      bigint  NOT NULL,
    version     bigint  NOT NULL,
    recorded_at bigint  NOT NULL, -- microseconds since 1970
    type        integer NOT NULL,
    id          uuid    NOT NULL,
    data        text    NOT NULL,
    causation   bytea,
    correlation bytea,
    metadata    text
);

CREATE UNIQUE INDEX events_by_stream ON events (stream, version);

-- Events are facts: nobody changes them, not even by hand.
CREATE FUNCTION events_are_facts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events are never changed: % is refused', TG_OP USING ERRCODE = 'object_not_in_prerequisite_state';
END $$;

CREATE TRIGGER events_are_facts BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION events_are_facts();
ALTER TABLE events ENABLE ALWAYS TRIGGER events_are_facts;

-- The first outcome of each command that asked to be remembered.
CREATE TABLE receipts (
    command_id uuid     PRIMARY KEY,
    position   bigint   NOT NULL,
    events     bigint   NOT NULL,
    versions   bigint[] NOT NULL -- one for each write
);

-- Writes a batch that was judged by what its node knew, if all of that is so; under the head's lock, in one call.
-- Positions count from the head, and negative numbers of streams name the new ones. Answers with where the log and the
-- streams ended before.
--
-- Who wrote meanwhile is noticed by a unique index where something is written: a stream has the version already, a name
-- is taken, a command has its receipt. What nothing is written to, and what the batch was judged by all the same, is looked
-- at: streams must have their versions, and commands no receipts. If not, the answer is NULL, and nothing is written.
--
-- Each statement in here sees what was committed before it began; so what comes after the lock sees all.
CREATE FUNCTION append_batch(
    checked_streams    text[],
    checked_versions   bigint[],
    checked_commands   uuid[],
    new_streams        text[],
    event_streams      bigint[],
    event_versions     bigint[],
    event_times        bigint[],
    event_types        integer[],
    event_ids          uuid[],
    event_data         text[],
    event_causations   bytea[],
    event_correlations bytea[],
    event_metadata     text[],
    receipt_commands   uuid[],
    receipt_positions  bigint[],
    receipt_events     bigint[],
    receipt_versions   text[],
    OUT head           bigint,
    OUT last_stream    bigint
) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM log_head FOR UPDATE;
    -- An expression with a query in it costs as much as a query even when it does not get so far; so it stands inside.
    IF cardinality(checked_streams) > 0 THEN
        IF EXISTS (
            SELECT FROM unnest(checked_streams, checked_versions) AS checked (name, version)
            WHERE checked.version <> coalesce((
                -- By the stream's number: a join would read all of its events.
                SELECT events.version
                FROM events
                WHERE events.stream = (SELECT streams.id FROM streams WHERE streams.name = checked.name)
                ORDER BY events.version DESC
                LIMIT 1), 0))
        THEN
            RETURN;
        END IF;
    END IF;
    IF cardinality(checked_commands) > 0 THEN
        IF EXISTS (SELECT FROM receipts WHERE command_id = ANY (checked_commands)) THEN
            RETURN;
        END IF;
    END IF;
    head := coalesce((SELECT max(position) FROM events), 0);
    IF cardinality(new_streams) > 0 THEN
        last_stream := coalesce((SELECT max(id) FROM streams), 0);
        INSERT INTO streams (id, name)
        SELECT last_stream + stream.number, stream.name
        FROM unnest(new_streams) WITH ORDINALITY AS stream (name, number);
    END IF;
    INSERT INTO events
        (position, stream, version, recorded_at, type, id, data, causation, correlation, metadata)
    SELECT head + event.number, CASE WHEN event.stream < 0 THEN last_stream - event.stream ELSE event.stream END,
           event.version, event.recorded_at, event.type, event.id, event.data, event.causation, event.correlation,
           event.metadata
    FROM unnest(event_streams, event_versions, event_times, event_types, event_ids, event_data, event_causations,
                event_correlations, event_metadata)
         WITH ORDINALITY AS event (stream, version, recorded_at, type, id, data, causation, correlation, metadata, number);
    IF cardinality(receipt_commands) > 0 THEN
        INSERT INTO receipts (command_id, position, events, versions)
        SELECT receipt.command_id, head + receipt.position, receipt.events, receipt.versions::bigint[]
        FROM unnest(receipt_commands, receipt_positions, receipt_events, receipt_versions)
             AS receipt (command_id, position, events, versions);
    END IF;
END $$;
