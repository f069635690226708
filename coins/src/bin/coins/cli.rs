//! What can be typed.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

use crate::commands::Mix;

const ABOUT: &str = "A crypto-currency for a talk: mine coins, send them, ask who is richest";

const LONG_ABOUT: &str = "\
A crypto-currency for a talk: mine coins, send them, ask who is richest.

A coin belongs to whoever finds a nonce for which sha256(sha256(account) ++ sha256(nonce)) begins with a \
zero byte. Each nonce of an account must be greater than the last one. Nothing but events is stored, in one \
SQLite file or in PostgreSQL; balances follow from them.";

const EXAMPLES: &str = "\
Examples:
  coins demo                     play the session of the talk on a file of its own
  coins mine me --count 5        find five nonces and mine five coins
  coins mine me --nonce 190      offer one nonce
  coins send me you 3            send three coins; returns when they have arrived
  coins accounts                 who has what
  coins events me                all that happened to one account
  coins statement me             the same, with the balance at every step
  coins transfers --watch        what is sent and what arrives
  coins serve                    all of it over HTTP, with a page
  coins load                     how much of it that service can do
  coins --json events --follow   all that happens, one JSON document a line

Exit status:
    0  done
    1  refused by a rule, such as used_nonce or not_enough_coins
    2  not understood
    3  the database failed, the address cannot be listened to, or the service does not answer
  130  stopped by Ctrl-C before it was done";

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "coins", version, about = ABOUT, long_about = LONG_ABOUT, after_help = EXAMPLES, max_term_width = 100
)]
pub(crate) struct Cli {
    /// The database: a file, or the URL of a PostgreSQL database, postgres://user@host:port/database
    ///
    /// Commands that write make what is not there. A password is better put into PGPASSWORD or ~/.pgpass than into the
    /// URL: others can see what is typed.
    #[arg(
        long, global = true, value_name = "DATABASE", default_value = "coins.db", env = "COINS_DB",
        hide_env_values = true, value_hint = ValueHint::FilePath
    )]
    pub(crate) db: PathBuf,

    /// Answer in JSON, and tell errors in JSON on stderr
    #[arg(long, global = true, action = ArgAction::SetTrue)]
    pub(crate) json: bool,

    /// Whether `--db` was typed, and does not come from the environment or the default.
    #[arg(skip)]
    pub(crate) db_was_typed: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Play the session of the talk, from the first nonce to both streams
    ///
    /// It mines for "me" and "you", sends coins, and asks who is richest, on a new file in a temporary
    /// directory; with --db on that database, which must be new, and which is kept.
    ///
    /// The slides show "me" with a balance of 1 before "you" mines. Two coins are mined by then, and this
    /// session says 2.
    #[command(
        after_help = "Examples:\n  coins demo\n  coins demo --db demo.db && coins --db demo.db accounts"
    )]
    Demo,

    /// Mine coins: offer one nonce, or search for the next ones
    ///
    /// Without --nonce it searches on all cores, from the account's last nonce on, and mines what it finds.
    /// Ctrl-C ends it after what is under way; the coins mined until then are mined.
    #[command(
        after_help = "Examples:\n  coins mine me                mine one coin\n  coins mine me --count 1000   mine a thousand\n  coins mine me --nonce 190    offer one nonce; refused with used_nonce or invalid_nonce"
    )]
    Mine {
        /// Who mines; an account begins with its first coin
        account: String,

        /// The nonce to offer, from 0 to 18446744073709551615
        #[arg(long, value_name = "N", value_parser = nonce, allow_negative_numbers = true, conflicts_with = "count")]
        nonce: Option<u64>,

        /// How many coins to mine
        #[arg(long, value_name = "K", value_parser = count, allow_negative_numbers = true, default_value = "1")]
        count: NonZeroU64,
    },

    /// Send coins to another account
    ///
    /// It returns when the coins have arrived. A transfer that was cut short, even by a power failure,
    /// goes on as soon as any command opens the database again.
    #[command(after_help = "Example:\n  coins send you me 3")]
    Send {
        /// Who sends
        from: String,

        /// Who is to receive
        to: String,

        /// How many coins, at least 1
        #[arg(allow_negative_numbers = true)]
        amount: String,
    },

    /// Tell who has most coins; among equals the smallest account id
    #[command(
        after_help = "Examples:\n  coins richest\n  coins richest --json   {\"account_id\": …, \"balance\": …}, or null"
    )]
    Richest,

    /// List accounts, the richest first
    #[command(after_help = "Examples:\n  coins accounts\n  coins accounts --top 100")]
    Accounts {
        /// How many accounts at most
        #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true, default_value = "20")]
        top: NonZeroU64,
    },

    /// Show one account
    #[command(after_help = "Example:\n  coins account me")]
    Account {
        /// Which account
        account: String,
    },

    /// Show an account's history with its balance at every step, the newest first
    #[command(after_help = "Examples:\n  coins statement me\n  coins statement me --top 100")]
    Statement {
        /// Which account
        account: String,

        /// How many lines at most
        #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true, default_value = "20")]
        top: NonZeroU64,
    },

    /// List transfers with what became of them, the newest first
    #[command(
        after_help = "Examples:\n  coins transfers              all transfers\n  coins transfers me           from or to one account\n  coins transfers --under-way  what has not arrived\n  coins transfers --watch      again whenever something changes, until Ctrl-C"
    )]
    Transfers {
        /// Only this account's transfers
        account: Option<String>,

        /// Only transfers that have not arrived
        #[arg(long)]
        under_way: bool,

        /// How many transfers at most
        #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true, default_value = "20")]
        top: NonZeroU64,

        /// Do not end: show the list anew whenever it changes, whoever changes it
        #[arg(long)]
        watch: bool,
    },

    /// List what happened, old to new
    ///
    /// With --json, each event is one line: position, stream, version, type, data, metadata, recorded_at.
    #[command(
        after_help = "Examples:\n  coins events               all accounts\n  coins events me            one account\n  coins events me --follow   and what comes, until Ctrl-C"
    )]
    Events {
        /// Only this account's events
        account: Option<String>,

        /// Do not end: print new events as they come, whoever writes them
        #[arg(long)]
        follow: bool,
    },

    /// Show how projections and process managers are doing
    ///
    /// Each has a position in the log; its lag is what it has still to come. Where another process works on the
    /// database, it has the work, and the state here is "waiting".
    #[command(
        after_help = "Examples:\n  coins status\n  coins status --watch   again whenever something changes, until Ctrl-C"
    )]
    Status {
        /// Do not end: show it anew whenever it changes
        #[arg(long)]
        watch: bool,
    },

    /// Serve the currency over HTTP, with a page to look at it
    ///
    /// It says where it listens, and serves until Ctrl-C: then streams of events end, requests under way are
    /// finished, and the database is closed. A second Ctrl-C ends it at once.
    ///
    /// A page of another site cannot use it, nor who calls it by a name that is neither localhost, nor the address
    /// that it was reached at, nor allowed here.
    #[command(
        after_help = "Examples:\n  coins serve                                on http://127.0.0.1:3000\n  coins serve --addr 127.0.0.1:0             on a free port\n  coins serve --allow-host coins.example.org behind a proxy with this name"
    )]
    Serve {
        /// Where to listen; port 0 takes a free one
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000")]
        addr: SocketAddr,

        /// A name by which the service may be called, with a port or without; may be given several times
        #[arg(long, value_name = "HOST")]
        allow_host: Vec<String>,

        /// How many requests a client may make each second, twice as many at once; 0 is without end
        #[arg(long, value_name = "N", default_value = "1000")]
        rate: u32,

        /// How many connections a client may have at a time; 0 is without end
        #[arg(long, value_name = "N", default_value = "128")]
        connections: usize,
    },

    /// Put load on a service, and tell how it did
    ///
    /// Each client mines for an account of its own, sends coins to the other clients, and reads what the page reads; it
    /// waits for each answer before its next request. At the end all coins of the service are counted: what was mined
    /// must be what accounts have and what is under way. Ctrl-C ends it early, with the report of what was done.
    ///
    /// It talks to the service that --url names and to nobody else, and writes into that service's log.
    #[command(
        after_help = "Examples:\n  coins load                                   16 clients for 10 seconds\n  coins load --clients 200 --mix 0:0:1         nothing but reads\n  coins load --seconds 60 --requests 100000    whatever comes first"
    )]
    Load {
        /// The service, on plain HTTP
        #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:3000")]
        url: String,

        /// How many clients
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000), default_value = "16")]
        clients: u64,

        /// For how long
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=86_400), default_value = "10")]
        seconds: u64,

        /// How many requests at most, of all clients together
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000), default_value = "1000000")]
        requests: u64,

        /// Shares of requests that mine, send and read
        #[arg(long, value_name = "MINE:SEND:READ", default_value = "2:1:1")]
        mix: Mix,
    },

    /// Make read models anew from the log, while they are in use
    ///
    /// A new read model is built beside the old one, and takes its place in one transaction when it has caught up.
    /// Ctrl-C ends it, and the old one stays.
    #[command(
        after_help = "Examples:\n  coins rebuild                     all read models\n  coins rebuild account-balances    one of them; `coins status` lists them"
    )]
    Rebuild {
        /// Which read models; all when none is given
        projections: Vec<String>,
    },

    /// Print a script that teaches a shell to complete commands
    #[command(
        after_help = "Example:\n  coins completions bash > ~/.local/share/bash-completion/completions/coins"
    )]
    Completions {
        /// Which shell
        shell: Shell,
    },
}

impl Cli {
    /// Reads what was typed; help and version come as errors that are none, as clap has it.
    pub(crate) fn read(arguments: &[OsString]) -> Result<Self, clap::Error> {
        let matches = Self::command().try_get_matches_from(arguments)?;
        let mut cli = Self::from_arg_matches(&matches)?;
        cli.db_was_typed = matches.value_source("db") == Some(ValueSource::CommandLine);
        Ok(cli)
    }

    /// Whether errors are to be told in JSON, asked of arguments that could not be read.
    pub(crate) fn asks_for_json(arguments: &[OsString]) -> bool {
        arguments
            .iter()
            .skip(1)
            .take_while(|argument| *argument != "--")
            .any(|argument| argument == "--json")
    }
}

fn nonce(text: &str) -> Result<u64, String> {
    whole_number(text, 0)
}

fn count(text: &str) -> Result<NonZeroU64, String> {
    whole_number(text, 1)?.try_into().map_err(|_| range(1))
}

fn whole_number(text: &str, least: u64) -> Result<u64, String> {
    // Digits only: the standard parser would also take a plus sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number >= least).ok_or_else(|| range(least))
}

fn range(least: u64) -> String {
    format!("wanted is a whole number from {least} to {}", u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Cli, clap::Error> {
        let arguments: Vec<_> =
            std::iter::once("coins").chain(arguments.iter().copied()).map(OsString::from).collect();
        Cli::read(&arguments)
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_database_is_typed_before_or_behind_the_command() {
        assert!(read(&["--db", "x", "demo"]).unwrap().db_was_typed);
        assert!(read(&["demo", "--db", "x"]).unwrap().db_was_typed);
        assert!(!read(&["demo"]).unwrap().db_was_typed);
    }

    #[test]
    fn numbers_out_of_range_are_told_the_range() {
        for nonce in
            ["18446744073709551616", "-1", "-5", "+5", "1.5", "", "one", "99999999999999999999999999"]
        {
            let error = read(&["mine", "me", "--nonce", nonce]).unwrap_err().to_string();
            assert!(error.contains("from 0 to 18446744073709551615"), "{nonce}: {error}");
        }
        for count in ["0", "-1", "18446744073709551616"] {
            let error = read(&["mine", "me", "--count", count]).unwrap_err().to_string();
            assert!(error.contains("from 1 to 18446744073709551615"), "{count}: {error}");
        }
        assert!(read(&["mine", "me", "--nonce", "18446744073709551615"]).is_ok());
    }

    #[test]
    fn a_negative_amount_is_left_to_the_rules() {
        for text in ["-5", "-0", "-99999999999999999999999", "0", "ten", ""] {
            let Command::Send { amount, .. } = read(&["send", "you", "me", text]).unwrap().command else {
                panic!("not a send");
            };
            assert_eq!(amount, text);
        }
    }
}
