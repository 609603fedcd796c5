//! What PNG does to a row before it is packed (its specification, 9): samples become their difference from a prediction.

/// A row and the one above it, and what each filter makes of it.
pub(super) struct Filters {
    /// Bytes from a sample to the same one of the next pixel, at least one.
    step: usize,
    /// Both rows have as many zeros before them.
    row: Vec<u8>,
    above: Vec<u8>,
    /// A byte that names the filter, and the differences.
    tried: [Vec<u8>; FILTERS],
}

const FILTERS: usize = 5;

impl Filters {
    /// For rows of `length` bytes. The first is predicted from zeros.
    pub(super) fn new(step: usize, length: usize) -> Self {
        let zeros = vec![0; step + length];
        let tried = [0, 1, 2, 3, 4].map(|name| [vec![name], vec![0; length]].concat());
        Self { step, row: zeros.clone(), above: zeros, tried }
    }

    /// The next row as the filter leaves it that promises the least: whose differences are the smallest, all together.
    pub(super) fn least(&mut self, next: &[u8]) -> &[u8] {
        std::mem::swap(&mut self.row, &mut self.above);
        for (byte, next) in self.row.iter_mut().skip(self.step).zip(next) {
            *byte = *next;
        }
        let (row, left) = (self.row.get(self.step..).unwrap_or_default(), &self.row);
        let (above, corner) = (self.above.get(self.step..).unwrap_or_default(), &self.above);
        let [none, sub, up, average, paeth] = &mut self.tried;
        fill(none, row.iter().copied());
        fill(sub, row.iter().zip(left).map(|(byte, left)| byte.wrapping_sub(*left)));
        fill(up, row.iter().zip(above).map(|(byte, above)| byte.wrapping_sub(*above)));
        let around = || row.iter().zip(left).zip(above);
        fill(
            average,
            around().map(|((byte, left), above)| {
                // Half of the sum, rounded down, without more bits than eight.
                byte.wrapping_sub((left & above) + ((left ^ above) >> 1))
            }),
        );
        fill(
            paeth,
            around().zip(corner).map(|(((byte, left), above), corner)| {
                byte.wrapping_sub(predicted(*left, *above, *corner))
            }),
        );
        let least = self.tried.iter().min_by_key(|tried| size(tried.get(1..).unwrap_or_default()));
        least.map(Vec::as_slice).unwrap_or_default()
    }
}

/// Writes behind the name of a filter.
#[inline(always)]
fn fill(tried: &mut [u8], differences: impl Iterator<Item = u8>) {
    if let [_, place @ ..] = tried {
        for (place, difference) in place.iter_mut().zip(differences) {
            *place = difference;
        }
    }
}

/// Paeth's choice: whichever of the three is nearest to `left + above - corner`.
#[inline(always)]
fn predicted(left: u8, above: u8, corner: u8) -> u8 {
    let [a, b, c] = [left, above, corner].map(i16::from);
    let (to_left, to_above) = ((b - c).abs(), (a - c).abs());
    let to_corner = (a + b - c - c).abs();
    let nearer = if to_above <= to_corner { above } else { corner };
    if to_left <= to_above && to_left <= to_corner { left } else { nearer }
}

/// The differences, taken as positive or negative, all together.
fn size(differences: &[u8]) -> u64 {
    // Sums of so many bytes are below 2¹⁶.
    let pieces = differences.chunks(256);
    pieces
        .map(|piece| {
            let sum: u16 =
                piece.iter().map(|byte| u16::from((*byte).min(byte.wrapping_neg()))).sum();
            u64::from(sum)
        })
        .sum()
}
