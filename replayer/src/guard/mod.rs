//! What may be loaded, and with what: load is dangerous, so both are short lists until somebody says otherwise.

pub(crate) mod address;
mod allowed;
mod location;
pub(crate) mod methods;
mod production;
mod resolve;
pub(crate) mod targets;

pub(crate) use production::Production;
