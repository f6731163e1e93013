//! Objects in S3, Google Cloud Storage and Azure Blob Storage, behind the feature `object-store`.
//!
//! Credentials come from the environment (`AWS_*`, `GOOGLE_*`, `AZURE_*`) or from the machine's role, never from
//! the command line. An object is read as a stream, once for its format and once for its lines.

use std::io::{self, Read};
use std::sync::Arc;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use tokio::runtime::Runtime;

use crate::error::Error;

/// An object.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    /// Its URL.
    pub(crate) name: String,
    path: Path,
    store: Arc<Store>,
}

/// A store, and the threads that talk to it.
#[derive(Debug)]
struct Store {
    store: Box<dyn ObjectStore>,
    runtime: Runtime,
}

/// What `url` names: an object, everything below a prefix, or what a pattern matches; in the order of the names.
///
/// # Errors
/// [`Error::ObjectStore`].
pub(crate) fn list(url: &str) -> Result<Vec<Object>, Error> {
    let failed = |error: object_store::Error| failure(url, &error);
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let store: Box<dyn ObjectStore> = match scheme {
        "s3" | "s3a" => Box::new(AmazonS3Builder::from_env().with_url(url).build().map_err(failed)?),
        "gs" => Box::new(GoogleCloudStorageBuilder::from_env().with_url(url).build().map_err(failed)?),
        _ => Box::new(MicrosoftAzureBuilder::from_env().with_url(url).build().map_err(failed)?),
    };
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    list_in(store, &format!("{scheme}://{bucket}"), key)
}

fn list_in(store: Box<dyn ObjectStore>, bucket: &str, key: &str) -> Result<Vec<Object>, Error> {
    let url = format!("{bucket}/{key}");
    let unusable = |problem: String, hint| Error::ObjectStore { url: url.clone(), problem, hint };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|source| Error::Read { input: url.clone(), source })?;
    let store = Arc::new(Store { store, runtime });
    let wrong_key = |error: object_store::path::Error| unusable(error.to_string(), "give the key as it is");
    let (prefix, pattern) = match key.find(['*', '?', '[']) {
        None => (key, None),
        Some(at) => {
            let pattern = glob::Pattern::new(key)
                .map_err(|error| Error::Pattern { pattern: url.clone(), problem: error.to_string() })?;
            (&key[..key[..at].rfind('/').map_or(0, |slash| slash)], Some(pattern))
        }
    };
    let prefix = Path::parse(prefix).map_err(wrong_key)?;
    let paths: Vec<Path> = store
        .runtime
        .block_on(async {
            if pattern.is_none() && !key.is_empty() && !key.ends_with('/') {
                match store.store.head(&prefix).await {
                    Ok(object) => return Ok(vec![object.location]),
                    Err(object_store::Error::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            let below = (!prefix.as_ref().is_empty()).then_some(&prefix);
            store.store.list(below).map_ok(|object| object.location).try_collect().await
        })
        .map_err(|error| failure(&url, &error))?;
    let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::default() };
    let matches =
        |path: &Path| pattern.as_ref().is_none_or(|pattern| pattern.matches_with(path.as_ref(), options));
    let mut objects: Vec<Object> = paths
        .into_iter()
        .filter(matches)
        .map(|path| Object { name: format!("{bucket}/{path}"), path, store: Arc::clone(&store) })
        .collect();
    objects.sort_by(|one, other| one.name.cmp(&other.name));
    if objects.is_empty() {
        let hint = "a prefix ends at a `/`; for the start of a name, use a pattern such as 'logs/access*'";
        return Err(unusable("found no object".to_owned(), hint));
    }
    Ok(objects)
}

fn failure(url: &str, error: &object_store::Error) -> Error {
    Error::ObjectStore {
        url: url.to_owned(),
        problem: words(error),
        hint: "credentials and region are taken from the environment, such as AWS_ACCESS_KEY_ID and AWS_REGION, GOOGLE_SERVICE_ACCOUNT, AZURE_STORAGE_ACCOUNT_NAME",
    }
}

/// What the store says, without the queries of addresses: they may hold signatures.
fn words(error: &object_store::Error) -> String {
    let text = error.to_string();
    let mut shown = String::new();
    let mut in_query = false;
    for c in text.chars() {
        in_query = (in_query || c == '?') && !(c.is_whitespace() || matches!(c, '"' | '\'' | ')' | '>'));
        if !in_query {
            shown.push(c);
        }
    }
    shown
}

impl Object {
    /// The object as a stream.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) fn open(&self) -> io::Result<impl Read + Send + use<>> {
        let got = self.store.runtime.block_on(self.store.store.get(&self.path)).map_err(failed)?;
        Ok(Chunks { store: Arc::clone(&self.store), stream: got.into_stream(), chunk: bytes::Bytes::new() })
    }
}

fn failed(error: object_store::Error) -> io::Error {
    let kind = match error {
        object_store::Error::NotFound { .. } => io::ErrorKind::NotFound,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            io::ErrorKind::PermissionDenied
        }
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, words(&error))
}

/// The bytes of an object as they arrive.
struct Chunks {
    store: Arc<Store>,
    stream: BoxStream<'static, object_store::Result<bytes::Bytes>>,
    chunk: bytes::Bytes,
}

impl Read for Chunks {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.store.runtime.block_on(self.stream.next()) {
                Some(chunk) => self.chunk = chunk.map_err(failed)?,
                None => return Ok(0),
            }
        }
        let got = self.chunk.len().min(out.len());
        out[..got].copy_from_slice(&self.chunk.split_to(got));
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    fn store() -> Box<dyn ObjectStore> {
        let store = InMemory::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for key in ["logs/access.log", "logs/access.log.1", "logs/old/access.log.2", "other"] {
            runtime.block_on(store.put(&Path::from(key), key.repeat(3).into())).unwrap();
        }
        Box::new(store)
    }

    #[track_caller]
    fn check(key: &str, expected: &[&str]) {
        let objects = list_in(store(), "s3://bucket", key);
        let found: Vec<String> = objects.iter().flatten().map(|object| object.name.clone()).collect();
        let expected: Vec<String> = expected.iter().map(|key| format!("s3://bucket/{key}")).collect();
        assert_eq!(found, expected, "{key}");
        for object in objects.iter().flatten() {
            let mut text = String::new();
            object.open().unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, object.path.as_ref().repeat(3));
        }
    }

    #[test]
    fn objects_prefixes_and_patterns() {
        let all = ["logs/access.log", "logs/access.log.1", "logs/old/access.log.2"];
        check("logs/access.log", &["logs/access.log"]);
        check("logs", &all);
        check("logs/", &all);
        check("", &[all[0], all[1], all[2], "other"]);
        check("logs/access*", &all[..2]);
        check("logs/**/access.log.?", &all[1..]);
        check("lo", &[]);
        check("nothing/*", &[]);
    }

    #[test]
    fn signatures_are_not_shown() {
        let source = "error sending request (https://a.example/b?sig=secret&x=1) at once".into();
        let shown = words(&object_store::Error::Generic { store: "S3", source });
        assert!(!shown.contains("secret") && shown.ends_with("https://a.example/b) at once"), "{shown}");
    }
}
