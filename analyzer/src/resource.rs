//! Resources: method and shape of path, numbered. Each thread numbers its own; the numbers are made one at the end.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::event::MOST_RESOURCES;

/// A thread's own numbers.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    numbers: HashMap<Box<[u8]>, u32, FixedState>,
    key: Vec<u8>,
}

impl Interner {
    /// The number of `method` and the shape that `write` appends.
    pub(crate) fn number(&mut self, method: &[u8], write: impl FnOnce(&mut Vec<u8>)) -> u32 {
        self.key.clear();
        self.key.extend_from_slice(method);
        self.key.push(b' ');
        write(&mut self.key);
        let next = u32::try_from(self.numbers.len()).unwrap_or(MOST_RESOURCES);
        match self.numbers.get(self.key.as_slice()) {
            Some(number) => *number,
            None => {
                self.numbers.insert(self.key.as_slice().into(), next);
                next
            }
        }
    }
}

/// Method and shape, such as `GET /items/{int}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Resource {
    pub(crate) method: String,
    pub(crate) shape: String,
}

/// All resources in the order of their text, and each thread's numbers in these.
///
/// Text that is no UTF-8 is replaced, so that two shapes may become one.
pub(crate) fn unify(threads: Vec<Interner>) -> (Vec<Resource>, Vec<Vec<u32>>) {
    let split = |key: &[u8]| {
        let space = memchr::memchr(b' ', key).unwrap_or(key.len());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Resource { method: text(&key[..space]), shape: text(key.get(space + 1..).unwrap_or_default()) }
    };
    let per_thread: Vec<Vec<(Resource, u32)>> = threads
        .into_iter()
        .map(|thread| thread.numbers.into_iter().map(|(key, number)| (split(&key), number)).collect())
        .collect();
    let mut all: Vec<Resource> = per_thread.iter().flatten().map(|(resource, _)| resource.clone()).collect();
    all.sort_unstable();
    all.dedup();
    let renumber = |known: Vec<(Resource, u32)>| {
        let mut numbers = vec![0; known.len()];
        for (resource, number) in known {
            numbers[number as usize] = all.binary_search(&resource).unwrap_or_default() as u32;
        }
        numbers
    };
    let renumbered = per_thread.into_iter().map(renumber).collect();
    (all, renumbered)
}
