//! Opening inputs: what a path names, and whether it is compressed.

use std::io::{Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use serde::Serialize;

use crate::error::Error;

/// How an input is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Compression {
    Gzip,
}

/// An input, opened, with its first bytes in hand.
pub(crate) struct Input {
    /// The path as given, or `-`.
    pub(crate) name: String,
    pub(crate) compression: Option<Compression>,
    /// Bytes from the start, decompressed: what a stream has given already.
    pub(crate) head: Vec<u8>,
    /// What detection looks at, where that is not the head.
    sample: Option<Vec<u8>>,
    pub(crate) body: Body,
}

impl Input {
    /// Everything from the start, as one stream.
    pub(crate) fn into_reader(self) -> Box<dyn Read + Send> {
        match self.body {
            Body::Seekable { mut file, .. } => match file.seek(SeekFrom::Start(0)) {
                Ok(_) => Box::new(file),
                Err(error) => Box::new(Broken(Some(error))),
            },
            Body::Stream(rest) => Box::new(std::io::Cursor::new(self.head).chain(rest)),
        }
    }

    /// What detection looks at: the first lines that are not absurdly long.
    pub(crate) fn sample(&self) -> &[u8] {
        self.sample.as_ref().unwrap_or(&self.head)
    }
}

/// How the bytes of an input are read.
pub(crate) enum Body {
    /// A plain file, at any offset, up to its length when it was opened.
    Seekable { file: fs_err::File, length: u64 },
    /// Everything else, from front to back; `head` is already taken off.
    Stream(Box<dyn Read + Send>),
}

/// Bytes looked at to detect compression and format.
const HEAD_BYTES: u64 = 256 * 1024;

/// Opens everything that `paths` name: files, directories (their files, in the order of their names) and `-`.
///
/// `stdin` is what standard input holds, when it has been read already.
/// The flag beside each input says whether it was found in a directory rather than named.
pub(crate) fn open_all(paths: &[PathBuf], stdin: Option<&Arc<[u8]>>) -> Result<Vec<(Input, bool)>, Error> {
    let mut inputs = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            inputs.push((open_stdin(stdin)?, false));
        } else if path.is_dir() {
            for file in files_in(path)? {
                inputs.push((open_file(&file)?, true));
            }
        } else {
            inputs.push((open_file(path)?, false));
        }
    }
    Ok(inputs)
}

fn files_in(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let read = |source| Error::Read { input: directory.display().to_string(), source };
    let mut files = Vec::new();
    for entry in fs_err::read_dir(directory).map_err(read)? {
        let path = entry.map_err(read)?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_file() && !hidden {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() { Err(Error::NoLogs { path: directory.to_owned() }) } else { Ok(files) }
}

fn open_file(path: &Path) -> Result<Input, Error> {
    let name = path.display().to_string();
    let read = |source| Error::Read { input: name.clone(), source };
    let mut file = fs_err::File::open(path).map_err(read)?;
    let metadata = file.metadata().map_err(read)?;
    let mut head = Vec::new();
    (&mut file).take(HEAD_BYTES).read_to_end(&mut head).map_err(read)?;
    if !head.starts_with(GZIP_MAGIC) && metadata.is_file() {
        let sample = second_line(&mut file, &head).map_err(read)?;
        let body = Body::Seekable { file, length: metadata.len() };
        return Ok(Input { name, compression: None, head, sample, body });
    }
    if metadata.is_file() {
        file.seek(SeekFrom::Start(0)).map_err(read)?;
        head.clear();
    }
    from_stream(name.clone(), head, Box::new(file)).map_err(read)
}

/// The lines after the first, when that is longer than `head`; `file` stands behind the head.
fn second_line(file: &mut fs_err::File, head: &[u8]) -> std::io::Result<Option<Vec<u8>>> {
    if (head.len() as u64) < HEAD_BYTES || memchr::memchr(b'\n', head).is_some() {
        return Ok(None);
    }
    let mut sample = vec![0; HEAD_BYTES as usize];
    loop {
        let got = file.read(&mut sample)?;
        if got == 0 {
            return Ok(None);
        }
        if let Some(end) = memchr::memchr(b'\n', &sample[..got]) {
            sample.copy_within(end + 1..got, 0);
            sample.truncate(got - end - 1);
            file.take(HEAD_BYTES).read_to_end(&mut sample)?;
            return Ok(Some(sample));
        }
    }
}

fn open_stdin(held: Option<&Arc<[u8]>>) -> Result<Input, Error> {
    let stream: Box<dyn Read + Send> = match held {
        Some(bytes) => Box::new(std::io::Cursor::new(Arc::clone(bytes))),
        None => Box::new(std::io::stdin()),
    };
    from_stream("-".to_owned(), Vec::new(), stream)
        .map_err(|source| Error::Read { input: "-".to_owned(), source })
}

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// A stream of which `taken` was already read.
fn from_stream(name: String, mut taken: Vec<u8>, mut rest: Box<dyn Read + Send>) -> std::io::Result<Input> {
    if taken.is_empty() {
        (&mut rest).take(HEAD_BYTES).read_to_end(&mut taken)?;
    }
    if !taken.starts_with(GZIP_MAGIC) {
        read_whole_lines(&mut rest, &mut taken)?;
        return Ok(Input { name, compression: None, head: taken, sample: None, body: Body::Stream(rest) });
    }
    let mut decoder = MultiGzDecoder::new(std::io::Cursor::new(taken).chain(rest));
    let mut head = Vec::new();
    // A stream that is broken within its first bytes still gives what came before the break.
    let failed = read_whole_lines(&mut decoder, &mut head).err();
    let body: Box<dyn Read + Send> = match failed {
        Some(error) => Box::new(Broken(Some(error))),
        None => Box::new(decoder),
    };
    Ok(Input { name, compression: Some(Compression::Gzip), head, sample: None, body: Body::Stream(body) })
}

/// Reads on until `head` has lines to look at, or the stream ends.
///
/// A stream cannot be read twice, so a first line of absurd length has to be held until the next one comes.
fn read_whole_lines(stream: &mut impl Read, head: &mut Vec<u8>) -> std::io::Result<()> {
    const LONGEST_FIRST_LINE: usize = 256 << 20;
    loop {
        let wanted = HEAD_BYTES.saturating_sub(head.len() as u64).max(HEAD_BYTES / 4);
        let got = stream.take(wanted).read_to_end(head)?;
        let has_lines = memchr::memchr(b'\n', &head[..head.len() - got / 2]).is_some();
        if got == 0 || has_lines || head.len() > LONGEST_FIRST_LINE {
            return Ok(());
        }
    }
}

/// A stream whose end was found to be broken while its head was read.
struct Broken(Option<std::io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}
