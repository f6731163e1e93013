//! What may be loaded, with what, how much, and when to stop: load is dangerous, so all of it is little until somebody
//! says otherwise.

pub(crate) mod address;
mod allowed;
mod budget;
pub(crate) mod canary;
pub(crate) mod ceiling;
pub(crate) mod location;
pub(crate) mod methods;
mod probe;
mod production;
mod query;
mod resolve;
mod sentry;
mod settings;
mod stop;
pub(crate) mod targets;

pub use budget::Budget;
pub(crate) use budget::Purse;
pub(crate) use canary::Canary;
pub(crate) use production::Production;
pub(crate) use sentry::{Outbox, Sentry};
pub use sentry::{Stopped, StoppedBy};
pub use settings::Safety;
