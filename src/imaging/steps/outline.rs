//! The outline of a picture with rounded corners, and how much of each pixel lies within it.

use crate::domain::transform::Round;

/// Lines that each row of pixels is divided into. What a line covers is exact across, so this bounds the error of a pixel's
/// coverage to about 1/32.
const LINES: u16 = 16;

/// A rectangle whose corners are quarters of ellipses, in pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outline {
    width: f64,
    height: f64,
    /// The half axes of the corners.
    across: f64,
    down: f64,
}

impl Outline {
    /// The outline of a picture of `size`. A radius counts up to half of the shorter side.
    pub(super) fn of(round: Round, (width, height): (u32, u32)) -> Self {
        let (width, height) = (f64::from(width), f64::from(height));
        let (across, down) = match round {
            Round::Radius(radius) => {
                let radius = f64::from(radius).min(width / 2.0).min(height / 2.0);
                (radius, radius)
            }
            Round::Max => (width / 2.0, height / 2.0),
        };
        Self { width, height, across, down }
    }

    /// The outline that runs `by` pixels outside of this one.
    pub(super) fn grown(self, by: u32) -> Self {
        let by = f64::from(by);
        Self {
            width: self.width + 2.0 * by,
            height: self.height + 2.0 * by,
            across: self.across + by,
            down: self.down + by,
        }
    }

    /// How much of each pixel of row `y` lies within: 0 to 1, put into `row` from its beginning.
    pub(super) fn coverage(&self, y: u32, row: &mut [f32]) {
        row.fill(0.0);
        for line in 0..LINES {
            let at = f64::from(y) + (f64::from(line) + 0.5) / f64::from(LINES);
            let Some((left, right)) = self.span(at) else { continue };
            for (x, covered) in (0_u32..).zip(row.iter_mut()) {
                let (begin, end) = (f64::from(x), f64::from(x) + 1.0);
                let part = (right.min(end) - left.max(begin)).clamp(0.0, 1.0);
                #[allow(clippy::cast_possible_truncation)] // Between 0 and 1.
                let part = part as f32;
                *covered += part / f32::from(LINES);
            }
        }
    }

    /// Where the outline begins and ends at height `y`.
    fn span(&self, y: f64) -> Option<(f64, f64)> {
        if y < 0.0 || y > self.height {
            return None;
        }
        let into = (self.down - y).max(y - (self.height - self.down)).max(0.0);
        if into == 0.0 {
            return Some((0.0, self.width));
        }
        let share = (into / self.down).min(1.0);
        let inset = self.across * (1.0 - (1.0 - share * share).sqrt());
        Some((inset, self.width - inset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(outline: Outline, (width, height): (u32, u32)) -> f64 {
        let mut row = vec![0.0; width as usize];
        let mut sum = 0.0;
        for y in 0..height {
            outline.coverage(y, &mut row);
            sum += row.iter().copied().map(f64::from).sum::<f64>();
        }
        sum
    }

    #[test]
    fn the_area_is_that_of_the_shape() {
        let size = (60, 40);
        let circle = |radius: f64| std::f64::consts::PI * radius * radius;
        for radius in [1_u32, 7, 20] {
            let corners = (4.0 - std::f64::consts::PI) * f64::from(radius * radius);
            let found = area(Outline::of(Round::Radius(radius), size), size);
            assert!((found - (2400.0 - corners)).abs() < 0.5, "{radius}: {found}");
        }
        let ellipse = std::f64::consts::PI * 30.0 * 20.0;
        assert!((area(Outline::of(Round::Max, size), size) - ellipse).abs() < 1.0);
        // More than half of the shorter side is half of it.
        let most = area(Outline::of(Round::Radius(500), (40, 40)), (40, 40));
        assert!((most - circle(20.0)).abs() < 0.5, "{most}");
        let grown = area(Outline::of(Round::Max, (40, 40)).grown(5), (50, 50));
        assert!((grown - circle(25.0)).abs() < 0.5, "{grown}");
    }

    #[test]
    fn both_halves_are_alike() {
        let outline = Outline::of(Round::Radius(9), (31, 23));
        let (mut top, mut bottom) = (vec![0.0; 31], vec![0.0; 31]);
        for y in 0..12 {
            outline.coverage(y, &mut top);
            outline.coverage(22 - y, &mut bottom);
            let mirrored = top.iter().rev();
            for ((left, right), below) in top.iter().zip(mirrored).zip(&bottom) {
                assert!((left - right).abs() < 1e-5 && (left - below).abs() < 1e-5, "row {y}");
            }
        }
    }
}
