//! Recordings of traffic that are documents, not lines: HAR and GoReplay.
