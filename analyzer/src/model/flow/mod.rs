//! Where sessions go: chains over endpoints, longer memory where it pays, classes of users.
//!
//! Everything here is a pure function of the sampled [walks](super::sample::Walk), the same for any order of them.
//! Counts are integers with the distinct clients behind each cell, so that a gate can decide on every one.
//!
//! | module | answers |
//! |---|---|
//! | [`counts`] | how often each endpoint followed each, and after which two or three |
//! | [`contexts`] | where the step before the last matters (variable order, by BIC) |
//! | [`mixture`] | which kinds of users there are (EM mixture of Markov chains) |
//! | [`choice`] | whether classes or memory explain more |
//! | [`chain`] | visits per session of a chain, solved |
//! | [`length`] | how long its sessions are, and whether the log's are |
//! | [`order`] | whether one step of memory is enough (permutation test) |
//! | [`perplexity`] | how well sessions that were held out are foretold |

pub mod chain;
pub mod choice;
pub mod contexts;
pub mod counts;
pub mod length;
pub mod mixture;
pub mod order;
pub mod perplexity;

/// Stands where an endpoint would come next: the session ends. No endpoint has this number.
pub const END: u32 = u32::MAX;
