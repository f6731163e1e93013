//! Which inputs a command names: files, directories with everything below them, patterns, standard input, objects.

use std::collections::HashSet;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Error;

/// Where an input is.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    File(PathBuf),
    /// Standard input, with what it holds where it has been read already.
    Stdin(Option<Arc<[u8]>>),
    #[cfg(feature = "object-store")]
    Object(super::store::Object),
}

impl Place {
    /// The path as given or found, or `-`.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stdin(_) => "-".to_owned(),
            #[cfg(feature = "object-store")]
            Self::Object(object) => object.name.clone(),
        }
    }
}

/// An input.
#[derive(Debug)]
pub(crate) struct Located {
    pub(crate) place: Place,
    /// Found in a directory or by a pattern, rather than named.
    pub(crate) found: bool,
}

/// A file that was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// Its path.
    pub path: String,
    /// The reason.
    pub why: Why,
}

/// Why a file was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It is no log, or in no known format.
    NoLog,
    /// There is nothing in it.
    Empty,
    /// It is among the inputs already, perhaps by another name.
    Repeated,
    /// The system's reason.
    Unreadable(String),
}

/// What all of `paths` name, in their order; the files of a directory or pattern in the order of their paths.
///
/// `stdin` is what standard input holds, when it has been read already.
///
/// # Errors
/// A directory that cannot be listed, a pattern that is none or matches nothing, an object store that fails.
pub(crate) fn locate(
    paths: &[PathBuf],
    stdin: Option<&Arc<[u8]>>,
) -> Result<(Vec<Located>, Vec<PassedOver>), Error> {
    let mut search = Search::default();
    for path in paths {
        if path.as_os_str() == "-" {
            search.add(Place::Stdin(stdin.cloned()), None, false);
        } else if let Some(url) = path.to_str().filter(|text| is_object(text)) {
            search.objects(url)?;
        } else if path.is_dir() {
            search.directory(path)?;
        } else if let Some(pattern) = path.to_str().filter(|text| is_pattern(text) && !path.exists()) {
            search.pattern(pattern)?;
        } else {
            search.file(path.clone(), false);
        }
    }
    Ok((search.located, search.passed_over))
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Schemes of object stores: S3, Google Cloud Storage, Azure Blob Storage.
fn is_object(text: &str) -> bool {
    const SCHEMES: [&str; 8] = ["s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss"];
    text.split_once("://").is_some_and(|(scheme, _)| SCHEMES.contains(&scheme))
}

#[derive(Default)]
struct Search {
    located: Vec<Located>,
    passed_over: Vec<PassedOver>,
    known: HashSet<FileId>,
    knows_stdin: bool,
}

impl Search {
    /// Takes an input, unless it is there already.
    fn add(&mut self, place: Place, id: Option<FileId>, found: bool) {
        let is_new = match (&place, id) {
            (Place::Stdin(_), _) => !std::mem::replace(&mut self.knows_stdin, true),
            (_, Some(id)) => self.known.insert(id),
            (_, None) => true,
        };
        match is_new {
            true => self.located.push(Located { place, found }),
            false => self.passed_over.push(PassedOver { path: place.name(), why: Why::Repeated }),
        }
    }

    /// Takes a file. One that cannot be looked at is kept: opening it tells why.
    fn file(&mut self, path: PathBuf, found: bool) {
        let metadata = fs_err::metadata(&path).ok();
        let id = metadata.filter(Metadata::is_file).and_then(|metadata| FileId::of(&path, &metadata));
        self.add(Place::File(path), id, found);
    }

    /// Takes the files of a directory and of those below it; hidden ones, pipes and devices are left alone.
    fn directory(&mut self, top: &Path) -> Result<(), Error> {
        let mut files = Vec::new();
        let mut seen = HashSet::new();
        let mut waiting = vec![top.to_owned()];
        while let Some(directory) = waiting.pop() {
            // A link may lead back up.
            let id = fs_err::metadata(&directory).ok().and_then(|found| FileId::of(&directory, &found));
            if id.is_some_and(|id| !seen.insert(id)) {
                continue;
            }
            let entries = match fs_err::read_dir(&directory) {
                Ok(entries) => entries,
                Err(source) if directory == top => {
                    return Err(Error::Read { input: top.display().to_string(), source });
                }
                Err(error) => {
                    self.unreadable(&directory, &error);
                    continue;
                }
            };
            for entry in entries {
                match entry {
                    Ok(entry) => {
                        let path = entry.path();
                        let hidden = entry.file_name().to_string_lossy().starts_with('.');
                        match path.metadata() {
                            _ if hidden => {}
                            Ok(metadata) if metadata.is_dir() => waiting.push(path),
                            Ok(metadata) if metadata.is_file() => files.push(path),
                            // A pipe would wait for a writer; a link that leads nowhere is nothing.
                            Ok(_) | Err(_) => {}
                        }
                    }
                    Err(error) => self.unreadable(&directory, &error),
                }
            }
        }
        if files.is_empty() {
            return Err(Error::NoLogs { path: top.to_owned() });
        }
        files.sort();
        for file in files {
            self.file(file, true);
        }
        Ok(())
    }

    /// Takes what a pattern matches: files, and directories with everything below them.
    fn pattern(&mut self, pattern: &str) -> Result<(), Error> {
        let options = glob::MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: true,
        };
        let wrong = |problem: String| Error::Pattern { pattern: pattern.to_owned(), problem };
        let found = glob::glob_with(pattern, options).map_err(|error| wrong(error.to_string()))?;
        let mut any = false;
        for path in found {
            match path {
                Ok(path) if path.is_dir() => {
                    // An empty directory among the matches is no reason to stop.
                    any |= !matches!(self.directory(&path), Err(Error::NoLogs { .. }));
                }
                Ok(path) if path.is_file() => {
                    self.file(path, true);
                    any = true;
                }
                Ok(_) => {}
                Err(error) => self.unreadable(error.path(), error.error()),
            }
        }
        if any { Ok(()) } else { Err(wrong("no file matches it".to_owned())) }
    }

    #[cfg(feature = "object-store")]
    fn objects(&mut self, url: &str) -> Result<(), Error> {
        let objects = super::store::list(url)?;
        let found = objects.iter().any(|object| object.name != url);
        for object in objects {
            self.add(Place::Object(object), None, found);
        }
        Ok(())
    }

    #[cfg(not(feature = "object-store"))]
    fn objects(&mut self, url: &str) -> Result<(), Error> {
        Err(Error::NoObjectStore { url: url.to_owned() })
    }

    fn unreadable(&mut self, path: &Path, error: &std::io::Error) {
        let path = path.display().to_string();
        self.passed_over.push(PassedOver { path, why: Why::Unreadable(error.kind().to_string()) });
    }
}

/// What tells a file from all others, however it is reached.
#[derive(Debug, PartialEq, Eq, Hash)]
struct FileId(#[cfg(unix)] (u64, u64), #[cfg(not(unix))] PathBuf);

impl FileId {
    #[cfg(unix)]
    fn of(_: &Path, metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        Some(Self((metadata.dev(), metadata.ino())))
    }

    #[cfg(not(unix))]
    fn of(path: &Path, _: &Metadata) -> Option<Self> {
        fs_err::canonicalize(path).ok().map(Self)
    }
}
