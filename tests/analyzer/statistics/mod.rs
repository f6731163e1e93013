//! Statistical goals: what estimators give back of logs whose truth is known, each figure printed beside its goal.
//!
//! Each runs in a short form; the long form, with the repetitions that the goal states, is ignored and run by
//! `cargo statistics`.

mod arrivals;
