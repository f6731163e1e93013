//! Exports of application performance monitoring: spans and transactions in, requests out.
