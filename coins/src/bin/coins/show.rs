//! Accounts and events, in words and in JSON.

use coins::{
    AccountBalance, AccountEvent, RecordedAccountEvent, StatementEntry, StatementLine, TransferId,
    TransferStatus,
};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use cqrs_core::{
    CodecError, Json, Metadata, Position, StreamId, SubscriberKind, SubscriberState, SubscriberStatus,
    Timestamp, Version, encode,
};
use serde::Serialize;

/// An event as `--json` has it.
#[derive(Debug, Serialize)]
pub(crate) struct EventLine<'a> {
    position: Position,
    stream: &'a StreamId,
    version: Version,
    #[serde(rename = "type")]
    event_type: &'a str,
    data: Json,
    metadata: &'a Metadata,
    recorded_at: Timestamp,
}

impl<'a> EventLine<'a> {
    pub(crate) fn of(event: &'a RecordedAccountEvent) -> Result<Self, CodecError> {
        Ok(Self {
            position: event.position,
            stream: &event.stream,
            version: event.version,
            event_type: &event.event_type,
            data: encode(&event.data)?.1,
            metadata: &event.metadata,
            recorded_at: event.recorded_at,
        })
    }
}

/// An event in one line: position, time, account and version, and what happened.
pub(crate) fn event(event: &RecordedAccountEvent) -> String {
    let account = format!("{}@{}", event.data.account_id(), event.version);
    let time = second(event.recorded_at);
    format!("{:>6}  {time}  {account:<12}  {}", event.position, happened(&event.data))
}

/// What happened, in words.
pub(crate) fn happened(event: &AccountEvent) -> String {
    match event {
        AccountEvent::CoinMined { nonce, .. } => format!("CoinMined      nonce {nonce}"),
        AccountEvent::CoinsSent { to, amount, transfer_id, .. } => {
            format!("CoinsSent      {amount} to {to}, transfer {}", short(*transfer_id))
        }
        AccountEvent::CoinsReceived { from, amount, transfer_id, .. } => {
            format!("CoinsReceived  {amount} from {from}, transfer {}", short(*transfer_id))
        }
    }
}

/// Enough of a transfer's id to find its other half; JSON has all of it.
fn short(transfer_id: TransferId) -> String {
    transfer_id.to_string().chars().take(8).collect()
}

/// Accounts as a table.
pub(crate) fn accounts(accounts: &[AccountBalance]) -> String {
    if accounts.is_empty() {
        return nobody();
    }
    let mut table = table(["account", "balance", "mined", "sent", "received", "last nonce"]);
    for account in accounts {
        let AccountBalance { account_id, balance, mined, sent, received, last_nonce } = account;
        let last_nonce = last_nonce.map_or_else(|| "-".to_owned(), |nonce| nonce.to_string());
        let numbers = [balance, mined, sent, received].map(ToString::to_string);
        table.add_row([account_id.to_string()].into_iter().chain(numbers).chain([last_nonce]));
    }
    right(&mut table, &[1, 2, 3, 4, 5]);
    table.to_string()
}

/// A statement as a table.
pub(crate) fn statement(lines: &[StatementLine]) -> String {
    let mut table = table(["version", "when", "what", "change", "balance"]);
    for line in lines {
        let what = match &line.entry {
            StatementEntry::Mined { nonce } => format!("mined with nonce {nonce}"),
            StatementEntry::Sent { to, transfer_id } => {
                format!("sent to {to}, transfer {}", short(*transfer_id))
            }
            StatementEntry::Received { from, transfer_id } => {
                format!("received from {from}, transfer {}", short(*transfer_id))
            }
            other => format!("{other:?}"),
        };
        let StatementLine { version, at, change, balance, .. } = line;
        table.add_row([version.to_string(), second(*at), what, format!("{change:+}"), balance.to_string()]);
    }
    right(&mut table, &[0, 3, 4]);
    table.to_string()
}

/// Transfers as a table.
pub(crate) fn transfers(transfers: &[TransferStatus]) -> String {
    if transfers.is_empty() {
        return "no transfers".to_owned();
    }
    let mut table = table(["transfer", "sent", "from", "to", "coins", "arrived after"]);
    for transfer in transfers {
        let arrived =
            transfer.duration().map_or_else(|| "under way".to_owned(), |after| format!("{after:.1?}"));
        let TransferStatus { transfer_id, from, to, amount, sent_at, .. } = transfer;
        let ends = [from.to_string(), to.to_string(), amount.to_string(), arrived];
        table.add_row([short(*transfer_id), second(*sent_at)].into_iter().chain(ends));
    }
    right(&mut table, &[4, 5]);
    table.to_string()
}

/// Subscribers as a table.
pub(crate) fn status(subscribers: &[SubscriberStatus]) -> String {
    let mut table = table(["name", "kind", "state", "position", "lag", "events/s", "parked", "last error"]);
    for status in subscribers {
        let numbers = [status.position.as_u64(), status.lag(), status.rate, status.parked];
        let [position, lag, rate, parked] = numbers.map(|number| number.to_string());
        let error = status
            .last_error
            .as_ref()
            .map_or_else(|| "-".to_owned(), |(at, error)| format!("{} {error}", second(*at)));
        let (name, kind, state) =
            (status.name.to_owned(), kind(status.kind).to_owned(), state(&status.state));
        table.add_row([name, kind, state, position, lag, rate, parked, error]);
    }
    right(&mut table, &[3, 4, 5, 6]);
    table.to_string()
}

/// What a subscriber is, in words.
pub(crate) fn kind(kind: SubscriberKind) -> &'static str {
    match kind {
        SubscriberKind::Projection => "projection",
        SubscriberKind::ProcessManager => "process manager",
        _ => "subscriber",
    }
}

/// How a subscriber is, in a word.
pub(crate) fn state(state: &SubscriberState) -> String {
    match state {
        SubscriberState::Running => "running".to_owned(),
        SubscriberState::Retrying { attempts, .. } => format!("retrying, {attempts} failed"),
        SubscriberState::Waiting { .. } => "waiting".to_owned(),
        SubscriberState::Rebuilding => "rebuilding".to_owned(),
        SubscriberState::Stopped { error: None } => "stopped".to_owned(),
        SubscriberState::Stopped { error: Some(error) } => format!("stopped: {error}"),
        other => format!("{other:?}"),
    }
}

/// A table with a header.
pub(crate) fn table<const COLUMNS: usize>(header: [&str; COLUMNS]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    table
}

/// Puts columns of numbers to the right.
pub(crate) fn right(table: &mut Table, columns: &[usize]) {
    for (index, column) in table.column_iter_mut().enumerate() {
        if columns.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// A time to the second: who wants the microseconds takes JSON.
fn second(time: Timestamp) -> String {
    let time = time.to_string();
    let (date, clock) = (time.get(..10).unwrap_or(&time), time.get(11..19).unwrap_or_default());
    format!("{date} {clock}")
}

/// What to say when there are no accounts.
pub(crate) fn nobody() -> String {
    "nobody has an account yet".to_owned()
}

/// A number of coins.
pub(crate) fn coins(count: u64) -> String {
    if count == 1 { "1 coin".to_owned() } else { format!("{count} coins") }
}
