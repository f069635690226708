//! Requests, which may be refused.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Aggregate, Handle, Json};

/// A request to one aggregate, named in the imperative; it may be refused.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// #[derive(Serialize, Deserialize)]
/// struct Close {
///     account: String,
/// }
///
/// impl Command for Close {
///     const NAME: &'static str = "Close";
///     type Aggregate = Account;
///
///     fn aggregate_id(&self) -> &String {
///         &self.account
///     }
/// }
/// # impl Handle<Close> for Account {
/// #     type Error = NotEnough;
/// #     fn handle(&self, _: &Close) -> Result<Vec<AccountEvent>, NotEnough> { Ok(Vec::new()) }
/// # }
/// # fn main() {}
/// ```
pub trait Command: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The stored name, by which a router and an outbox know the command. It must not change while
    /// commands of that name are pending.
    const NAME: &'static str;

    /// The aggregate that decides.
    type Aggregate: Handle<Self>;

    /// Which aggregate decides.
    fn aggregate_id(&self) -> &<Self::Aggregate as Aggregate>::Id;
}

/// A command by name, with its JSON: what arrives from HTTP or a queue, and what an outbox keeps.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let app = App::builder(MemoryStore::new()).router(Router::new().route::<Deposit>()).start().await?;
/// let arrived = BoxCommand::new("Deposit", Json::parse(r#"{"account":"me","amount":5}"#)?);
/// assert_eq!(arrived, BoxCommand::of(&deposit("me", 5))?);
/// app.dispatch(arrived).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoxCommand {
    /// The command's [`Command::NAME`].
    pub name: String,
    /// The command's fields.
    pub data: Json,
}

impl BoxCommand {
    /// Names a command that is already JSON.
    pub fn new(name: impl Into<String>, data: Json) -> Self {
        Self { name: name.into(), data }
    }

    /// Packs a typed command.
    ///
    /// # Errors
    ///
    /// When the command cannot be written as JSON.
    pub fn of<C: Command>(command: &C) -> Result<Self, serde_json::Error> {
        Ok(Self { name: C::NAME.to_owned(), data: Json::of(command)? })
    }
}
