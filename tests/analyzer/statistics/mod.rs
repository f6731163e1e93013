//! Statistics: estimators against laws that are known, each figure printed beside its goal.
//!
//! Every run takes a short form; the repetitions that a goal asks for are ignored by default.

mod flow;
