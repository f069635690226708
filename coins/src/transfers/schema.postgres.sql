-- Every transfer. The projection transfers keeps it; whatever is here can be made again from the events.
CREATE TABLE IF NOT EXISTS coins_transfers (
    -- Of the event that the coins were sent.
    position    bigint PRIMARY KEY,
    transfer_id uuid   NOT NULL,
    sender      text COLLATE "C" NOT NULL,
    receiver    text COLLATE "C" NOT NULL,
    amount      bigint NOT NULL CHECK (amount > 0),
    -- Microseconds since 1970; NULL while the coins are under way.
    sent_at     bigint NOT NULL,
    arrived_at  bigint,
    -- Another sender may use the same id.
    UNIQUE (transfer_id, sender)
);

-- One account's transfers, the newest first.
CREATE INDEX IF NOT EXISTS coins_transfers_by_sender ON coins_transfers (sender, position);
CREATE INDEX IF NOT EXISTS coins_transfers_by_receiver ON coins_transfers (receiver, position);

-- What is under way, however many have arrived.
CREATE INDEX IF NOT EXISTS coins_transfers_under_way ON coins_transfers (position) WHERE arrived_at IS NULL;
