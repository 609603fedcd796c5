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

/// Undoes rows of `N` samples a pixel, as many pixels each as `above`, into `rows`, which lie one after the other. `above` is the row over the first; of nothing above
/// it is zeros.
pub(super) fn undo<const N: usize>(
    filters: [Filter; ROWS],
    stored: [&[u8]; ROWS],
    above: &[Pixel],
    rows: &mut [Pixel],
) {
    undo_by::<Wave, N>(filters, stored, above, rows);
}

fn undo_by<A: Around, const N: usize>(
    filters: [Filter; ROWS],
    stored: [&[u8]; ROWS],
    above: &[Pixel],
    rows: &mut [Pixel],
) {
    let width = above.len();
    let stored = stored.map(|row| row.as_chunks::<N>().0);
    let mut each = rows.chunks_exact_mut(width.max(1));
    let mut rows = [(); ROWS].map(|()| each.next().unwrap_or_default());
    if filters == [Filter::None; ROWS] {
        for (row, stored) in rows.into_iter().zip(stored) {
            row.iter_mut().zip(stored).for_each(|(pixel, stored)| *pixel = widened(*stored));
        }
        return;
    }
    let mut around = A::new(filters);
    // At the edges not all rows have a pixel. Left of the picture there are zeros, and they stay so: around them is nothing else.
    let at_the_edge = |around: &mut A, rows: &mut [&mut [Pixel]; ROWS], step: usize| {
        let place = |row: usize| step.checked_sub(row);
        let mut differences = [[0; 4]; ROWS];
        for (index, (difference, stored)) in differences.iter_mut().zip(stored).enumerate() {
            let there = place(index).and_then(|x| stored.get(x));
            *difference = there.copied().map(widened).unwrap_or_default();
        }
        let undone = around.step(differences, above.get(step).copied().unwrap_or_default());
        for (index, (row, undone)) in rows.iter_mut().zip(undone).enumerate() {
            if let Some(pixel) = place(index).and_then(|x| row.get_mut(x)) {
                *pixel = undone;
            }
        }
    };
    (0..BEHIND).for_each(|step| at_the_edge(&mut around, &mut rows, step));
    {
        let [first, second, third, fourth] = stored;
        let differences =
            from(first, 3).iter().zip(from(second, 2)).zip(from(third, 1)).zip(fourth);
        let [first, second, third, fourth] = &mut rows;
        let [first, second, third] = [(first, 3), (second, 2), (third, 1)]
            .map(|(row, at)| row.get_mut(at..).unwrap_or_default());
        let undone = first.iter_mut().zip(second).zip(third).zip(fourth.iter_mut());
        for ((differences, above), undone) in differences.zip(from(above, 3)).zip(undone) {
            let (((first, second), third), fourth) = differences;
            let differences = [*first, *second, *third, *fourth].map(widened);
            let (((first, second), third), fourth) = undone;
            [*first, *second, *third, *fourth] = around.step(differences, *above);
        }
    }
    let rest = width.max(BEHIND)..width + BEHIND;
    rest.for_each(|step| at_the_edge(&mut around, &mut rows, step));
}

/// Steps that the last row is behind the first.
const BEHIND: usize = ROWS - 1;

fn from<T>(row: &[T], at: usize) -> &[T] {
    row.get(at..).unwrap_or_default()
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
        let mut above = vec![[0; 4]; width];
        let mut all = Vec::new();
        let groups = stored.chunks_exact(width * N * ROWS).zip(filters.as_chunks::<ROWS>().0);
        for (group, filters) in groups {
            let mut each = group.chunks_exact(width * N);
            let stored = [(); ROWS].map(|()| each.next().unwrap_or_default());
            let mut rows = vec![[0; 4]; width * ROWS];
            undo_by::<A, N>(*filters, stored, &above, &mut rows);
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
