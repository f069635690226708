//! A crypto-currency for a talk: mine coins, send them, ask who is richest.
//!
//! It is the reference application of `cqrs-core`. An [`Account`] decides [`MineCoin`], [`SendCoins`] and
//! [`ReceiveCoins`]; the process manager [`SendCoinsProcess`] carries a transfer from one account to the
//! other; the projections [`AccountBalances`], [`Transfers`] and [`AccountStatements`] answer queries. [`Coins`] is all
//! of it behind one face.

mod account;
mod account_id;
mod amount;
mod balances;
mod coins;
mod command;
mod database;
mod dispatch;
mod error;
mod event;
mod history;
pub mod http;
mod mining;
mod process;
mod proof;
mod query;
mod search;
mod statements;
mod table;
mod transfer_id;
mod transfers;

pub use account::Account;
pub use account_id::{AccountId, InvalidAccountId, MAX_ACCOUNT_ID_CHARS};
pub use amount::{Amount, InvalidAmount};
pub use balances::{AccountBalances, Balances};
pub use coins::{Coins, OpenError};
pub use command::{MineCoin, ReceiveCoins, SendCoins};
pub use database::{DatabaseAddress, Sql, Tables};
pub use dispatch::{MineCoinDispatch, SendCoinsDispatch, Transfer};
pub use error::{MineCoinError, SendCoinsError};
pub use event::AccountEvent;
pub use history::{AccountEvents, RecordedAccountEvent};
pub use mining::{MinedCoins, MiningError};
pub use process::SendCoinsProcess;
pub use proof::Proof;
pub use query::{
    AccountBalance, AccountCursor, AccountPage, InvalidCursor, Leaderboard, Standing, StatementEntry,
    StatementLine, TransferQuery, TransferStatus,
};
pub use search::Search;
pub use statements::{AccountStatements, Statements};
pub use table::{Change, Keeps, Table};
pub use transfer_id::TransferId;
pub use transfers::{AllTransfers, Transfers};

/// The guide to dispatching, whose programs are compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/dispatching.md")]
struct DispatchingGuide;

/// The guide to testing, whose programs are compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/testing.md")]
struct TestingGuide;

/// The guide to event handlers, whose programs are compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/event-handlers.md")]
struct EventHandlersGuide;
