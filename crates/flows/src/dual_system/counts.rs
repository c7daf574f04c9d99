use serde::Serialize;

use super::DualSystemError;
use crate::number::{LARGEST_COUNT, real, whole};

/// What two lists of moves have between them: n₁ moves in the first, n₂ in the second, m in both.
///
/// ```
/// use corridor_flows::{DualCounts, DualSystemError};
///
/// assert_eq!(DualCounts::try_new(100, 80, 20)?.seen(), 160);
/// let error = DualCounts::try_new(100, 80, 90).unwrap_err();
/// assert_eq!(error.to_string(), "m is 90, more than n2, which is 80");
/// # Ok::<(), DualSystemError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DualCounts {
    n1: u64,
    n2: u64,
    m: u64,
}

impl DualCounts {
    /// Takes counts that can be true together.
    ///
    /// # Errors
    /// More in both lists than in one of them, or a count above 2⁵³.
    pub fn try_new(n1: u64, n2: u64, m: u64) -> Result<Self, DualSystemError> {
        Self::try_named(n1, n2, m, "m")
    }

    /// The same, where what is in both lists goes by another name.
    pub(crate) fn try_named(n1: u64, n2: u64, m: u64, m_name: &'static str) -> Result<Self, DualSystemError> {
        for (name, value) in [("n1", n1), ("n2", n2), (m_name, m)] {
            if value > LARGEST_COUNT {
                return Err(DualSystemError::NotACount {
                    name: name.to_owned(),
                    value: real(value),
                });
            }
        }
        for (list, len) in [("n1", n1), ("n2", n2)] {
            if m > len {
                return Err(DualSystemError::AboveList {
                    name: m_name,
                    value: real(m),
                    list,
                    len,
                });
            }
        }
        Ok(Self { n1, n2, m })
    }

    /// Moves in the first list.
    pub const fn n1(&self) -> u64 {
        self.n1
    }

    /// Moves in the second list.
    pub const fn n2(&self) -> u64 {
        self.n2
    }

    /// Moves in both.
    pub const fn matched(&self) -> u64 {
        self.m
    }

    /// Moves in at least one: n₁ + n₂ − m.
    pub const fn seen(&self) -> u64 {
        self.n1 + self.n2 - self.m
    }

    /// The three as real numbers, when at least one move is in both.
    pub(crate) const fn to_reals(self) -> Result<(f64, f64, f64), DualSystemError> {
        if self.m == 0 {
            return Err(DualSystemError::NothingMatched {
                n1: self.n1,
                n2: self.n2,
            });
        }
        Ok((real(self.n1), real(self.n2), real(self.m)))
    }

    pub(crate) const fn add(self, other: Self) -> Self {
        Self {
            n1: self.n1.saturating_add(other.n1),
            n2: self.n2.saturating_add(other.n2),
            m: self.m.saturating_add(other.m),
        }
    }
}

/// The count that a number read from a file stands for. `name` is what it is called there.
///
/// # Errors
/// A fraction, a negative number, NaN, or more than 2⁵³.
pub fn to_count(name: &str, value: f64) -> Result<u64, DualSystemError> {
    whole(value).ok_or_else(|| DualSystemError::NotACount {
        name: name.to_owned(),
        value,
    })
}
