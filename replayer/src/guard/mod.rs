//! What may be loaded, and with what: load is dangerous, so both are short lists until somebody says otherwise.

pub(crate) mod methods;
pub(crate) mod targets;
