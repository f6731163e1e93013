//! Pauses between the requests of a session: which law they follow, where they differ, and what blurs them.
//!
//! | module | answers |
//! |---|---|
//! | [`family`] | how likely a gap is under a law, given how it was stamped |
//! | [`gaps`] | which gaps were seen: integer counts, made ready for a fit |
//! | [`fit`] | which law fits best, and how much worse the others do |
//! | [`pooling`] | which classes, endpoints and transitions share a law |
//! | [`pace`] | whether a fast visitor stays fast |
//! | [`sideband`] | how many pauses are none: people who came back within the session gap |
//! | [`session_gap`] | how long a pause may be before it ends a session |
//!
//! Everything is a function of integer counts; nothing depends on their order.

pub mod family;
pub mod fit;
pub mod gaps;
mod lognormals;
pub mod pace;
pub mod pooling;
pub mod session_gap;
pub mod sideband;
