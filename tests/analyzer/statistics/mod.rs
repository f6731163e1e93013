//! What is estimated, against truths that are known.

mod routes;
