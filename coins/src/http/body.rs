//! What is answered, as it is written and described.

use cqrs_core::{
    Position, StreamId, SubscriberKind, SubscriberState, SubscriberStatus, Timestamp, Version,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    AccountBalance, AccountEvent, AccountId, AccountPage, Amount, RecordedAccountEvent, StatementEntry,
    StatementLine, TransferId, TransferStatus,
};

/// A coin that was granted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Mined {
    /// Whose coin it is.
    #[schema(value_type = String)]
    pub(super) account_id: AccountId,
    /// What proved the work.
    pub(super) nonce: u64,
    /// Of the account, afterwards.
    #[schema(value_type = u64)]
    pub(super) version: Version,
    /// Of the event in the log.
    #[schema(value_type = u64)]
    pub(super) position: Position,
    /// Whether queries know of it. If not, they lag behind, and will.
    pub(super) visible: bool,
    /// Whether this was done when the same request came before; nothing was changed this time.
    pub(super) duplicate: bool,
}

/// Coins that were sent.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Sent {
    /// Which transfer.
    #[schema(value_type = String, format = "uuid")]
    pub(super) transfer_id: TransferId,
    /// Who sends.
    #[schema(value_type = String)]
    pub(super) from: AccountId,
    /// Who receives.
    #[schema(value_type = String)]
    pub(super) to: AccountId,
    /// How many coins.
    #[schema(value_type = u64)]
    pub(super) amount: Amount,
    /// Of the sender's account, when they were sent.
    #[schema(value_type = u64)]
    pub(super) version: Version,
    /// Of the event in the log that they were sent.
    #[schema(value_type = u64)]
    pub(super) position: Position,
    /// Whether they are known to have arrived. If not, they arrive whatever happens, if they have not just done so.
    pub(super) arrived: bool,
    /// Whether this was done when the same request came before; nothing was changed this time.
    pub(super) duplicate: bool,
}

/// What an account has.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Account {
    /// Whose.
    #[schema(value_type = String)]
    account_id: AccountId,
    /// How many coins it has.
    balance: u64,
    /// How many coins it mined, ever.
    mined: u64,
    /// How many coins it sent, ever.
    sent: u64,
    /// How many coins it received, ever.
    received: u64,
    /// The nonce of the coin that it mined last; null before the first.
    last_nonce: Option<u64>,
}

impl From<AccountBalance> for Account {
    fn from(account: AccountBalance) -> Self {
        let AccountBalance { account_id, balance, mined, sent, received, last_nonce } = account;
        Self { account_id, balance, mined, sent, received, last_nonce }
    }
}

/// A page of accounts, the richest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Accounts {
    /// The accounts.
    accounts: Vec<Account>,
    /// What `after` is for the next page; null when there is none.
    next: Option<String>,
}

impl From<AccountPage> for Accounts {
    fn from(page: AccountPage) -> Self {
        Self {
            accounts: page.accounts.into_iter().map(Account::from).collect(),
            next: page.next.map(|cursor| cursor.to_string()),
        }
    }
}

/// The leaderboard of a moment.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Leaderboard<'a> {
    /// Where the log ended then.
    #[schema(value_type = u64)]
    position: Position,
    /// Where the log ends now.
    #[schema(value_type = u64)]
    head: Position,
    /// When the last event of then happened; null before the first.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
    /// The last event of then; null before the first.
    event: Option<LogEvent<'a>>,
    /// Who was richest then.
    accounts: Vec<Standing>,
}

/// What an account had at some moment.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Standing {
    /// Whose.
    #[schema(value_type = String)]
    account_id: AccountId,
    /// How many coins it had.
    balance: u64,
}

impl<'a> Leaderboard<'a> {
    pub(super) fn of(leaderboard: crate::Leaderboard, event: Option<LogEvent<'a>>) -> Self {
        let crate::Leaderboard { position, head, at, accounts } = leaderboard;
        let standing = |crate::Standing { account_id, balance }| Standing { account_id, balance };
        Self { position, head, at, event, accounts: accounts.into_iter().map(standing).collect() }
    }
}

/// An account with the newest part of its history.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AccountWithStatement {
    #[serde(flatten)]
    pub(super) account: Account,
    /// The newest lines of its statement.
    pub(super) statement: Statement,
}

/// A page of an account's history, the newest line first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Statement {
    /// The lines.
    pub(super) lines: Vec<Line>,
    /// What `before` is for the next page; null when there is none.
    #[schema(value_type = Option<u64>)]
    pub(super) next: Option<Version>,
}

/// A line of an account's history.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Line {
    /// Of the account's event.
    #[schema(value_type = u64)]
    pub(super) version: Version,
    /// Of the event in the log.
    #[schema(value_type = u64)]
    position: Position,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// What happened.
    entry: Entry,
    /// Of a mined coin.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    nonce: Option<u64>,
    /// Who is to receive coins that were sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    to: Option<AccountId>,
    /// Who sent coins that were received.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    from: Option<AccountId>,
    /// Of coins that were sent or received.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = "uuid")]
    transfer_id: Option<TransferId>,
    /// What came in; below zero what went out.
    change: i64,
    /// What the account had afterwards.
    balance: u64,
}

/// What a line of a history is about.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    /// A coin was mined.
    Mined,
    /// Coins were sent.
    Sent,
    /// Coins arrived.
    Received,
}

impl From<StatementLine> for Line {
    fn from(line: StatementLine) -> Self {
        let StatementLine { version, position, at, entry, change, balance } = line;
        let (entry, nonce, to, from, transfer_id) = match entry {
            StatementEntry::Mined { nonce } => (Entry::Mined, Some(nonce), None, None, None),
            StatementEntry::Sent { to, transfer_id } => {
                (Entry::Sent, None, Some(to), None, Some(transfer_id))
            }
            StatementEntry::Received { from, transfer_id } => {
                (Entry::Received, None, None, Some(from), Some(transfer_id))
            }
        };
        Self { version, position, at, entry, nonce, to, from, transfer_id, change, balance }
    }
}

/// A page of transfers, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Transfers {
    /// The transfers.
    pub(super) transfers: Vec<Transfer>,
    /// What `before` is for the next page; null when there is none.
    #[schema(value_type = Option<u64>)]
    pub(super) next: Option<Position>,
}

/// A transfer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Transfer {
    /// Of the event in the log that the coins were sent.
    #[schema(value_type = u64)]
    pub(super) position: Position,
    /// Which transfer.
    #[schema(value_type = String, format = "uuid")]
    transfer_id: TransferId,
    /// Who sent.
    #[schema(value_type = String)]
    from: AccountId,
    /// Who receives.
    #[schema(value_type = String)]
    to: AccountId,
    /// How many coins.
    #[schema(value_type = u64)]
    amount: Amount,
    /// When they were sent.
    #[schema(value_type = String, format = DateTime)]
    sent_at: Timestamp,
    /// When they arrived; null while they are under way.
    #[schema(value_type = Option<String>, format = DateTime)]
    arrived_at: Option<Timestamp>,
}

impl From<TransferStatus> for Transfer {
    fn from(transfer: TransferStatus) -> Self {
        let TransferStatus { position, transfer_id, from, to, amount, sent_at, arrived_at } = transfer;
        Self { position, transfer_id, from, to, amount, sent_at, arrived_at }
    }
}

/// An event of the log, as it is streamed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LogEvent<'a> {
    /// In the log.
    #[schema(value_type = u64)]
    position: Position,
    /// The account's stream: `account-` and its id.
    #[schema(value_type = String)]
    stream: &'a StreamId,
    /// In the stream.
    #[schema(value_type = u64)]
    version: Version,
    /// When it was recorded.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Its type: `CoinMined`, `CoinsSent` or `CoinsReceived`.
    #[serde(rename = "type")]
    event_type: &'a str,
    /// Its fields.
    #[schema(value_type = Object)]
    data: cqrs_core::Json,
    /// Of coins that were sent or received.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = "uuid")]
    transfer_id: Option<TransferId>,
}

impl<'a> LogEvent<'a> {
    pub(super) fn of(event: &'a RecordedAccountEvent) -> Result<Self, cqrs_core::CodecError> {
        let (event_type, data) = cqrs_core::encode(&event.data)?;
        let transfer_id = match &event.data {
            AccountEvent::CoinMined { .. } => None,
            AccountEvent::CoinsSent { transfer_id, .. }
            | AccountEvent::CoinsReceived { transfer_id, .. } => Some(*transfer_id),
        };
        Ok(Self {
            position: event.position,
            stream: &event.stream,
            version: event.version,
            at: event.recorded_at,
            event_type,
            data,
            transfer_id,
        })
    }

    pub(super) fn event_type(&self) -> &'a str {
        self.event_type
    }
}

/// How the service is doing inside.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Status {
    /// The position of the last event in the log.
    #[schema(value_type = u64)]
    pub(super) head: Position,
    /// Projections and process managers.
    pub(super) subscribers: Vec<Subscriber>,
}

/// A projection or a process manager.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Subscriber {
    /// Its name.
    name: &'static str,
    /// `projection` or `process_manager`.
    kind: &'static str,
    /// `running`, `retrying`, `waiting` (another process has the work), `rebuilding` or `stopped`.
    state: &'static str,
    /// Everything in the log up to here is worked on.
    #[schema(value_type = u64)]
    position: Position,
    /// How many positions it is behind.
    lag: u64,
    /// How many positions it comes further each second.
    rate: u64,
    /// Whether anything went wrong since the start; the log says what.
    failed: bool,
}

impl From<&SubscriberStatus> for Subscriber {
    fn from(status: &SubscriberStatus) -> Self {
        Self {
            name: status.name,
            kind: match status.kind {
                SubscriberKind::Projection => "projection",
                SubscriberKind::ProcessManager => "process_manager",
                SubscriberKind::EventHandler => "event_handler",
                _ => "subscriber",
            },
            state: state(&status.state),
            position: status.position,
            lag: status.lag(),
            rate: status.rate,
            failed: status.last_error.is_some(),
        }
    }
}

fn state(state: &SubscriberState) -> &'static str {
    match state {
        SubscriberState::Running => "running",
        SubscriberState::Retrying { .. } => "retrying",
        SubscriberState::Waiting { .. } => "waiting",
        SubscriberState::Rebuilding => "rebuilding",
        SubscriberState::Stopped { .. } => "stopped",
        _ => "unknown",
    }
}
