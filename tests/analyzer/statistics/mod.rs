//! Whether estimates and promises hold that can be measured: figures beside their goals.

mod privacy;
