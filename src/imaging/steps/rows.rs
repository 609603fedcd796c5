//! What is done to every row by itself.

use std::{
    iter::{from_fn, once},
    sync::{Mutex, PoisonError},
};

use crate::imaging::{
    control::{Control, Failure},
    picture::{Raster, rows_mut},
    sample::Sample,
    threads::{LARGE, Lent},
};

/// Does `change` to every row, which it gets with its number. Of large pictures idle threads do some.
pub(super) fn each_row<S: Sample>(
    frame: &mut Raster<S>,
    control: &Control,
    change: impl Fn(u32, &mut [[S; 4]]) + Sync,
) -> Result<(), Failure> {
    let is_large = frame.pixels().len() >= LARGE;
    let rows = Mutex::new((0..).zip(rows_mut::<S>(frame)));
    let next = || rows.lock().unwrap_or_else(PoisonError::into_inner).next();
    let alone = || {
        while let Some((y, row)) = next() {
            control.check()?;
            change(y, row);
        }
        Ok(())
    };
    let lend = || if is_large { control.threads.lend() } else { None };
    let Some(first) = lend() else { return alone() };
    let help = &|lent: Lent<'_>| {
        while !lent.is_wanted()
            && control.check().is_ok()
            && let Some((y, row)) = next()
        {
            change(y, row);
        }
    };
    first.pool().in_place_scope(|scope| {
        for lent in once(first).chain(from_fn(lend)) {
            scope.spawn(move |_| help(lent));
        }
        alone()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use image::RgbaImage;

    use super::*;
    use crate::imaging::threads::Threads;

    #[test]
    fn each_row_is_changed_once_by_whoever_does_it() {
        let control = Control { threads: Threads::new(3), ..Control::default() };
        let _this = control.threads.expect();
        let mut frame = RgbaImage::new(60, 500);
        each_row::<u8>(&mut frame, &control, |y, row| {
            for [red, green, ..] in row {
                *red += 1;
                *green = u8::try_from(y % 256).unwrap();
            }
        })
        .unwrap();
        let is_changed = |(_, y, pixel): (u32, u32, &image::Rgba<u8>)| {
            u32::from(pixel.0[1]) == y % 256 && pixel.0[0] == 1
        };
        assert!(frame.enumerate_pixels().all(is_changed));
        assert_eq!(control.threads.idle(), 2, "threads are given back");
        control.cancel.cancel();
        assert!(each_row::<u8>(&mut frame, &control, |_, _| {}).is_err());
    }
}
