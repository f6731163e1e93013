//! The search for a byte that is expected within the next few.

const ONES: u64 = u64::from_ne_bytes([1; 8]);

/// Bytes looked through word by word before the search becomes one for long texts.
const NEAR_BYTES: usize = 32;

/// Where the first `byte` of `text` is. A call of a search made for long texts takes longer than to look at the few bytes
/// of an address or a number word by word.
#[inline]
pub(super) fn near(byte: u8, text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk) ^ (ONES * u64::from(byte));
        // The lowest bit set is the highest of the first byte that is zero; those above it may be wrong.
        let zero_bytes = word.wrapping_sub(ONES) & !word & (ONES << 7);
        if zero_bytes != 0 {
            return Some(at + zero_bytes.trailing_zeros() as usize / 8);
        }
        at += 8;
        if at == NEAR_BYTES {
            return memchr::memchr(byte, &text[at..]).map(|found| at + found);
        }
    }
    text[at..].iter().position(|other| *other == byte).map(|found| at + found)
}

#[cfg(test)]
mod tests {
    use super::near;

    #[test]
    fn the_first_is_found_wherever_it_is() {
        for length in 0..60 {
            for at in 0..=length {
                for (byte, other) in [(b'.', b'/'), (b'.', b'-'), (0, 1), (0x80, 0), (0xff, 0x7f)] {
                    let mut text = vec![other; length];
                    text[at..].fill(byte);
                    assert_eq!(near(byte, &text), Some(at).filter(|at| *at < length), "{text:?}");
                }
            }
        }
    }
}
