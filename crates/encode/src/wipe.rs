use zeroize::Zeroize as _;

/// Overwrites bytes with zeros, eight at a time: byte by byte it would take as long as encoding them did.
pub(crate) fn wipe(bytes: &mut [u8]) {
    let (head, words, tail) = bytemuck::pod_align_to_mut::<u8, u64>(bytes);
    head.zeroize();
    words.zeroize();
    tail.zeroize();
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_is_left_whatever_the_alignment() {
        let mut bytes = [7; 61];
        super::wipe(&mut bytes[3..58]);
        assert!(bytes[3..58].iter().all(|&byte| byte == 0));
        assert_eq!((bytes[2], bytes[58]), (7, 7));
    }
}
