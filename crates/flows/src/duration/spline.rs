/// A cubic spline through given points, with ends as Forsythe, Malcolm and Moler 1977 (chapter 4) set them: the third
/// derivative there is that of the cubic through the four points nearest the end. R calls it "fmm".
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CubicSpline {
    x: Vec<f64>,
    y: Vec<f64>,
    /// σᵢ: a sixth of the second derivative at each point.
    sixths: Vec<f64>,
}

impl CubicSpline {
    /// Through two points or more, `x` ascending. With two it is a line, with three a parabola.
    pub(super) fn new(points: &[(f64, f64)]) -> Self {
        let (x, y): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
        let sixths = sixths(&x, &y);
        Self { x, y, sixths }
    }

    /// The value at a point between the first and the last `x`; `None` beyond them.
    pub(super) fn value(&self, at: f64) -> Option<f64> {
        let (first, last) = (self.x.first()?, self.x.last()?);
        if !(*first..=*last).contains(&at) {
            return None;
        }
        let upper = self.x.partition_point(|&x| x < at).clamp(1, self.x.len() - 1);
        let lower = upper - 1;
        let h = self.x[upper] - self.x[lower];
        let up = (at - self.x[lower]) / h;
        let down = 1.0 - up;
        let bend =
            self.sixths[upper] * (up * up * up - up) + self.sixths[lower] * (down * down * down - down);
        Some(up * self.y[upper] + down * self.y[lower] + h * h * bend)
    }
}

/// Solves the tridiagonal equations of σ: hᵢ₋₁σᵢ₋₁ + 2(hᵢ₋₁+hᵢ)σᵢ + hᵢσᵢ₊₁ = Δᵢ − Δᵢ₋₁ inside, and at the ends
/// −h₁σ₁ + h₁σ₂ = h₁²Δ₁⁽³⁾ and its mirror image, with Δ⁽³⁾ the third divided difference.
fn sixths(x: &[f64], y: &[f64]) -> Vec<f64> {
    let n = x.len();
    if n < 3 {
        return vec![0.0; n];
    }
    let h: Vec<f64> = x.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let slope: Vec<f64> = y
        .windows(2)
        .zip(&h)
        .map(|(pair, h)| (pair[1] - pair[0]) / h)
        .collect();
    let mut diagonal = vec![0.0; n];
    let mut right = vec![0.0; n];
    for i in 1..n - 1 {
        diagonal[i] = 2.0 * (h[i - 1] + h[i]);
        right[i] = slope[i] - slope[i - 1];
    }
    diagonal[0] = -h[0];
    diagonal[n - 1] = -h[n - 2];
    if n > 3 {
        let second = |i: usize| right[i] / (x[i + 1] - x[i - 1]);
        let first_third = (second(2) - second(1)) / (x[3] - x[0]);
        let last_third = (second(n - 2) - second(n - 3)) / (x[n - 1] - x[n - 4]);
        right[0] = h[0] * h[0] * first_third;
        right[n - 1] = -h[n - 2] * h[n - 2] * last_third;
    }
    for i in 1..n {
        let factor = h[i - 1] / diagonal[i - 1];
        diagonal[i] -= factor * h[i - 1];
        right[i] -= factor * right[i - 1];
    }
    let mut sixths = right;
    sixths[n - 1] /= diagonal[n - 1];
    for i in (0..n - 1).rev() {
        sixths[i] = (sixths[i] - h[i] * sixths[i + 1]) / diagonal[i];
    }
    sixths
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tolerance of values that a cubic reproduces up to rounding.
    const ABS_TOL: f64 = 1e-9;

    #[test]
    fn a_cubic_is_its_own_spline() {
        let cubic = |x: f64| 0.5 - x + 0.25 * x * x - 0.01 * x * x * x;
        let points = [0.0, 3.0, 4.0, 10.0, 12.0, 20.0].map(|x| (x, cubic(x)));
        let spline = CubicSpline::new(&points);
        for at in [0.0, 1.0, 3.0, 7.5, 11.9, 20.0] {
            assert!((spline.value(at).unwrap() - cubic(at)).abs() < ABS_TOL, "{at}");
        }
    }

    #[test]
    fn two_points_make_a_line_and_three_a_parabola() {
        let line = CubicSpline::new(&[(0.0, 1.0), (4.0, 3.0)]);
        assert!((line.value(1.0).unwrap() - 1.5).abs() < ABS_TOL);
        let square = CubicSpline::new(&[(0.0, 0.0), (1.0, 1.0), (3.0, 9.0)]);
        assert!((square.value(2.0).unwrap() - 4.0).abs() < ABS_TOL);
    }

    #[test]
    fn nothing_is_said_beyond_the_ends() {
        let line = CubicSpline::new(&[(0.0, 1.0), (4.0, 3.0)]);
        for at in [-0.1, 4.1, f64::NAN] {
            assert_eq!(line.value(at), None);
        }
    }
}
