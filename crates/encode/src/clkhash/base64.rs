//! Base64 of many encodings of one length: two characters at a time, from a table.

/// The characters of 12 bits.
static PAIRS: [[u8; 2]; 4096] = pairs();

const fn pairs() -> [[u8; 2]; 4096] {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut pairs = [[0; 2]; 4096];
    let mut index = 0;
    while index < 4096 {
        pairs[index] = [alphabet[index >> 6], alphabet[index & 63]];
        index += 1;
    }
    pairs
}

/// Appends the base64 of `bytes` (RFC 4648, with padding).
pub(crate) fn append(bytes: &[u8], out: &mut Vec<u8>) {
    let begin = out.len();
    out.resize(begin + bytes.len().div_ceil(3) * 4, b'=');
    let whole = bytes.chunks_exact(3);
    let rest = whole.remainder();
    let mut quads = out[begin..].chunks_exact_mut(4);
    for (triple, quad) in whole.zip(&mut quads) {
        let bits = u32::from_be_bytes([0, triple[0], triple[1], triple[2]]) as usize;
        quad[..2].copy_from_slice(&PAIRS[bits >> 12]);
        quad[2..].copy_from_slice(&PAIRS[bits & 0xfff]);
    }
    if let (Some(&first), Some(quad)) = (rest.first(), quads.next()) {
        let second = rest.get(1).copied();
        let bits = u32::from_be_bytes([0, first, second.unwrap_or(0), 0]) as usize;
        quad[..2].copy_from_slice(&PAIRS[bits >> 12]);
        if second.is_some() {
            quad[2] = PAIRS[bits & 0xfff][0];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_as_the_standard_has_it() {
        let bytes: Vec<u8> = (0..=255)
            .chain(0..=255)
            .map(|byte: u8| byte.wrapping_mul(151))
            .collect();
        for len in 0..bytes.len() {
            let mut out = b"x".to_vec();
            append(&bytes[..len], &mut out);
            assert_eq!(
                String::from_utf8(out).unwrap(),
                format!("x{}", data_encoding::BASE64.encode(&bytes[..len]))
            );
        }
    }
}
