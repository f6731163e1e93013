//! Protocol Buffers as far as traces need them: fields by number, nothing of their meaning.
//!
//! Source: protobuf.dev, "Encoding".

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    pub(super) fn bytes(self) -> Option<&'a [u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    pub(super) fn text(self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// A number of any of the encodings.
    pub(super) fn number(self) -> Option<u64> {
        match self {
            Self::Varint(number) | Self::Fixed64(number) => Some(number),
            Self::Fixed32(number) => Some(u64::from(number)),
            Self::Bytes(_) => None,
        }
    }
}

/// The fields of a message in their order; after the last whole one an error where there is something else.
pub(super) fn fields(message: &[u8]) -> impl Iterator<Item = Result<(u64, Value<'_>), Broken>> {
    let mut rest = message;
    let mut broken = false;
    std::iter::from_fn(move || {
        if rest.is_empty() || broken {
            return None;
        }
        let field = field(&mut rest);
        broken = field.is_none();
        Some(field.ok_or(Broken))
    })
}

/// The message ends in the middle of a field, or is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

fn field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Value<'a>)> {
    let tag = varint(rest)?;
    let mut take = |length: usize| {
        let (taken, after) = rest.split_at_checked(length)?;
        *rest = after;
        Some(taken)
    };
    let value = match tag & 7 {
        0 => Value::Varint(varint(rest)?),
        1 => Value::Fixed64(u64::from_le_bytes(take(8)?.try_into().ok()?)),
        5 => Value::Fixed32(u32::from_le_bytes(take(4)?.try_into().ok()?)),
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            let (taken, after) = rest.split_at_checked(length)?;
            *rest = after;
            Value::Bytes(taken)
        }
        _ => return None,
    };
    (tag >> 3 > 0).then_some((tag >> 3, value))
}

/// Seven bits per byte, the lowest first.
pub(super) fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_numbers_and_values() {
        let message = [0x08, 0x96, 0x01, 0x12, 2, b'h', b'i', 0x19, 1, 0, 0, 0, 0, 0, 0, 0, 0x25, 2, 0, 0, 0];
        let found: Vec<_> = fields(&message).collect();
        let expected = [
            Ok((1, Value::Varint(150))),
            Ok((2, Value::Bytes(b"hi"))),
            Ok((3, Value::Fixed64(1))),
            Ok((4, Value::Fixed32(2))),
        ];
        assert_eq!(found, expected);
        for broken in [&[0x12, 9, b'h'][..], &[0x0b], &[0xff; 11], &[0x00, 0x01], &[0x08]] {
            assert_eq!(fields(broken).collect::<Vec<_>>(), [Err(Broken)], "{broken:?}");
        }
    }
}
