//! Decoding and mixing on two threads: while one piece of a picture is mixed, the next is decoded. What decodes stays where it is, and
//! need not know of threads.

use std::sync::mpsc::channel;

use crate::imaging::{control::Failure, threads::Lent};

/// Pieces on their way: one is filled, one waits, one is worked on.
const PIECES: usize = 3;

/// Bytes that pieces hold at most of a picture of which no more is looked at: eight rows of whole pixels, or sixteen of luma with half
/// as many of chroma.
pub(super) fn held([left, _, width, _]: [u32; 4]) -> u64 {
    (u64::from(left) + u64::from(width)) * 8 * 4 * PIECES as u64
}

/// Fills pieces on this thread and works on them, in order, on the one that was lent, until `fill` says that there was none left or
/// the thread is wanted. Says whether there may be more.
///
/// # Errors
/// What `fill` returns; all pieces before that were worked on.
pub(super) fn beside<P: Default + Send>(
    lent: &Lent<'_>,
    mut fill: impl FnMut(&mut P) -> Result<bool, Failure>,
    mut work: impl FnMut(&P) + Send,
) -> Result<bool, Failure> {
    lent.pool().in_place_scope(|scope| {
        let ((fulls, full), (empties, empty)) = (channel::<P>(), channel());
        for _ in 0..PIECES {
            // The other end is below.
            let _ = empties.send(P::default());
        }
        let work = &mut work;
        scope.spawn(move |_| {
            for piece in full {
                work(&piece);
                // Nobody takes it back in the end.
                let _ = empties.send(piece);
            }
        });
        let mut result = Ok(true);
        // There is an end to empty ones only where `work` panicked, which goes on from here.
        while matches!(result, Ok(true))
            && !lent.is_wanted()
            && let Ok(mut piece) = empty.recv()
        {
            result = fill(&mut piece);
            if matches!(result, Ok(true)) {
                let _ = fulls.send(piece);
            }
        }
        result
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{
        sync::mpsc::TryRecvError,
        thread::{self, current},
    };

    use image::{ImageFormat, imageops};
    use serde_json::json;

    use super::*;
    use crate::{
        domain::{limits::Limits, transform::Spec},
        imaging::{Control, Overlays, samples, threads::Threads, transform},
    };

    /// The result, or what is said of a file that is damaged.
    fn reduced(file: &[u8], width: u32, threads: &Threads) -> Result<Vec<u8>, String> {
        let spec = Spec::parse(&json!({"resize": {"width": width}, "format": "png"})).unwrap();
        let control = Control { threads: threads.clone(), ..Control::default() };
        transform(file, &Overlays::new(), &spec, &Limits::default(), &control)
            .map(|output| output.bytes)
            .map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_picture_is_the_same_however_threads_come_and_go() {
        let cat = imageops::crop_imm(&samples::read(samples::CAT), 120, 60, 181, 141).to_image();
        let cut = |file: &[u8]| file.get(..file.len() * 2 / 3).unwrap().to_vec();
        let [jpeg, png, webp] = [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP]
            .map(|format| samples::written(&cat, format));
        let veil = samples::png(&samples::veil(181, 141));
        let files = [cut(&jpeg), jpeg, cut(&png), png, webp, veil, samples::ROCKET.to_vec()];
        let (always, sometimes) = (Threads::new(2), Threads::new(1));
        thread::scope(|scope| {
            let (_going, gone) = channel::<()>();
            let others = &sometimes;
            scope.spawn(move || {
                while gone.try_recv() == Err(TryRecvError::Empty) {
                    drop(others.expect());
                    thread::yield_now();
                }
            });
            for file in &files {
                // Of the one all detail is mixed, of the other two by two pixels are one first.
                for width in [120, 40] {
                    let alone = reduced(file, width, &Threads::default());
                    assert!(reduced(file, width, &always) == alone);
                    assert!(reduced(file, width, &sometimes) == alone);
                }
            }
        });
    }

    /// Numbers from `from` to 99, as they come out; at 10 a picture comes, which waits for a thread.
    fn numbers(threads: &Threads, from: u32, until: u32) -> (Result<bool, Failure>, Vec<u32>) {
        let (mut next, mut seen, here) = (from, Vec::new(), current().id());
        let mut picture = None;
        let lent = threads.lend().unwrap();
        let result = beside(
            &lent,
            |piece| {
                *piece = next;
                next += 1;
                if next == 10 {
                    picture = Some(threads.expect());
                }
                if next > 200 { Err(Failure::Cancelled) } else { Ok(*piece < until) }
            },
            |piece: &u32| {
                assert_ne!(current().id(), here);
                seen.push(*piece);
            },
        );
        (result, seen)
    }

    #[test]
    fn pieces_are_worked_on_in_order_until_the_last() {
        let threads = Threads::new(2);
        let _this = threads.expect();
        let (result, seen) = numbers(&threads, 20, 100);
        assert!(!result.unwrap());
        assert_eq!(seen, (20..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_picture_that_waits_gets_the_thread_after_the_piece() {
        let threads = Threads::new(2);
        let _this = threads.expect();
        let (result, seen) = numbers(&threads, 0, 100);
        assert!(result.unwrap(), "there is more to do, without it");
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn what_came_before_a_failure_is_done() {
        let threads = Threads::new(2);
        let _this = threads.expect();
        let (result, seen) = numbers(&threads, 190, 1000);
        assert!(matches!(result, Err(Failure::Cancelled)));
        assert_eq!(seen, (190..200).collect::<Vec<_>>());
    }
}
