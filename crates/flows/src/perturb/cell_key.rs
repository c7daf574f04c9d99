use super::secret::PerturbationSecret;

/// The sum of the keys of the records in a cell, modulo 2^64: as random as each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CellKey(u64);

impl CellKey {
    /// The key of one record, from a name that it alone has and keeps.
    pub fn of_record(secret: &PerturbationSecret, record: &[u8]) -> Self {
        Self(secret.draw(PURPOSE, record))
    }

    /// As a number, each as likely as any other.
    pub(super) const fn to_bits(self) -> u64 {
        self.0
    }
}

impl From<u64> for CellKey {
    /// A key drawn elsewhere: it must be uniform over all 64 bits.
    fn from(key: u64) -> Self {
        Self(key)
    }
}

impl std::iter::Sum for CellKey {
    fn sum<I: Iterator<Item = Self>>(keys: I) -> Self {
        Self(keys.fold(0, |sum, key| sum.wrapping_add(key.0)))
    }
}

const PURPOSE: &[u8; 16] = b"corridor cellkey";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_records_and_how_they_are_grouped_do_not_matter() {
        let secret = PerturbationSecret::new([1; 32]);
        let keys: Vec<CellKey> = (0_u8..9)
            .map(|record| CellKey::of_record(&secret, &[record]))
            .collect();
        let whole: CellKey = keys.iter().copied().sum();
        let parts: CellKey = [&keys[4..], &keys[..4]]
            .map(|part| part.iter().copied().sum())
            .into_iter()
            .sum();
        assert_eq!(whole, parts);
        assert_ne!(whole, keys[1..].iter().copied().sum());
        assert_eq!(
            [u64::MAX, 2].map(CellKey::from).into_iter().sum::<CellKey>(),
            CellKey::from(1)
        );
    }
}
