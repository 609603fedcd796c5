//! Undoes what PNG did to rows before they were packed (its specification, 9), several rows at a time: while one row is at a pixel,
//! the row below is at the pixel to its left, and has all there that it needs. Within a row every pixel waits for the one before it;
//! so one such wait does for all rows.

#[cfg(target_arch = "x86_64")]
mod sse2;

#[cfg(target_arch = "x86_64")]
use sse2::Wave;

#[cfg(not(target_arch = "x86_64"))]
use Portable as Wave;

/// Rows that are undone together.
pub(super) const ROWS: usize = 4;

/// The samples of a pixel, up to four.
pub(super) type Pixel = [u8; 4];

/// How a row was filtered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
    /// Samples as they are.
    None,
    /// As the difference from the pixel to the left.
    Sub,
    /// From the one above.
    Up,
    /// From the middle of both, rounded down.
    Average,
    /// From whichever of left, above, and above left is nearest to left + above - above left.
    Paeth,
}

impl Filter {
    /// What the byte before a row says.
    pub(super) const fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::None,
            1 => Self::Sub,
            2 => Self::Up,
            3 => Self::Average,
            4 => Self::Paeth,
            _ => return None,
        })
    }
}

/// What lies around the pixels that are undone next, one of each row.
trait Around {
    /// At the left edge of rows that are filtered so.
    fn new(filters: [Filter; ROWS]) -> Self;

    /// Undoes the pixels next to the last ones. `above` is the one over the pixel of the first row.
    fn step(&mut self, differences: [Pixel; ROWS], above: Pixel) -> [Pixel; ROWS];
}

/// Room for rows of one width.
pub(super) struct Undo {
    /// What each step works on: of every row a pixel, one further left than of the row above. A row's pixels that would be left of the
    /// picture are zeros, and stay so: there is nothing but zeros around them.
    steps: Vec<[Pixel; ROWS]>,
}

impl Undo {
    /// For rows of so many pixels.
    pub(super) fn new(width: usize) -> Self {
        Self { steps: vec![[[0; 4]; ROWS]; width + ROWS - 1] }
    }

    /// Undoes rows of `N` samples a pixel into `rows`, which lie one after the other. `above` is the row over the first; of nothing
    /// above it is zeros.
    pub(super) fn rows<const N: usize>(
        &mut self,
        filters: [Filter; ROWS],
        stored: [&[u8]; ROWS],
        above: &[Pixel],
        rows: &mut [Pixel],
    ) {
        self.rows_by::<Wave, N>(filters, stored, above, rows);
    }

    fn rows_by<A: Around, const N: usize>(
        &mut self,
        filters: [Filter; ROWS],
        stored: [&[u8]; ROWS],
        above: &[Pixel],
        rows: &mut [Pixel],
    ) {
        let width = above.len().max(1);
        let stored = stored.map(|row| row.as_chunks::<N>().0);
        if filters == [Filter::None; ROWS] {
            for (row, stored) in rows.chunks_exact_mut(width).zip(stored) {
                row.iter_mut().zip(stored).for_each(|(pixel, stored)| *pixel = widened(*stored));
            }
            return;
        }
        for (index, stored) in stored.into_iter().enumerate() {
            let steps = self.steps.iter_mut().skip(index);
            for (place, stored) in steps.filter_map(|step| step.get_mut(index)).zip(stored) {
                *place = widened(*stored);
            }
        }
        let mut around = A::new(filters);
        let inside = above.len().min(self.steps.len());
        let (steps, last) = self.steps.split_at_mut(inside);
        for (step, above) in steps.iter_mut().zip(above) {
            *step = around.step(*step, *above);
        }
        for step in last {
            *step = around.step(*step, [0; 4]);
        }
        for (index, row) in rows.chunks_exact_mut(width).enumerate() {
            let steps = self.steps.iter().skip(index);
            for (pixel, undone) in row.iter_mut().zip(steps.filter_map(|step| step.get(index))) {
                *pixel = *undone;
            }
        }
    }
}

/// A pixel of fewer samples than four.
#[inline(always)]
fn widened<const N: usize>(stored: [u8; N]) -> Pixel {
    let mut pixel = [0; 4];
    pixel.iter_mut().zip(stored).for_each(|(sample, stored)| *sample = stored);
    pixel
}

/// For processors without vectors that are written for here.
#[cfg(any(test, not(target_arch = "x86_64")))]
struct Portable {
    filters: [Filter; ROWS],
    left: [Pixel; ROWS],
    corner: [Pixel; ROWS],
}

#[cfg(any(test, not(target_arch = "x86_64")))]
impl Around for Portable {
    fn new(filters: [Filter; ROWS]) -> Self {
        Self { filters, left: [[0; 4]; ROWS], corner: [[0; 4]; ROWS] }
    }

    fn step(&mut self, differences: [Pixel; ROWS], above: Pixel) -> [Pixel; ROWS] {
        let [first, second, third, _] = self.left;
        let above = [above, first, second, third];
        let mut undone = differences;
        let around = self.filters.iter().zip(self.left).zip(above).zip(self.corner);
        for (pixel, (((filter, left), above), corner)) in undone.iter_mut().zip(around) {
            let around = left.into_iter().zip(above).zip(corner);
            for (sample, ((left, above), corner)) in pixel.iter_mut().zip(around) {
                *sample = sample.wrapping_add(filter.predicted(left, above, corner));
            }
        }
        (self.left, self.corner) = (undone, above);
        undone
    }
}

#[cfg(any(test, not(target_arch = "x86_64")))]
impl Filter {
    fn predicted(self, left: u8, above: u8, corner: u8) -> u8 {
        match self {
            Self::None => 0,
            Self::Sub => left,
            Self::Up => above,
            Self::Average => left.midpoint(above),
            Self::Paeth => {
                let [a, b, c] = [left, above, corner].map(i16::from);
                let expected = a + b - c;
                let distance = |sample: &u8| expected.abs_diff(i16::from(*sample));
                // Of several that are as near the first.
                [left, above, corner].into_iter().min_by_key(distance).unwrap_or_default()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn undone<A: Around, const N: usize>(
        stored: &[u8],
        width: usize,
        filters: &[Filter],
    ) -> Vec<Pixel> {
        let mut undo = Undo::new(width);
        let mut above = vec![[0; 4]; width];
        let mut all = Vec::new();
        let groups = stored.chunks_exact(width * N * ROWS).zip(filters.as_chunks::<ROWS>().0);
        for (group, filters) in groups {
            let mut each = group.chunks_exact(width * N);
            let stored = [(); ROWS].map(|()| each.next().unwrap_or_default());
            let mut rows = vec![[0; 4]; width * ROWS];
            undo.rows_by::<A, N>(*filters, stored, &above, &mut rows);
            above.clear();
            above.extend(rows.iter().skip(width * (ROWS - 1)));
            all.extend(rows);
        }
        all
    }

    /// Sample after sample, as the specification has it.
    fn as_specified<const N: usize>(stored: &[u8], width: usize, filters: &[Filter]) -> Vec<Pixel> {
        let mut all: Vec<Pixel> = Vec::new();
        for (index, stored) in stored.as_chunks::<N>().0.iter().enumerate() {
            let (x, y) = (index % width, index / width);
            let at = |dx: usize, dy: usize| {
                let is_there = x >= dx && y >= dy;
                let pixel = is_there.then(|| all.get(index - dx - dy * width)).flatten();
                pixel.copied().unwrap_or_default()
            };
            let (left, above, corner) = (at(1, 0), at(0, 1), at(1, 1));
            let mut pixel = widened(*stored);
            let filter = filters.get(y).copied().unwrap_or(Filter::None);
            let around = left.into_iter().zip(above).zip(corner);
            for (sample, ((left, above), corner)) in pixel.iter_mut().zip(around) {
                *sample = sample.wrapping_add(filter.predicted(left, above, corner));
            }
            all.push(pixel);
        }
        all
    }

    proptest! {
        #[test]
        fn rows_together_are_rows_one_by_one(
            width in 1_usize..40,
            names in prop::collection::vec(0_u8..5, 8),
            noise in prop::collection::vec(any::<u8>(), 40 * 4 * 8),
        ) {
            let filters: Vec<Filter> = names.into_iter().filter_map(Filter::of).collect();
            let three = noise.get(..width * 3 * 8).unwrap_or_default();
            let four = noise.get(..width * 4 * 8).unwrap_or_default();
            let expected = as_specified::<4>(four, width, &filters);
            prop_assert_eq!(&undone::<Portable, 4>(four, width, &filters), &expected);
            prop_assert_eq!(&undone::<Wave, 4>(four, width, &filters), &expected);
            let expected = as_specified::<3>(three, width, &filters);
            prop_assert_eq!(&undone::<Wave, 3>(three, width, &filters), &expected);
        }
    }
}
