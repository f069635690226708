//! Several tenants in one process, and nothing of one is ever seen by another: each has a file of its own, with its events
//! and its tables, and an application of its own on it.
//!
//! A process may serve many more tenants than it wants open files. So [`Tenants`] opens one when somebody asks for it, has
//! at most so many open at once, and closes those that nobody has asked for lately. Whoever uses one keeps it open.
//!
//! What you get for a file per tenant: a tenant is backed up, moved to another machine, given away and deleted as a file; a
//! query that forgets its `WHERE tenant = …` does not exist; and one who writes a lot keeps no other waiting for a
//! commit. What it costs: commits are shared within a tenant only, and a question over all tenants has to open all of them.

mod notes;
mod tenant_id;
mod tenants;

pub use notes::{Note, NoteEvent, Notes, WriteNote};
pub use tenant_id::{InvalidTenantId, MAX_TENANT_ID_CHARS, TenantId};
pub use tenants::{Tenant, TenantError, Tenants};
