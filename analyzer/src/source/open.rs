//! Opening inputs: layers of compression and envelopes are taken off, by content and never by name.
//!
//! An input is opened twice: once to detect its format, and again when its turn has come. Between the two nothing
//! is held, so that thousands of files need neither descriptors nor memory.

use std::io::{self, Cursor, Read, Seek as _, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::compression::{Compression, Decompressed, Swelling};
use super::flaw::Flaw;
use super::locate::Place;
use super::unpack::{Envelope, Unpacked};

/// What keeps an input from costing more than it is worth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Longest line that is read.
    pub(crate) line_bytes: usize,
    /// Most decompressed bytes per compressed byte.
    pub(crate) ratio: u64,
}

/// An input, opened, with its first bytes in hand.
pub(crate) struct Input {
    /// The path as given or found, or `-`.
    pub(crate) name: String,
    /// The layers of compression, the outermost first.
    compression: Vec<Compression>,
    envelope: Option<Envelope>,
    /// Bytes from the start, decompressed and unpacked: what a stream has given already.
    pub(crate) head: Vec<u8>,
    /// What detection looks at, where that is not the head.
    sample: Option<Vec<u8>>,
    pub(crate) body: Body,
    /// Where to open it again, and how it starts there; `None` of what can be read only once.
    again: Option<(Place, Start)>,
}

/// How the bytes of an input are read.
pub(crate) enum Body {
    /// A plain file, at any offset, up to its length when it was opened.
    Seekable { file: fs_err::File, length: u64 },
    /// Everything else, from front to back; `head` is already taken off.
    Stream(Box<dyn Read + Send>),
}

impl Input {
    /// Opens what is at `place`.
    ///
    /// # Errors
    /// What the system says. Damage inside a compressed stream is no error here: it shows where reading gets to it.
    pub(crate) fn open(place: Place, limits: Limits) -> io::Result<Self> {
        let name = place.name();
        match &place {
            Place::Stdin(Some(held)) => Self::once(name, Cursor::new(Arc::clone(held)), limits),
            Place::Stdin(None) => Self::once(name, io::stdin(), limits),
            Place::File(path) => {
                let mut file = fs_err::File::open(path)?;
                let metadata = file.metadata()?;
                if !metadata.is_file() {
                    return Self::once(name, file, limits);
                }
                let mut head = Vec::new();
                (&mut file).take(HEAD_BYTES).read_to_end(&mut head)?;
                let again = Some((place, Start::of(&head)));
                if Compression::of(&head).is_some() || Envelope::of(&head).is_some() {
                    let stream = Cursor::new(head).chain(file);
                    return Ok(Self { again, ..Self::once(name, stream, limits)? });
                }
                let sample = second_line(&mut file, &head)?;
                let body = Body::Seekable { file, length: metadata.len() };
                Ok(Self { name, compression: Vec::new(), envelope: None, head, sample, body, again })
            }
            #[cfg(feature = "object-store")]
            Place::Object(object) => {
                let mut stream = object.open()?;
                let mut head = Vec::new();
                (&mut stream).take(START_BYTES as u64).read_to_end(&mut head)?;
                let again = Some((place, Start::of(&head)));
                Ok(Self { again, ..Self::once(name, Cursor::new(head).chain(stream), limits)? })
            }
        }
    }

    /// A stream that has not given anything yet.
    fn once(name: String, stream: impl Read + Send + 'static, limits: Limits) -> io::Result<Self> {
        let taken = Arc::new(AtomicU64::new(0));
        let swelling = Swelling { most: limits.ratio, taken: Arc::clone(&taken) };
        let mut stream: Box<dyn Read + Send> = Box::new(Counted { stream, taken });
        let (mut compression, mut envelope) = (Vec::new(), None);
        loop {
            let mut head = Vec::new();
            let mut failed = (&mut stream).take(HEAD_BYTES).read_to_end(&mut head).err();
            let layer = Compression::of(&head).filter(|_| compression.len() < MOST_LAYERS);
            let found = Envelope::of(&head).filter(|_| envelope.is_none());
            let is_text = layer.is_none() && found.is_none();
            if is_text && failed.is_none() && head.len() as u64 == HEAD_BYTES {
                failed = read_whole_lines(&mut stream, &mut head).err();
            }
            match failed {
                Some(error) if head.is_empty() => return Err(error),
                // What is broken within its first bytes still gives what came before the break.
                Some(error) => stream = Box::new(Broken(Some(error))),
                None => {}
            }
            match (layer, found) {
                (Some(layer), _) => {
                    let whole = Cursor::new(head).chain(stream);
                    stream = Box::new(Decompressed::new(layer, whole, swelling.clone()));
                    compression.push(layer);
                }
                (None, Some(found)) => {
                    let whole = Cursor::new(head).chain(stream);
                    stream = Box::new(Unpacked::new(found, whole, limits.line_bytes));
                    envelope = Some(found);
                }
                (None, None) => {
                    let body = Body::Stream(stream);
                    return Ok(Self { name, compression, envelope, head, sample: None, body, again: None });
                }
            }
        }
    }

    /// Everything from the start, as one stream.
    pub(crate) fn into_reader(self) -> Box<dyn Read + Send> {
        match self.body {
            Body::Seekable { mut file, .. } => match file.seek(SeekFrom::Start(0)) {
                Ok(_) => Box::new(file),
                Err(error) => Box::new(Broken(Some(error))),
            },
            Body::Stream(rest) => Box::new(Cursor::new(self.head).chain(rest)),
        }
    }

    /// What detection looks at: the first lines that are not absurdly long.
    pub(crate) fn sample(&self) -> &[u8] {
        self.sample.as_ref().unwrap_or(&self.head)
    }

    /// The layers of compression, such as `gzip` or `zstd in gzip`.
    pub(crate) fn compressed(&self) -> Option<String> {
        let names: Vec<&str> = self.compression.iter().rev().map(|layer| layer.name()).collect();
        (!names.is_empty()).then(|| names.join(" in "))
    }

    /// What the lines were unpacked from.
    pub(crate) fn envelope(&self) -> Option<&'static str> {
        self.envelope.map(Envelope::name)
    }

    /// Lets go of everything that can be had again.
    pub(crate) fn wait(self) -> Waiting {
        match self.again {
            Some((place, start)) => Waiting::Closed(place, start),
            None => Waiting::Open(Box::new(self)),
        }
    }
}

/// An input that has been looked at and whose turn has not come.
pub(crate) enum Waiting {
    Closed(Place, Start),
    /// What cannot be read twice.
    Open(Box<Input>),
}

impl Waiting {
    /// Opens the input for reading.
    ///
    /// # Errors
    /// What the system says; a file that is not the one which was looked at.
    pub(crate) fn open(self, limits: Limits) -> io::Result<Input> {
        match self {
            Self::Open(input) => Ok(*input),
            Self::Closed(place, start) => {
                let input = Input::open(place, limits)?;
                match &input.again {
                    Some((_, now)) if now.goes_on_from(&start) => Ok(input),
                    _ => Err(Flaw::Replaced.into()),
                }
            }
        }
    }
}

/// How an input starts, before anything is taken off: what tells whether it is still the same.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    /// Its first bytes; a file that is written to may have had less of them.
    bytes: Box<[u8]>,
}

/// Enough to tell two logs apart, whose first lines have a stamp.
const START_BYTES: usize = 1024;

impl Start {
    fn of(head: &[u8]) -> Self {
        Self { bytes: head[..head.len().min(START_BYTES)].into() }
    }

    fn goes_on_from(&self, earlier: &Self) -> bool {
        self.bytes.starts_with(&earlier.bytes)
    }
}

/// Bytes looked at to detect compression and format.
const HEAD_BYTES: u64 = 256 * 1024;
/// A compressed log that was compressed again, by somebody who did not look.
const MOST_LAYERS: usize = 2;

/// The lines after the first, when that is longer than `head`; `file` stands behind the head.
fn second_line(file: &mut fs_err::File, head: &[u8]) -> io::Result<Option<Vec<u8>>> {
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

/// Reads on until `head` has lines to look at, or the stream ends.
///
/// A stream cannot be read twice, so a first line of absurd length has to be held until the next one comes.
fn read_whole_lines(stream: &mut impl Read, head: &mut Vec<u8>) -> io::Result<()> {
    const LONGEST_FIRST_LINE: usize = 256 << 20;
    loop {
        let half = head.len() / 2;
        if memchr::memchr(b'\n', &head[..half]).is_some() || head.len() > LONGEST_FIRST_LINE {
            return Ok(());
        }
        if stream.take(HEAD_BYTES).read_to_end(head)? == 0 {
            return Ok(());
        }
    }
}

/// Counts the bytes of a stream.
struct Counted<R> {
    stream: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let got = self.stream.read(out)?;
        self.taken.fetch_add(got as u64, Ordering::Relaxed);
        Ok(got)
    }
}

/// A stream whose end was found to be broken while its head was read.
struct Broken(Option<io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}
