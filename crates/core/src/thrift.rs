//! A look at Thrift structs before a reader is trusted with them.

/// Structs within structs and lists, at most. Those of Parquet go five deep.
const MOST_DEEP: usize = 16;

/// Bytes of the struct at the start of `bytes`, in Thrift's compact protocol as Parquet uses it; `None` where it does not end within
/// them, or is none that a reader can skip in a time that goes with its length.
///
/// Readers of Parquet skip the fields they do not know. A list says itself how many elements it has, and where these take no bytes, as
/// booleans do for some readers, or the reader does not mind that there are none left, a few bytes keep it busy for as many rounds as a
/// number can say. So lists of booleans, sets and maps, which Parquet has none of, are refused, and so is more in all lists together than
/// there are bytes.
///
/// Source: Apache Thrift, `doc/specs/thrift-compact-protocol.md`.
pub fn thrift_struct_len(bytes: &[u8]) -> Option<usize> {
    let mut walk = Walk {
        bytes,
        at: 0,
        elements_left: bytes.len(),
    };
    walk.skip_struct(0)?;
    Some(walk.at)
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Elements that lists may still have.
    elements_left: usize,
}

impl Walk<'_> {
    fn next(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn skip(&mut self, len: usize) -> Option<()> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.bytes.len())?;
        self.at = end;
        Some(())
    }

    /// A number in seven bits a byte, the lowest first.
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.next()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn len(&mut self) -> Option<usize> {
        usize::try_from(self.varint()?).ok()
    }

    fn skip_struct(&mut self, depth: usize) -> Option<()> {
        if depth > MOST_DEEP {
            return None;
        }
        loop {
            let header = self.next()?;
            if header == 0 {
                return Some(());
            }
            // Without a step in the upper half, the number of the field comes next.
            if header >> 4 == 0 {
                self.varint()?;
            }
            match header & 0x0f {
                // A boolean is its type.
                1 | 2 => {}
                kind => self.skip_value(kind, depth)?,
            }
        }
    }

    fn skip_value(&mut self, kind: u8, depth: usize) -> Option<()> {
        match kind {
            3 => self.skip(1),
            4..=6 => self.varint().map(drop),
            7 => self.skip(8),
            8 => {
                let len = self.len()?;
                self.skip(len)
            }
            9 => self.skip_list(depth),
            12 => self.skip_struct(depth + 1),
            _ => None,
        }
    }

    fn skip_list(&mut self, depth: usize) -> Option<()> {
        let header = self.next()?;
        let len = match header >> 4 {
            15 => self.len()?,
            len => usize::from(len),
        };
        self.elements_left = self.elements_left.checked_sub(len)?;
        let kind = header & 0x0f;
        if depth >= MOST_DEEP || (len > 0 && kind < 3) {
            return None;
        }
        (0..len).try_for_each(|_| self.skip_value(kind, depth + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Field 1 of a struct: a list of so many elements of a kind, in the long form.
    fn list(len: u32, kind: u8) -> Vec<u8> {
        let mut bytes = vec![0x19, 0xf0 | kind];
        let mut left = len;
        while left >= 0x80 {
            bytes.push(u8::try_from(left & 0x7f).unwrap() | 0x80);
            left >>= 7;
        }
        bytes.push(u8::try_from(left).unwrap());
        bytes
    }

    #[test]
    fn a_struct_of_every_kind_of_value_is_measured() {
        // true, a byte, an i32 of two bytes, a double, "ab", two i64, a struct with false in it, and a field with its number.
        let mut bytes = vec![
            0x11, 0x13, 7, 0x15, 0x80, 1, 0x17, 1, 2, 3, 4, 5, 6, 7, 8, 0x18, 2, b'a', b'b',
        ];
        bytes.extend([0x19, 0x26, 1, 2, 0x1c, 0x12, 0, 0x05, 0x90, 1, 3, 0]);
        let len = bytes.len();
        bytes.extend([9; 20]);
        assert_eq!(thrift_struct_len(&bytes), Some(len));
        assert_eq!(thrift_struct_len(&bytes[..len - 1]), None, "it does not end");
    }

    #[test]
    fn lists_of_more_than_there_is_are_refused() {
        for kind in [1, 2, 3, 5, 7, 8, 9, 12] {
            let mut bytes = list(1 << 30, kind);
            bytes.extend([0; 200]);
            assert_eq!(thrift_struct_len(&bytes), None, "kind {kind}");
        }
        // Of booleans even one.
        assert_eq!(thrift_struct_len(&[0x19, 0x11, 1, 0]), None);
        // Each fits, all together do not.
        let bytes: Vec<u8> = (0..20).flat_map(|_| list(30, 9)).chain([0; 400]).collect();
        assert_eq!(thrift_struct_len(&bytes), None);
        // Deep ones end.
        assert_eq!(thrift_struct_len(&[0x1c; 400]), None);
        assert_eq!(thrift_struct_len(&[0x19; 400]), None);
    }
}
