//! Flags that say where values come from, the same for all that send, and for `plan`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use shared::Profile;

/// Where values come from.
#[derive(Debug, Args)]
pub(super) struct FeedFlags {
    /// Values for parameters: a CSV file whose columns are called like them; repeat it
    ///
    /// In templates it is called like the file, or NAME.
    #[arg(long, value_name = "[NAME=]FILE", help_heading = "Sending")]
    feed: Vec<String>,
}

impl FeedFlags {
    /// The feeds of `profile`, whose paths are seen from `path`, where it is, and those that flags name.
    pub(super) fn files(&self, profile: &Profile, path: &Path) -> anyhow::Result<BTreeMap<String, PathBuf>> {
        let beside = path.parent().unwrap_or(Path::new(""));
        let mut feeds: BTreeMap<String, PathBuf> =
            profile.feeds.iter().map(|(name, file)| (name.clone(), beside.join(file))).collect();
        for flag in &self.feed {
            let (name, file) = match flag.split_once('=') {
                Some((name, file)) => (name.to_owned(), PathBuf::from(file)),
                None => {
                    let file = PathBuf::from(flag);
                    let name = file.file_stem().and_then(OsStr::to_str).map(str::to_owned);
                    (name.with_context(|| format!("`--feed`: found `{flag}`, expected a file"))?, file)
                }
            };
            feeds.insert(name, file);
        }
        Ok(feeds)
    }
}
