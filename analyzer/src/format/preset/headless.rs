//! Logs that should have a header and lost it: IIS and CloudFront with the fields that they write by themselves.

use super::super::{Format, Options, headed};

pub(super) fn formats(options: &Options) -> Vec<Format> {
    headed::without_header(options)
}
