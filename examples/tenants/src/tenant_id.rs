//! The name of a tenant, which is the name of a file.

use std::fmt;
use std::str::FromStr;

/// The longest name of a tenant.
pub const MAX_TENANT_ID_CHARS: usize = 40;

/// Names a tenant: `a` to `z`, `0` to `9` and `-`, beginning with a letter. So it is a file's name on every system, two of
/// them never mean one file, and none leads out of the folder.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TenantId(String);

/// A text that cannot name a tenant.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("tenant id {0:?} is not 1 to {MAX_TENANT_ID_CHARS} of a-z, 0-9 and -, beginning with a letter")]
pub struct InvalidTenantId(String);

impl FromStr for TenantId {
    type Err = InvalidTenantId;

    fn from_str(id: &str) -> Result<Self, InvalidTenantId> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let begins = id.starts_with(|c: char| c.is_ascii_lowercase());
        match begins && id.len() <= MAX_TENANT_ID_CHARS && id.chars().all(fits) {
            true => Ok(Self(id.to_owned())),
            false => Err(InvalidTenantId(id.to_owned())),
        }
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
