//! The figures that the method is judged by, each printed beside its goal.

mod sessions;
