//! Where lines end, and where quotes and backslashes stand in them: found in one pass, many bytes at a time.
//!
//! Nearly every format puts text between quotes, and a search of its own for each of them costs more than reading what
//! is between. So all are looked for at once while the text is fetched from memory, and readers go from mark to mark.

use fearless_simd::{Level, dispatch, mask8x64, prelude::*, u8x64};

/// Bytes compared at a time: one for each bit of a word.
const LANES: usize = 64;
/// Bytes looked through before the lines in them are read: what was fetched is then still in the nearest cache.
const WINDOW_BYTES: usize = 16 << 10;
/// Chunks looked through before there is a look whether there is room for what is in the next.
const CHUNKS: usize = WINDOW_BYTES / LANES;
/// Marks of a chunk written at once, whether they are there or not, as how many there are is hard to guess for a
/// processor: as many as there are in most chunks of most lines, and after them as many as there are in JSON.
const FEW: usize = 3;
const MANY: usize = 8;

/// The marks of a stretch of text. One per thread: it is filled again and again.
#[derive(Debug)]
pub(crate) struct Marks {
    level: Level,
    /// Where quotes and backslashes stand. Behind the last, what an earlier stretch left.
    quotes: Vec<u32>,
    /// Where lines end. Behind the last, what an earlier stretch left.
    line_ends: Vec<LineEnd>,
    line_count: usize,
    /// Some of the quotes are backslashes.
    has_backslash: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct LineEnd {
    at: u32,
    /// Quotes and backslashes before it, since the start of the stretch.
    quotes: u32,
}

impl Default for Marks {
    fn default() -> Self {
        let (quotes, line_ends) = (Vec::new(), Vec::new());
        Self { level: Level::new(), quotes, line_ends, line_count: 0, has_backslash: false }
    }
}

/// Where the quotes and backslashes of one line stand.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LineMarks<'m> {
    positions: &'m [u32],
    /// Where the line starts, as positions are counted.
    start: u32,
    /// Some may be backslashes: in this line, or in others around it.
    may_be_backslashes: bool,
}

impl LineMarks<'_> {
    /// Whether there may be backslashes in the line.
    pub(super) fn may_be_backslashes(self) -> bool {
        self.may_be_backslashes
    }

    /// The place in the line of the mark of that number.
    #[inline]
    fn get(self, number: usize) -> Option<usize> {
        self.positions.get(number).map(|at| (at - self.start) as usize)
    }

    /// The places in the line of the first marks, where there are so many.
    #[inline]
    pub(crate) fn first<const COUNT: usize>(self) -> Option<[usize; COUNT]> {
        let first: &[u32; COUNT] = self.positions.first_chunk()?;
        Some(first.map(|at| (at - self.start) as usize))
    }

    /// The place of the first backslash of `line`, whose marks they are.
    #[inline]
    pub(crate) fn backslash(self, line: &[u8]) -> Option<usize> {
        let places = self.positions.iter().map(|at| (at - self.start) as usize);
        self.may_be_backslashes.then_some(places)?.find(|at| line.get(*at) == Some(&b'\\'))
    }
}

/// The way through a line from quote to quote, in one direction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk<'a, 'm> {
    line: &'a [u8],
    marks: LineMarks<'m>,
    /// The number of a mark that is at most the first behind what was passed.
    next: usize,
}

impl<'a, 'm> Walk<'a, 'm> {
    /// From the start of `line`, whose marks these are.
    pub(super) fn new(line: &'a [u8], marks: LineMarks<'m>) -> Self {
        Self { line, marks, next: 0 }
    }

    /// Passes `count` marks in text that is known.
    #[inline]
    pub(super) fn pass(&mut self, count: usize) {
        self.next += count;
    }

    /// Where the first quote is from `from` on, which is never before what was passed. It is not passed itself.
    #[inline]
    pub(super) fn quote(&mut self, from: usize) -> Option<usize> {
        loop {
            let at = self.marks.get(self.next)?;
            if at >= from && self.line.get(at) == Some(&b'"') {
                return Some(at);
            }
            self.next += 1;
        }
    }

    /// As [`Walk::quote`], the first without a backslash before it. Sets `escaped` when there was a backslash.
    #[inline]
    pub(super) fn closing_quote(&mut self, from: usize, escaped: &mut bool) -> Option<usize> {
        loop {
            let at = self.marks.get(self.next)?;
            if at >= from {
                if self.line.get(at) == Some(&b'"') {
                    return Some(at);
                }
                *escaped = true;
                // What stands behind a backslash is text.
                self.next += usize::from(self.marks.get(self.next + 1) == Some(at + 1));
            }
            self.next += 1;
        }
    }
}

impl Marks {
    /// Gives every line of `text` to `visit`: the offset of its first byte, the line without its end, its marks.
    #[inline]
    pub(crate) fn each_line(&mut self, text: &[u8], mut visit: impl FnMut(usize, &[u8], LineMarks<'_>)) {
        let mut start = 0;
        let mut window_bytes = WINDOW_BYTES;
        while start < text.len() {
            let window = &text[start..text.len().min(start.saturating_add(window_bytes))];
            self.find(window);
            let (mut from, mut passed) = (0, 0);
            let line_ends = &self.line_ends[..self.line_count];
            for (number, end) in line_ends.iter().enumerate() {
                let is_open = number + 1 == line_ends.len();
                if is_open && (start + window.len() < text.len() || from == end.at) {
                    break;
                }
                let line = &window[from as usize..end.at as usize];
                let positions = &self.quotes[passed as usize..end.quotes as usize];
                let marks = LineMarks { positions, start: from, may_be_backslashes: self.has_backslash };
                visit(start + from as usize, line.strip_suffix(b"\r").unwrap_or(line), marks);
                (from, passed) = (end.at + 1, end.quotes);
            }
            // A line longer than the window is looked for in a longer one.
            window_bytes = if from == 0 { window_bytes * 2 } else { WINDOW_BYTES };
            start += from as usize;
        }
    }

    /// The marks of `line`, which has no others around it.
    pub(crate) fn of(&mut self, line: &[u8]) -> LineMarks<'_> {
        self.find(line);
        let count = self.line_ends[self.line_count - 1].quotes as usize;
        LineMarks { positions: &self.quotes[..count], start: 0, may_be_backslashes: self.has_backslash }
    }

    /// Finds the marks of `text`. The last line end is the end of the text, and ends a line that is open there.
    fn find(&mut self, text: &[u8]) {
        let found = dispatch!(self.level, simd => find(simd, text, &mut self.quotes, &mut self.line_ends));
        (self.line_count, self.has_backslash) = (found.line_count, found.has_backslash);
    }
}

struct Found {
    line_count: usize,
    has_backslash: bool,
}

/// Fills `quotes` and `line_ends` from their starts. Inlined into each instruction set's own copy, as what it calls.
#[inline(always)]
fn find<S: Simd>(simd: S, text: &[u8], quotes: &mut Vec<u32>, line_ends: &mut Vec<LineEnd>) -> Found {
    let (chunks, rest) = text.as_chunks::<LANES>();
    let mut last = [0; LANES];
    last[..rest.len()].copy_from_slice(rest);
    let mut search = Search::new(simd);
    for chunks in chunks.chunks(CHUNKS).chain([std::slice::from_ref(&last)]) {
        // Chunks of nothing else, what is written beyond the last, and the end of the text.
        make_room(quotes, search.count + chunks.len() * LANES + MANY);
        make_room(line_ends, search.line_count + chunks.len() * LANES + 1);
        for chunk in chunks {
            search.look_through(simd, chunk, quotes, line_ends);
        }
    }
    line_ends[search.line_count] = LineEnd { at: text.len() as u32, quotes: search.count as u32 };
    Found { line_count: search.line_count + 1, has_backslash: search.backslashes.any_true() }
}

#[inline(always)]
fn make_room<T: Clone + Default>(items: &mut Vec<T>, count: usize) {
    if items.len() < count {
        items.resize(count.max(2 * items.len()), T::default());
    }
}

/// A search through a text, up to `start`.
struct Search<S: Simd> {
    line_end: u8x64<S>,
    quote: u8x64<S>,
    backslash: u8x64<S>,
    start: u32,
    /// Quotes and backslashes found.
    count: usize,
    line_count: usize,
    /// Where in some chunk there was a backslash.
    backslashes: mask8x64<S>,
}

impl<S: Simd> Search<S> {
    #[inline(always)]
    fn new(simd: S) -> Self {
        let [line_end, quote, backslash] = [b'\n', b'"', b'\\'].map(|byte| u8x64::splat(simd, byte));
        let backslashes = mask8x64::splat(simd, false);
        Self { line_end, quote, backslash, start: 0, count: 0, line_count: 0, backslashes }
    }

    #[inline(always)]
    fn look_through(
        &mut self,
        simd: S,
        chunk: &[u8; LANES],
        found_quotes: &mut [u32],
        line_ends: &mut [LineEnd],
    ) {
        let bytes = u8x64::from_slice(simd, chunk);
        let is_backslash = bytes.simd_eq(self.backslash);
        self.backslashes |= is_backslash;
        let mut quotes = (bytes.simd_eq(self.quote) | is_backslash).to_bitmask();
        let mut ends = bytes.simd_eq(self.line_end).to_bitmask();
        while ends != 0 {
            let before = (quotes & (ends ^ (ends - 1))).count_ones();
            let at = self.start + ends.trailing_zeros();
            line_ends[self.line_count] = LineEnd { at, quotes: self.count as u32 + before };
            self.line_count += 1;
            ends &= ends - 1;
        }
        let next_count = self.count + quotes.count_ones() as usize;
        self.write::<FEW>(&mut quotes, found_quotes);
        while self.count < next_count {
            self.write::<MANY>(&mut quotes, found_quotes);
        }
        self.count = next_count;
        self.start += LANES as u32;
    }

    /// Writes the places of the next marks of a chunk, whose bits in `quotes` are cleared.
    #[inline(always)]
    fn write<const COUNT: usize>(&mut self, quotes: &mut u64, found: &mut [u32]) {
        for at in &mut found[self.count..][..COUNT] {
            *at = self.start + quotes.trailing_zeros();
            *quotes &= quotes.wrapping_sub(1);
        }
        self.count += COUNT;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines and their marks, byte by byte.
    fn expected(text: &[u8]) -> Vec<(usize, &[u8], Vec<usize>)> {
        let mut start = 0;
        let mut lines = Vec::new();
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let bare = line.strip_suffix(b"\n").unwrap_or(line);
            let marks = (0..bare.len()).filter(|at| matches!(bare[*at], b'"' | b'\\')).collect();
            lines.push((start, bare.strip_suffix(b"\r").unwrap_or(bare), marks));
            start += line.len();
        }
        lines
    }

    #[track_caller]
    fn check(marks: &mut Marks, text: &[u8]) {
        let mut found = Vec::new();
        marks.each_line(text, |at, line, marks| {
            assert_eq!(marks.backslash(line), memchr::memchr(b'\\', line));
            let places = marks.positions.iter().map(|at| (at - marks.start) as usize);
            found.push((at, line.to_vec(), places.collect()));
        });
        let expected: Vec<(usize, Vec<u8>, Vec<usize>)> =
            expected(text).into_iter().map(|(at, line, marks)| (at, line.to_vec(), marks)).collect();
        assert_eq!(found, expected, "{:?}", String::from_utf8_lossy(text));
    }

    #[test]
    fn lines_and_marks_are_those_found_byte_by_byte() {
        let mut marks = Marks::default();
        for text in ["", "\n", "a", "a\n", "\"", "\r\n\\\"\r\n\n\nb\r", "\n\na\n"] {
            check(&mut marks, text.as_bytes());
        }
        let mut state = 7_u64;
        for length in (0..300).chain([WINDOW_BYTES - 1, WINDOW_BYTES, WINDOW_BYTES + 1, 5 * WINDOW_BYTES]) {
            // Texts of mostly marks, of few line ends, and of none: lines longer than any window.
            for bytes in [*b"\n\"\\\ra\"\"\\", *b"aaa\"b\\c\n", *b"aaaaaa\"\\", *b"\n\n\n\n\n\n\n\n"] {
                let text: Vec<u8> = (0..length)
                    .map(|_| {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        bytes[(state >> 61) as usize]
                    })
                    .collect();
                check(&mut marks, &text);
            }
        }
    }

    /// The instruction sets of other processors find the same.
    #[test]
    fn the_plainest_instructions_find_the_same() {
        let mut marks = Marks { level: Level::baseline(), ..Marks::default() };
        check(&mut marks, "say \"hi\" \\ \n".repeat(3000).as_bytes());
    }
}
