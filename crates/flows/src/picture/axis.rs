//! From values to lengths.

use crate::number::real_len;

/// An axis with ticks at round numbers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    first: f64,
    step: f64,
    steps: usize,
    length: f64,
}

/// About as many ticks as an axis has.
const TICKS: f64 = 6.0;

impl Axis {
    /// From 0 to a round number at or above `largest`. Where nothing is shown it has the tick 0 alone.
    pub(super) fn from_zero(largest: f64, length: f64) -> Self {
        Self::between(0.0, largest, length)
    }

    /// From a round number at or below `smallest` to one at or above `largest`.
    pub(super) fn between(smallest: f64, largest: f64, length: f64) -> Self {
        let sound = |value: f64| if value.is_finite() { value.max(0.0) } else { 0.0 };
        let (smallest, largest) = (sound(smallest), sound(largest));
        let step = round_step((largest - smallest) / TICKS);
        let first = (smallest / step).floor() * step;
        let mut steps = 0;
        while first + real_len(steps) * step < largest && steps < 100 {
            steps += 1;
        }
        Self {
            first,
            step,
            steps,
            length,
        }
    }

    /// The value at its begin.
    pub(super) const fn first(&self) -> f64 {
        self.first
    }

    /// How far along the axis a value is; its ends for what is beyond them.
    pub(super) fn at(&self, value: f64) -> f64 {
        if self.steps == 0 {
            return 0.0;
        }
        let share = (value - self.first) / (real_len(self.steps) * self.step);
        share.clamp(0.0, 1.0) * self.length
    }

    /// The values of the ticks.
    pub(super) fn ticks(&self) -> Vec<f64> {
        (0..=self.steps)
            .map(|tick| self.first + real_len(tick) * self.step)
            .collect()
    }
}

/// The first of 1, 2, 5, 10, … that is not below; by multiplication, which is the same on every machine.
fn round_step(least: f64) -> f64 {
    let mut unit = 1.0;
    loop {
        for factor in [1.0, 2.0, 5.0] {
            if factor * unit >= least {
                return factor * unit;
            }
        }
        if unit > 1e300 {
            return unit;
        }
        unit *= 10.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(left: f64, right: f64) -> bool {
        (left - right).abs() < 1e-9
    }

    #[test]
    fn ticks_are_round_and_hold_the_values() {
        let axis = Axis::from_zero(1840.0, 300.0);
        let ticks = axis.ticks();
        assert!(near(ticks[1], 500.0) && near(ticks[4], 2000.0) && ticks.len() == 5);
        assert!(near(axis.at(1000.0), 150.0) && near(axis.at(-5.0), 0.0));
        let cut = Axis::between(3400.0, 3700.0, 300.0);
        assert!(near(cut.first(), 3400.0) && near(cut.at(3400.0), 0.0));
    }

    #[test]
    fn what_cannot_be_shown_is_no_axis() {
        for largest in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let axis = Axis::from_zero(largest, 300.0);
            assert_eq!(axis.ticks().len(), 1);
            assert!(near(axis.at(7.0), 0.0));
        }
        assert!(Axis::from_zero(f64::MAX, 300.0).ticks().len() < 200);
    }
}
