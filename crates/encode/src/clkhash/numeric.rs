//! The neighbourhood of a number as tokens (Vatsalan & Christen 2016), in the arithmetic of Python: integers of any size,
//! and floats only where clkhash uses them.

use std::fmt::Write as _;

use num_bigint::BigInt;

use super::python::{MOST_DIGITS, read_float, read_integer};

/// Half-width of a neighbourhood beyond which a schema is refused: no filter holds so many tokens.
pub(crate) const MOST_RESOLUTION: u64 = 1 << 24;

/// A `numeric` comparison.
#[derive(Debug, Clone)]
pub(crate) struct Numeric {
    /// Distance of two tokens.
    distance: BigInt,
    /// Twice the remainder from which a number is rounded up to the grid: the distance, in a float's precision.
    round_up_from: BigInt,
    /// The two above, where they are small.
    small: Option<(i128, i128)>,
    resolution: u64,
    fractional_precision: usize,
}

/// A threshold distance as the schema writes it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Distance {
    Float(f64),
    Integer(u64),
}

/// Largest distance whose half is a float without rounding.
const EXACT_IN_A_FLOAT: i64 = 1 << 53;

impl Numeric {
    /// A comparison of numbers; the error says what is wrong with the distance.
    pub(crate) fn try_new(
        distance: Distance,
        resolution: u64,
        fractional_precision: usize,
    ) -> Result<Self, &'static str> {
        let distance = match distance {
            Distance::Float(distance) => rounded(distance, fractional_precision)
                .ok_or("is beyond the largest number when multiplied by 10 to the fractional_precision")?,
            Distance::Integer(distance) => {
                shifted(&distance.to_string(), fractional_precision).ok_or("is not a number")?
            }
        };
        if distance == BigInt::ZERO {
            return Err("is 0 at this fractional_precision");
        }
        let round_up_from = if distance <= BigInt::from(EXACT_IN_A_FLOAT) {
            distance.clone()
        } else {
            to_float(&distance)
                .and_then(to_integer)
                .ok_or("is beyond the largest number when multiplied by 10 to the fractional_precision")?
        };
        let small = i128::try_from(&distance)
            .ok()
            .zip(i128::try_from(&round_up_from).ok())
            .filter(|(distance, round)| i64::try_from(*distance).is_ok() && i64::try_from(*round).is_ok());
        Ok(Self {
            distance,
            round_up_from,
            small,
            resolution,
            fractional_precision,
        })
    }

    /// How many tokens every number has.
    pub(crate) const fn token_count(&self) -> u64 {
        2 * self.resolution + 1
    }

    /// Gives every token of the number `word` to `each`, from the smallest on; the error says what is wrong with it.
    pub(crate) fn tokens(&self, word: &str, each: &mut dyn FnMut(&str)) -> Result<(), &'static str> {
        let mut digits = String::new();
        let value = if read_integer(word, &mut digits) {
            digits.extend(std::iter::repeat_n('0', self.fractional_precision));
            if let (Some(small), Ok(value)) = (self.small, digits.parse::<i64>()) {
                self.small_tokens(small, value, each);
                return Ok(());
            }
            digits.parse::<BigInt>().map_err(|_| NOT_A_NUMBER)?
        } else {
            let float = read_float(word).ok_or(NOT_A_NUMBER)?;
            let value = if self.fractional_precision > 0 {
                rounded(float, self.fractional_precision)
            } else {
                to_integer(float.trunc())
            };
            let value = value.ok_or("is beyond the largest number")?;
            if let (Some(small), Ok(value)) = (self.small, i64::try_from(&value)) {
                self.small_tokens(small, value, each);
                return Ok(());
            }
            value
        };
        self.large_tokens(value, each)
    }

    /// As [`Self::large_tokens`], where nothing can be too large: all is below 2⁶³, 2⁶³ and 2²⁴.
    fn small_tokens(&self, (distance, round_up_from): (i128, i128), value: i64, each: &mut dyn FnMut(&str)) {
        let mut value = i128::from(value) * 2 * i128::from(self.resolution);
        let residue = value.rem_euclid(distance);
        if residue * 2 < round_up_from {
            value -= residue;
        } else if residue != 0 {
            value += distance - residue;
        }
        let mut token = String::new();
        let mut at = value - distance * i128::from(self.resolution);
        for _ in 0..self.token_count() {
            token.clear();
            write!(token, "{at}").expect("writing to a String");
            each(&token);
            at += distance;
        }
    }

    fn large_tokens(&self, mut value: BigInt, each: &mut dyn FnMut(&str)) -> Result<(), &'static str> {
        value *= 2 * self.resolution;
        let mut residue = &value % &self.distance;
        if residue < BigInt::ZERO {
            residue += &self.distance;
        }
        if &residue * 2 < self.round_up_from {
            value -= residue;
        } else if residue != BigInt::ZERO {
            value += &self.distance - residue;
        }
        let mut at = value - &self.distance * self.resolution;
        for _ in 0..self.token_count() {
            let token = at.to_string();
            if token.trim_start_matches('-').len() > MOST_DIGITS {
                return Err("has more digits than Python writes");
            }
            each(&token);
            at += &self.distance;
        }
        Ok(())
    }
}

const NOT_A_NUMBER: &str = "is not a number";

/// An integer in digits times a power of ten.
fn shifted(digits: &str, zeros: usize) -> Option<BigInt> {
    (digits.to_owned() + &"0".repeat(zeros)).parse().ok()
}

/// A float times a power of ten, rounded to even.
fn rounded(value: f64, power_of_ten: usize) -> Option<BigInt> {
    let power: f64 = format!("1e{power_of_ten}").parse().ok()?;
    if power.is_infinite() {
        return None;
    }
    to_integer((value * power).round_ties_even())
}

/// The integer that a float without fraction is.
fn to_integer(value: f64) -> Option<BigInt> {
    value.is_finite().then(|| format!("{value:.0}").parse().ok())?
}

/// The float nearest to an integer.
fn to_float(value: &BigInt) -> Option<f64> {
    value
        .to_string()
        .parse()
        .ok()
        .filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(numeric: &Numeric, word: &str) -> Result<String, &'static str> {
        let mut all = Vec::new();
        numeric.tokens(word, &mut |token| all.push(token.to_owned()))?;
        Ok(all.join(" "))
    }

    #[test]
    fn the_example_of_clkhash_has_its_tokens() {
        // clkhash's own documentation of the class, and its tokens for both directions of rounding.
        let numeric = Numeric::try_new(Distance::Integer(8), 2, 0).unwrap();
        assert_eq!(tokens(&numeric, "25").unwrap(), "88 96 104 112 120");
        assert_eq!(tokens(&numeric, "24.99").unwrap(), "80 88 96 104 112");
        assert_eq!(tokens(&numeric, "-1").unwrap(), "-16 -8 0 8 16");
    }

    #[test]
    fn large_numbers_have_the_tokens_of_small_ones() {
        for (distance, resolution, precision) in [(3, 1, 0), (8, 2, 2), (7, 3, 5)] {
            let small = Numeric::try_new(Distance::Integer(distance), resolution, precision).unwrap();
            let large = Numeric {
                small: None,
                ..small.clone()
            };
            for word in ["0", "1", "-1", "17", "-1234567", "1e3", "2.5", "-0.005", "99999"] {
                assert_eq!(tokens(&small, word), tokens(&large, word), "{word}");
            }
        }
        let numeric = Numeric::try_new(Distance::Float(0.5), 1, 1).unwrap();
        assert_eq!(
            tokens(&numeric, "123456789012345678901234567890").unwrap(),
            "2469135780246913578024691357795 2469135780246913578024691357800 2469135780246913578024691357805"
        );
    }

    #[test]
    fn what_is_no_number_of_python_is_refused() {
        let numeric = Numeric::try_new(Distance::Float(0.1), 1, 1).unwrap();
        for word in ["abc", "inf", "nan", "1e308", "1,5", &"1".repeat(4301)] {
            assert!(tokens(&numeric, word).is_err(), "{word}");
        }
        assert!(Numeric::try_new(Distance::Float(0.05), 1, 0).is_err());
        assert!(Numeric::try_new(Distance::Float(0.5), 1, 0).is_err(), "to even");
        assert!(Numeric::try_new(Distance::Float(1.5), 1, 0).is_ok());
        assert!(Numeric::try_new(Distance::Float(1.0), 1, 309).is_err());
    }
}
