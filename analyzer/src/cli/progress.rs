//! The progress bar: on standard error, only on a terminal, only when wanted.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};

/// Endings that compressed files mostly have. Only the bar goes by names: a wrong one costs no more than its length.
const COMPRESSED: [&str; 6] = ["gz", "zst", "bz2", "xz", "lz4", "bgz"];

/// A bar over the bytes of all inputs; hidden when nobody would see it.
pub(crate) fn bar(inputs: &[PathBuf], quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let plain = |path: &PathBuf| {
        path.extension().is_none_or(|extension| COMPRESSED.iter().all(|compressed| extension != *compressed))
    };
    let size = |path: &PathBuf| {
        fs_err::metadata(path).ok().filter(|file| file.is_file() && plain(path)).map(|file| file.len())
    };
    let total: Option<u64> = inputs.iter().map(size).sum();
    let (bar, template) = match total {
        Some(total) => {
            (ProgressBar::new(total), "reading {bar:30} {bytes} of {total_bytes}, {bytes_per_sec}")
        }
        // Nobody knows how long a stream or a compressed file is.
        None => (ProgressBar::new_spinner(), "reading {spinner} {bytes}, {bytes_per_sec}"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
