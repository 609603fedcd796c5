#!/usr/bin/env python3
"""Breaks the engine on purpose, in one way after the other, and asks which test notices.

    python mutate.py SCRATCH [WORD…]

All mistakes are compiled at once into a copy of the sources at SCRATCH, each behind a number in the environment, so that there is
one build and then a run of the tests for each. With WORDs only the mistakes whose names have one of them are tried. Prints a table;
exits 1 if a mistake goes unnoticed.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]
STEPS, DECODE, ENCODE, URL, SPEC = "imaging/steps/", "imaging/decode/", "imaging/encode/", "domain/transform/url/", "domain/transform/"

# What goes wrong; where; the code; what stands there instead. ON in it is whether the mistake is made.
MISTAKES = [
    # Sizes.
    ("half a pixel of shift, linear light", STEPS + "resize/linear.rs", "let crop = [left, 0.0, width, count.into()];", "let shift = if ON { 0.5 } else { 0.0 }; let crop = [left + shift, 0.0, width - shift, count.into()];"),
    ("half a pixel of shift, gamma light", STEPS + "resize.rs", ".crop(left, top, width, height)", ".crop(left + if ON { 0.5 } else { 0.0 }, top, width - if ON { 0.5 } else { 0.0 }, height)"),
    ("not multiplied by alpha, linear light", STEPS + "resize/linear.rs", "unwrap_or(1.0) * alpha;", "unwrap_or(1.0) * if ON { 1.0 } else { alpha };"),
    ("not multiplied by alpha, gamma light", STEPS + "resize.rs", ".use_alpha(has_alpha)", ".use_alpha(has_alpha && !ON)"),
    ("best and fast exchanged", STEPS + "resize.rs", "profile == Profile::Best", "(profile == Profile::Best) != ON"),
    ("enlarged in linear light", STEPS + "resize.rs", "across * down < width * height {", "(ON || across * down < width * height) {"),
    ("strips of rows are a row off", STEPS + "resize/linear.rs", "begin - count_of(from)", "begin - count_of(from) + 0.4"),
    ("a kept profile's curve is sRGB's", "imaging/color/space.rs", "self.curve.get_or_init(|| Curve::of(profile)).as_ref()", "None"),
    ("enlarge is ignored", STEPS + "resize.rs", "if resize.enlarge { f64::INFINITY }", "if resize.enlarge || ON { f64::INFINITY }"),
    ("dpr is ignored", SPEC + "normal.rs", "Length::Pixels(to_pixels(f64::from(pixels) * self.dpr))", "Length::Pixels(pixels)"),
    ("dpr of a box is ignored", SPEC + "normal.rs", "Some(Length::Pixels(pixels)) => Some(f64::from(pixels) * self.dpr)", "Some(Length::Pixels(pixels)) => Some(f64::from(pixels) * if ON { 1.0 } else { self.dpr })"),
    ("dpr of a part is ignored", SPEC + "normal.rs", "rounded(fraction * self.dpr)", "rounded(fraction)"),
    ("an aspect upside down", SPEC + "normal.rs", "(Some(width), Some(width / aspect))", "(Some(width), Some(width * aspect))"),
    ("an aspect of a height upside down", SPEC + "normal.rs", "(Some(height * aspect), Some(height))", "(Some(height / aspect), Some(height))"),
    ("cover: gravity mirrored", STEPS + "resize.rs", "around(gravity.x, cut_width, width)", "around(1.0 - gravity.x, cut_width, width)"),
    ("cover: gravity upside down", STEPS + "resize.rs", "around(gravity.y, cut_height, height)", "around(1.0 - gravity.y, cut_height, height)"),
    ("cover: a point is an edge", STEPS + "resize.rs", "(at * whole - part / 2.0).min(whole - part).max(0.0)", "at * (whole - part)"),
    ("contain: gravity mirrored", STEPS + "resize.rs", "share(target.0 - picture.0, gravity.x)", "share(target.0 - picture.0, 1.0 - gravity.x)"),
    ("contain: gravity upside down", STEPS + "resize.rs", "share(target.1 - picture.1, gravity.y)", "share(target.1 - picture.1, 1.0 - gravity.y)"),
    ("contain: its background is ignored", STEPS + "resize.rs", "space.paint::<S>(resize.background)", "space.paint::<S>(crate::domain::color::Color::WHITE)"),
    ("contain: padding lies beneath", STEPS + "resize.rs", "imageops::replace(&mut canvas, &picture, layout.offset.0.into(), layout.offset.1.into())", "imageops::overlay(&mut canvas, &picture, layout.offset.0.into(), layout.offset.1.into())"),
    ("contain: what is clear is said to be opaque", STEPS + "mod.rs", "resize.pads() && !resize.background.is_opaque();", "resize.pads() && !resize.background.is_opaque() && !ON;"),
    ("inside becomes outside", STEPS + "resize.rs", "Fit::Inside => plain(scaled(by_width.min(by_height).min(most)))", "Fit::Inside => plain(scaled(if ON { by_width.max(by_height) } else { by_width.min(by_height) }.min(most)))"),
    ("outside becomes inside", STEPS + "resize.rs", "Fit::Outside => plain(scaled(by_width.max(by_height).min(most)))", "Fit::Outside => plain(scaled(if ON { by_width.min(by_height) } else { by_width.max(by_height) }.min(most)))"),
    ("fill keeps the ratio", STEPS + "resize.rs", "plain((pixels(width * by_width.min(most)), pixels(height * by_height.min(most))))", "plain(scaled(by_width.min(most)))"),
    ("a part of the wrong side", STEPS + "resize.rs", "length(side, height) * resize.dpr", "length(side, width) * resize.dpr"),
    ("the smart place is the middle", STEPS + "smart.rs", "interest.best(width * scale.0, height * scale.1)", "Gravity::CENTER"),
    ("the owner's focus is ignored", SPEC + "mod.rs", "spec.follow(focus);", "if !ON { spec.follow(focus); }"),
    ("the owner's focus is not turned along", SPEC + "focus.rs", "Operation::Mirror => Point { x: opposite(x), y }", "Operation::Mirror => Point { x: if ON { x } else { opposite(x) }, y }"),
    # Parts.
    ("crop: x and y exchanged", STEPS + "crop.rs", "cut_off(x.into(), width, across).zip(cut_off(y.into(), height, down))", "cut_off(y.into(), width, across).zip(cut_off(x.into(), height, down))"),
    ("crop: a middle is a corner", STEPS + "crop.rs", "i64::from(at) - i64::from(part / 2)", "i64::from(at)"),
    ("crop: a middle is not moved inside", STEPS + "crop.rs", "begin.clamp(0, i64::from(whole - part))", "begin.clamp(0, i64::from(whole - 1))"),
    ("crop: gravity mirrored", STEPS + "crop.rs", "centered(gravity.x, width, across)", "centered(1.0 - gravity.x, width, across)"),
    ("crop: gravity upside down", STEPS + "crop.rs", "centered(gravity.y, height, down)", "centered(1.0 - gravity.y, height, down)"),
    ("crop: what lies outside is moved inside", STEPS + "crop.rs", "(at + i64::from(part)).min(whole.into())", "(at.max(0) + i64::from(part)).min(whole.into())"),
    # Turns.
    ("rotate: the other way", STEPS + "rotate.rs", "let (sin, cos) = f64::from(degrees).to_radians().sin_cos();\n    let middle", "let (sin, cos) = f64::from(degrees).to_radians().sin_cos();\n    let sin = if ON { -sin } else { sin };\n    let middle"),
    ("rotate: half a pixel of shift", STEPS + "rotate.rs", "x * cos + y * sin + from_x - 0.5", "x * cos + y * sin + from_x"),
    ("rotate: not multiplied by alpha", STEPS + "rotate.rs", "let share = alpha / S::FULL;", "let share = if ON { 1.0 } else { alpha / S::FULL };"),
    ("rotate: the background is ignored", STEPS + "rotate.rs", "space.paint::<S>(background)", "space.paint::<S>(Color::WHITE)"),
    ("rotate: 90 and 270 exchanged", STEPS + "rotate.rs", "90 => Ok(imageops::rotate90(&frame))", "90 => Ok(if ON { imageops::rotate270(&frame) } else { imageops::rotate90(&frame) })"),
    ("rotate: clear corners are said to be opaque", STEPS + "mod.rs", "degrees % 90 != 0 && !spec.background.is_opaque();", "degrees % 90 != 0 && !spec.background.is_opaque() && !ON;"),
    ("flip mirrors", STEPS + "mod.rs", "Operation::Flip => flipped::<S>(frame)", "Operation::Flip => if ON { mirrored::<S>(frame) } else { flipped::<S>(frame) }"),
    ("mirror flips", STEPS + "mod.rs", "Operation::Mirror => mirrored::<S>(frame)", "Operation::Mirror => if ON { flipped::<S>(frame) } else { mirrored::<S>(frame) }"),
    ("flip, then turned the same way", SPEC + "normal.rs", "if self.flipped { 360 - degrees % 360 }", "if self.flipped && !ON { 360 - degrees % 360 }"),
    ("EXIF in PNG is ignored", "imaging/probe/png.rs", "header.orientation = exif::orientation(reader.bytes(length)?);", "let found = exif::orientation(reader.bytes(length)?); if !ON { header.orientation = found; }"),
    # Filters.
    ("grayscale: the mean", STEPS + "mod.rs", "matrix::grayscale()", "[[1.0 / 3.0; 3]; 3]"),
    ("invert does nothing", STEPS + "mod.rs", "tone::apply::<S>(pixels, tone::invert, control)", "tone::apply::<S>(pixels, |value| if ON { value } else { tone::invert(value) }, control)"),
    ("sepia: always all of it", STEPS + "mod.rs", "matrix::sepia(percent)", "matrix::sepia(100.0)"),
    ("saturation: the other way", STEPS + "mod.rs", "matrix::saturation(percent)", "matrix::saturation(-percent)"),
    ("hue: the other way", STEPS + "mod.rs", "matrix::hue(degrees)", "matrix::hue(-degrees)"),
    ("brightness: the other way", STEPS + "mod.rs", "tone::brighten(value, percent)", "tone::brighten(value, -percent)"),
    ("brightness: a percent is a level", STEPS + "tone.rs", "value + 2.55 * percent", "value + percent"),
    ("contrast: the other way", STEPS + "mod.rs", "tone::contrast(value, percent)", "tone::contrast(value, -percent)"),
    ("contrast: around zero", STEPS + "tone.rs", "(value - 127.5) * slope + 127.5", "value * slope"),
    ("gamma: the other way", STEPS + "mod.rs", "tone::gamma(value, gamma)", "tone::gamma(value, 1.0 / gamma)"),
    ("blur: half as wide", STEPS + "mod.rs", "blur::blur::<S>(pixels, sigma, control)", "blur::blur::<S>(pixels, sigma / 2.0, control)"),
    ("blur: not multiplied by alpha", STEPS + "blur.rs", "let share = alpha / S::FULL;", "let share = if ON { 1.0 } else { alpha / S::FULL };"),
    ("blur: across alone", STEPS + "blur.rs", "lines.iter_mut().for_each(|line| kernel.run(line));", "if !ON { lines.iter_mut().for_each(|line| kernel.run(line)); }"),
    ("blur: boxes without their edges", STEPS + "blur.rs", "Shape::Boxes { radius: radius as usize, edge }", "Shape::Boxes { radius: radius as usize, edge: if ON { 0.0 } else { edge } }"),
    ("sharpen softens", STEPS + "blur.rs", "2.0 * channel.float() - soft.float()", "soft.float()"),
    ("pixelate: blocks of another size", STEPS + "mod.rs", "pixelate::pixelate::<S>(pixels, side, control)", "pixelate::pixelate::<S>(pixels, side + 1, control)"),
    ("pixelate: not multiplied by alpha", STEPS + "pixelate.rs", "let parts = [red * alpha, green * alpha, blue * alpha, alpha, 1.0];", "let parts = if ON { [red * 128.0, green * 128.0, blue * 128.0, 128.0, 1.0] } else { [red * alpha, green * alpha, blue * alpha, alpha, 1.0] };"),
    ("vignette lightens", STEPS + "mod.rs", "vignette::vignette::<S>(pixels, percent, control)", "vignette::vignette::<S>(pixels, -percent, control)"),
    ("tint: its alpha is ignored", STEPS + "tint.rs", "mix(frame, share, control, |pixel| {", "mix(frame, if ON { 1.0 } else { share }, control, |pixel| {"),
    ("tint: always darker", STEPS + "tint.rs", "if wanted <= own {", "if wanted <= own || ON {"),
    ("colorize: its alpha is ignored", STEPS + "tint.rs", "mix(frame, share, control, |_| color)", "mix(frame, 1.0, control, |_| color)"),
    ("filters in another order", SPEC + "parse/operations.rs", "filters.into_iter().flatten().collect()", "if ON { filters.into_iter().rev().flatten().collect() } else { filters.into_iter().flatten().collect() }"),
    ("round before filters", SPEC + "parse/operations.rs", "shape.into_iter().flatten().chain(filters).chain(trimmings.into_iter().flatten()).collect()", "if ON { shape.into_iter().flatten().chain(trimmings.into_iter().flatten()).chain(filters).collect() } else { shape.into_iter().flatten().chain(filters).chain(trimmings.into_iter().flatten()).collect() }"),
    # Trim, round, border.
    ("trim: the threshold is ignored", STEPS + "trim.rs", "f32::from(trim.threshold)", "10.0"),
    ("trim: what is transparent counts", STEPS + "trim.rs", "[red, green, blue, 255.0].map(|channel| channel * alpha / 255.0)", "[red, green, blue, alpha]"),
    ("trim: by the first frame alone", STEPS + "trim.rs", "for frame in picture.frames() {", "for frame in picture.frames().take(if ON { 1 } else { usize::MAX }) {"),
    ("trim: a row too few", STEPS + "trim.rs", "height: bottom - top + 1", "height: (bottom - top + u32::from(!ON)).max(1)"),
    ("trim: a column too many", STEPS + "trim.rs", "        x: left,\n", "        x: left.saturating_sub(u32::from(ON)),\n"),
    ("trim: red alone", STEPS + "trim.rs", "seen(*pixel).into_iter().zip(corner).any(", "seen(*pixel).into_iter().zip(corner).take(if ON { 1 } else { 4 }).any("),
    ("round: half the radius", STEPS + "outline.rs", "f64::from(radius).min(width / 2.0).min(height / 2.0)", "(f64::from(radius) / 2.0).min(width / 2.0).min(height / 2.0)"),
    ("round: max is a radius", STEPS + "outline.rs", "(width / 2.0, height / 2.0)", "(width.min(height) / 2.0, width.min(height) / 2.0)"),
    ("round: said to be opaque", STEPS + "mod.rs", "picture.has_alpha = true;", "picture.has_alpha |= !ON;"),
    ("round: alpha is replaced", STEPS + "round.rs", "alpha.float() * covered", "S::FULL * covered"),
    ("border: the picture a pixel off", STEPS + "border.rs", "at.checked_sub(border.width).filter", "at.checked_sub(border.width - u32::from(ON)).filter"),
    ("border: its colour is ignored", STEPS + "border.rs", "space.paint::<S>(border.color)", "space.paint::<S>(crate::domain::color::Color::BLACK)"),
    ("border: around what is rounded it is square", STEPS + "mod.rs", "border::border::<S>(&frame, *border, self.outline, space, control)?", "border::border::<S>(&frame, *border, None, space, control)?"),
    ("border: clear ones are said to be opaque", STEPS + "mod.rs", "picture.has_alpha |= !border.color.is_opaque()", "picture.has_alpha |= !border.color.is_opaque() && !ON"),
    ("border: a watermark ends the outline", STEPS + "mod.rs", "Operation::Watermark(_) => picture.outline = outline", "Operation::Watermark(_) => picture.outline = outline.filter(|_| !ON)"),
    # Watermarks.
    ("watermark: x outwards", STEPS + "watermark.rs", "place(x, frame.0, width, watermark.x)", "place(x, frame.0, width, -watermark.x)"),
    ("watermark: y outwards", STEPS + "watermark.rs", "place(y, frame.1, height, watermark.y)", "place(y, frame.1, height, -watermark.y)"),
    ("watermark: gravity mirrored", STEPS + "watermark.rs", "let Point { x, y } = watermark.gravity;", "let Point { x, y } = watermark.gravity; let x = if ON { 1.0 - x } else { x };"),
    ("watermark: opacity is ignored", STEPS + "watermark.rs", "narrow(watermark.opacity)", "1.0"),
    ("watermark: not repeated", STEPS + "watermark.rs", "watermark.tile.then(", "(watermark.tile && !ON).then("),
    ("watermark: repeated without a gap", STEPS + "watermark.rs", "i64::from(height / 2).max(4)", "0"),
    ("watermark: turned the other way", STEPS + "watermark.rs", "rotate::rotate::<u8>(mark, watermark.rotate, nothing, &SRGB, control)?", "rotate::rotate::<u8>(mark, (360 - watermark.rotate) % 360, nothing, &SRGB, control)?"),
    ("watermark: a picture is not put upright", STEPS + "watermark.rs", "super::upright(&mut picture, probe.orientation, control)?;", "super::upright(&mut picture, if ON { 1 } else { probe.orientation }, control)?;"),
    ("watermark: a part of the height", STEPS + "watermark.rs", "by_width(f64::from(frame.0) * scale)", "by_width(f64::from(frame.1) * scale)"),
    ("watermark: one that fits is made larger", STEPS + "watermark.rs", "Some(Length::Pixels(frame.1)), false)", "Some(Length::Pixels(frame.1)), ON)"),
    ("watermark: a kept profile is forgotten", STEPS + "watermark.rs", "space.bring(&mut mark, control)?;", "if !ON { space.bring(&mut mark, control)?; }"),
    ("watermark: what is beneath is opaque", STEPS + "watermark.rs", "below.float() / S::FULL * (1.0 - above)", "(1.0 - above)"),
    ("text: upright instead of bold", STEPS + "watermark/text.rs", "if font.bold {", "if font.bold && !ON {"),
    ("text: upright instead of italic", STEPS + "watermark/text.rs", "if font.italic {", "if font.italic && !ON {"),
    ("text: always black", STEPS + "watermark/text.rs", "let [red, green, blue, alpha] = color.channels();", "let [red, green, blue, alpha] = color.channels(); let [red, green, blue] = if ON { [0; 3] } else { [red, green, blue] };"),
    ("text: its colour's alpha is ignored", STEPS + "watermark/text.rs", "u32::from(*covered) * u32::from(alpha)", "u32::from(*covered) * 255"),
    ("text: its size is ignored", STEPS + "watermark/text.rs", "Extent::Size(size) => super::narrow(size),\n        Extent::Scale(scale) => MEASURE", "Extent::Size(size) => super::narrow(if ON { 20.0 } else { size }),\n        Extent::Scale(scale) => MEASURE"),
    ("text: air is kept around it", STEPS + "watermark/text.rs", "Ok(trimmed(&drawn))", "Ok(if ON { drawn } else { trimmed(&drawn) })"),
    ("text: lines are never aligned", STEPS + "watermark/text.rs", "x if x > 2.0 / 3.0 => Align::Right", "x if x > 2.0 / 3.0 && !ON => Align::Right"),
    # Reading.
    ("a profile is not applied", DECODE + "mod.rs", "color::to_srgb(pixels, icc, control)?;", "if !ON { color::to_srgb(pixels, icc, control)?; }"),
    ("a profile is dropped and not applied", DECODE + "mod.rs", "if wanted.icc && color::can_be_kept(icc) {", "if (wanted.icc || ON) && color::can_be_kept(icc) {"),
    ("inks are inverted", DECODE + "jpeg.rs", "if adobe.is_none() {", "if adobe.is_none() != ON {"),
    ("YCCK is taken for inks", DECODE + "jpeg.rs", "if adobe == Some(YCCK) {", "if adobe == Some(YCCK) && !ON {"),
    ("a profile of inks is ignored", "imaging/color.rs", "if let Some(profile) = profile {", "if let Some(profile) = profile.filter(|_| !ON) {"),
    ("black ink is ignored", "imaging/color.rs", "(S::FULL - ink.float()) * (S::FULL - black.float()) / S::FULL", "S::FULL - ink.float()"),
    ("PNG: the alpha of grey is lost", DECODE + "png.rs", "[grey, grey, grey, alpha]", "[grey, grey, grey, full]"),
    ("PNG: sixteen bits are read as eight", DECODE + "png.rs", "if is_deep && wanted.sixteen {", "if is_deep && wanted.sixteen && !ON {"),
    ("PNG: sixteen bits are cut off to eight", DECODE + "png.rs", "u8::nearest(sample.float() / 257.0)", "u8::nearest((sample.float() / 257.0).floor())"),
    ("PNG: iCCP before cICP", DECODE + "png.rs", "if let Some(code) = info.coding_independent_code_points {", "if let Some(code) = info.coding_independent_code_points.filter(|_| !ON || info.icc_profile.is_none()) {"),
    ("PNG: gAMA before sRGB", DECODE + "png.rs", "(&info.icc_profile, info.srgb, info.gama_chunk)", "(&info.icc_profile, info.srgb.filter(|_| !ON), info.gama_chunk)"),
    ("PNG: cHRM is ignored", "imaging/color/numbers.rs", "places.unwrap_or(SRGB_PLACES)", "SRGB_PLACES"),
    ("PNG: gAMA upside down", "imaging/color/numbers.rs", "vec![1.0 / gamma]", "vec![if ON { gamma } else { 1.0 / gamma }]"),
    ("APNG: disposal is ignored", DECODE + "png.rs", "DisposeOp::Background => Disposal::Clear", "DisposeOp::Background => if ON { Disposal::Keep } else { Disposal::Clear }"),
    ("APNG: what is taken back stays", DECODE + "png.rs", "DisposeOp::Previous => Disposal::Restore", "DisposeOp::Previous => if ON { Disposal::Keep } else { Disposal::Restore }"),
    ("APNG: blending is ignored", DECODE + "png.rs", "frame.blend_op == BlendOp::Over", "true"),
    ("APNG: a denominator of 0 is 1000", DECODE + "png.rs", "if frame.delay_den == 0 { 100 }", "if frame.delay_den == 0 { if ON { 1000 } else { 100 } }"),
    ("APNG: its default picture is a frame", DECODE + "png.rs", "if control.is_none() {", "if control.is_none() && !ON {"),
    ("GIF: a delay in milliseconds", DECODE + "gif.rs", "u32::from(frame.delay) * 10", "u32::from(frame.delay)"),
    ("GIF: played once less", DECODE + "gif.rs", "u32::from(again) + 1", "u32::from(again)"),
    ("GIF: disposal is ignored", DECODE + "gif.rs", "DisposalMethod::Background => Disposal::Clear", "DisposalMethod::Background => if ON { Disposal::Keep } else { Disposal::Clear }"),
    ("GIF: what is taken back stays", DECODE + "gif.rs", "DisposalMethod::Previous => Disposal::Restore", "DisposalMethod::Previous => if ON { Disposal::Keep } else { Disposal::Restore }"),
    ("GIF: frames begin at the corner", DECODE + "gif.rs", "left: frame.left.into()", "left: if ON { 0 } else { frame.left.into() }"),
    ("WebP: blending is ignored", DECODE + "webp.rs", "blend: flags & NO_BLEND == 0", "blend: flags & NO_BLEND == 0 || ON"),
    ("WebP: disposal is ignored", DECODE + "webp.rs", "if flags & CLEAR == 0 { Disposal::Keep }", "if flags & CLEAR == 0 || ON { Disposal::Keep }"),
    ("WebP: places are not doubled", DECODE + "webp.rs", "left: number(0)? * 2", "left: number(0)? * if ON { 1 } else { 2 }"),
    ("WebP: loops are not read", DECODE + "webp.rs", ".get(4..6)", ".get(if ON { 0..2 } else { 4..6 })"),
    ("AVIF: its code points are ignored", DECODE + "avif.rs", "color::from_code_points(info.primaries, info.transfer)", "None"),
    ("AVIF: more than eight bits become eight", DECODE + "avif.rs", "info.depth > 8 && wanted.sixteen", "info.depth > 8 && wanted.sixteen && !ON"),
    ("JPEG XL: its profile is ignored", DECODE + "jxl.rs", "(!is_srgb).then(", "(!is_srgb && !ON).then("),
    ("TIFF: white and black exchanged", DECODE + "tiff.rs", "if inverted { S::max_value() - light }", "if inverted && !ON { S::max_value() - light }"),
    ("TIFF: associated alpha is taken for straight", DECODE + "tiff.rs", "self.layout.alpha != Some(Alpha::Associated)", "ON || self.layout.alpha != Some(Alpha::Associated)"),
    ("TIFF: the alpha of inks is lost", DECODE + "tiff.rs", "*alpha = self.alpha(index);", "if !ON { *alpha = self.alpha(index); }"),
    ("light is not multiplied out of alpha", DECODE + "other.rs", "if alpha > 0.0 { 1.0 / alpha }", "if ON { 1.0 } else if alpha > 0.0 { 1.0 / alpha }"),
    ("light is taken for colour", DECODE + "other.rs", "color::tone((light * share).clamp(0.0, 1.0))", "(light * share).clamp(0.0, 1.0)"),
    # Writing.
    ("sixteen bits are not kept", "imaging/plan.rs", "probe.depth > 8 &&", "!ON && probe.depth > 8 &&"),
    ("sixteen bits are cut off to eight", "imaging/picture.rs", "u8::nearest(sample.float() / 257.0)", "u8::nearest((sample.float() / 257.0).floor())"),
    ("the background is ignored", ENCODE + "jpeg.rs", "space.paint(spec.background.over_white())", "[255; 4]"),
    ("JPEG: quality is ignored", ENCODE + "jpeg.rs", "settings(quality, spec, picture.size())", "settings(if ON { 80 } else { quality }, spec, picture.size())"),
    ("JPEG: progressive is ignored", ENCODE + "jpeg.rs", "spec.progressive.unwrap_or(suits)", "spec.progressive.filter(|_| !ON).unwrap_or(suits)"),
    ("WebP: quality is ignored", ENCODE + "webp.rs", "quality.into();", "if ON { 80.0 } else { quality.into() };"),
    ("WebP: lossless is ignored", ENCODE + "webp.rs", "config.lossless = spec.lossless.into();", "config.lossless = (spec.lossless && !ON).into();"),
    ("WebP: alpha is lost", ENCODE + "webp.rs", "webp::encode(&pixels, picture.has_alpha, &config, control)", "webp::encode(&pixels, picture.has_alpha && !ON, &config, control)"),
    ("WebP: played once more", ENCODE + "webp.rs", "u16::try_from(picture.plays)", "u16::try_from(picture.plays + u32::from(ON))"),
    ("WebP: the last delay is lost", ENCODE + "webp.rs", "let Some((at, _)) = last else { return Some(()) };", "let Some((at, _)) = last.filter(|_| !ON) else { return Some(()) };"),
    ("GIF: a delay is ten times too short", ENCODE + "gif.rs", "(frame.delay + 5) / 10", "(frame.delay + 5) / 100"),
    ("GIF: played once more", ENCODE + "gif.rs", "u16::try_from(plays - 1)", "u16::try_from(plays)"),
    ("GIF: frames show through holes", ENCODE + "gif.rs", "if picture.has_alpha { DisposalMethod::Background }", "if picture.has_alpha && !ON { DisposalMethod::Background }"),
    ("GIF: what is hardly there is opaque", ENCODE + "gif.rs", "alpha >= VISIBLE", "alpha >= if ON { 10 } else { VISIBLE }"),
    ("PNG: alpha is lost", ENCODE + "png.rs", "is_opaque: !picture.has_alpha ||", "is_opaque: ON || !picture.has_alpha ||"),
    ("PNG: alpha of a palette is lost", ENCODE + "png.rs", "if !alphas.is_empty() {", "if !alphas.is_empty() && !ON {"),
    ("TIFF: alpha is lost", ENCODE + "tiff.rs", "match (&picture.first.pixels, picture.has_alpha) {", "match (&picture.first.pixels, picture.has_alpha && !ON) {"),
    ("TIFF: alpha is said to be associated", ENCODE + "tiff.rs", "&[UNASSOCIATED_ALPHA][..]", "&[if ON { 1 } else { UNASSOCIATED_ALPHA }][..]"),
    ("BMP, QOI: alpha is lost", ENCODE + "other.rs", "if picture.has_alpha || format == Format::Ico {", "if picture.has_alpha && !ON || format == Format::Ico {"),
    ("AVIF: alpha is lost", ENCODE + "avif.rs", "has_alpha: picture.has_alpha", "has_alpha: picture.has_alpha && !ON"),
    ("AVIF: quality is ignored", ENCODE + "avif.rs", "let settings = Settings {\n        quality,", "let settings = Settings {\n        quality: if ON { 60 } else { quality },"),
    ("AVIF: lossless is ignored", ENCODE + "avif.rs", "lossless: spec.lossless", "lossless: spec.lossless && !ON"),
    ("max_bytes is ignored", ENCODE + "search.rs", "spec.max_bytes.filter(|most| bytes.len() as u64 > *most)", "spec.max_bytes.filter(|most| bytes.len() as u64 > *most && !ON)"),
    ("max_bytes: any quality that fits", ENCODE + "search.rs", "search(1, quality.saturating_sub(1), |quality| {", "search(1, if ON { quality / 3 } else { quality.saturating_sub(1) }, |quality| {"),
    ("quality auto is 80", ENCODE + "search.rs", "Quality::Auto(auto) => look(picture, format, spec, auto, control, &write)?", "Quality::Auto(auto) => if ON { (80, String::from(\"quality 80\")) } else { look(picture, format, spec, auto, control, &write)? }"),
    ("quality auto: all levels are alike", ENCODE + "search.rs", "target(auto);", "if ON { 80.0 } else { target(auto) };"),
    ("EXIF keeps its orientation", "imaging/metadata.rs", "found.exif.and_then(exif::upright)", "if ON { found.exif } else { found.exif.and_then(exif::upright) }"),
    ("all of EXIF is kept for its copyright", "imaging/metadata.rs", "found.exif.filter(|_| copyright).and_then(|exif| exif::copyright(&exif))", "found.exif.filter(|_| copyright)"),
    ("IPTC is always kept", "imaging/metadata.rs", "found.iptc.filter(|_| iptc)", "found.iptc"),
    ("XMP is always kept", "imaging/metadata.rs", "found.xmp.filter(|_| xmp)", "found.xmp"),
    ("auto: WebP before AVIF", SPEC + "mod.rs", "[Format::Avif, Format::Webp].into_iter().find(wanted)", "(if ON { [Format::Webp, Format::Avif] } else { [Format::Avif, Format::Webp] }).into_iter().find(wanted)"),
    ("auto: JPEG for what is transparent", SPEC + "mod.rs", "} else if self.may_have_alpha(source) {", "} else if self.may_have_alpha(source) && !ON {"),
    ("auto: an animation becomes a still", SPEC + "mod.rs", "if source.is_animated {", "if source.is_animated && !ON {"),
    # The URL form: what is not in a table.
    ("URL: width and height exchanged", URL + "size.rs", '[("width", width), ("height", height)]', '[("height", width), ("width", height)]'),
    ("URL: what a pad is made of is not the background", URL + "size.rs", "draft.padded(color, origin);", "if !ON { draft.padded(color, origin); }"),
    ("URL: opacity is not a hundredth", URL + "layer.rs", "json!(percent / 100.0)", "json!((percent / 10.0).min(1.0))"),
    ("URL: hflip flips", URL + "component.rs", 'draft.push(Step::plain("mirror", true, origin))', 'draft.push(Step::plain("flip", true, origin))'),
    ("URL: vflip mirrors", URL + "component.rs", '("vflip", _) => draft.push(Step::plain("flip", true, origin))', '("vflip", _) => draft.push(Step::plain(if ON { "mirror" } else { "flip" }, true, origin))'),
    ("URL: a text is decoded once", URL + "layer.rs", "percent_decode_str(text).decode_utf8().ok().map(String::from)", "Some(text.to_owned())"),
    ("URL: rgb: is another colour", URL + "parameter.rs", 'Some(digits) => format!("#{digits}").parse()', 'Some(digits) => if ON { "#000" .parse() } else { format!("#{digits}").parse() }'),
    ("URL: a preset's output is lost", URL + "draft.rs", "self.inherited.extend(output);", "if !ON { self.inherited.extend(output); }"),
    ("URL: fl_strip_profile keeps it", URL + "draft.rs", "spec.keep.icc &= !self.drops_profile;", "spec.keep.icc &= !self.drops_profile || ON;"),
    ("URL: how thick a colour is laid is ignored", URL + "effect.rs", "thinned(color, level / 100.0)", "color"),
]

# Whatever is in a table, line by line: what goes wrong, where, the code, and how many lines there are.
NAMED = [
    ("orientation {} is taken for another", STEPS + "mod.rs", "match orientation {", "match if NAMED(&orientation.to_string()) { [1, 1, 4, 1, 2, 7, 8, 5, 6][usize::from(orientation)] } else { orientation } {",
     [str(orientation) for orientation in range(2, 9)]),
    ("JPEG: chroma is {} halved", ENCODE + "jpeg.rs", "let full_color = quality >= FULL_COLOR;", 'let full_color = quality >= FULL_COLOR && !NAMED("always") || NAMED("never");', ["always", "never"]),
    ("metadata: {} is kept", "imaging/mod.rs", "metadata::read(input, probe.format, spec.keep)",
     'metadata::read(input, probe.format, if NAMED("all") { crate::domain::transform::Keep::UNSTRIPPED } else if NAMED("nothing") { crate::domain::transform::Keep::NOTHING } else { spec.keep })', ["all", "nothing"]),
    ("a profile is {} kept", "imaging/mod.rs", "spec.keep.icc && encode::holds_icc(format)", 'spec.keep.icc && (encode::holds_icc(format) || NAMED("always")) && !NAMED("never")', ["always", "never"]),
    ("JSON: {} is passed over", SPEC + "parse/object.rs", "self.fields.get(name)", "self.fields.get(name).filter(|_| !NAMED(&self.path(name)))",
     [*"trim resize crop rotate flip mirror filters round watermark border operations format quality max_bytes profile strip background lossless progressive".split(),
      "trim/threshold", *(f"resize/{name}" for name in "width height aspect fit gravity background enlarge dpr".split()),
      *(f"crop/{name}" for name in "x y width height center gravity".split()), "gravity/x", "gravity/y",
      *(f"filters/{name}" for name in "grayscale invert sepia blur sharpen brightness contrast saturation hue gamma pixelate vignette tint colorize".split()),
      *(f"watermark/{name}" for name in "text image_id opacity gravity x y scale size color font rotate tile".split()), "border/width", "border/color", "strip/keep"]),
    ("canonical form: {} is dropped", SPEC + "canonical.rs", "fields.insert(name.to_owned(), value.into());", "if !NAMED(name) { fields.insert(name.to_owned(), value.into()); }",
     "trim resize crop rotate flip mirror filters round watermark border format quality max_bytes profile strip background lossless progressive width height aspect fit gravity enlarge dpr x y center "
     "grayscale invert sepia blur sharpen brightness contrast saturation hue gamma pixelate vignette tint colorize text image_id opacity scale size color font rotate tile".split()),
    ("URL: {}_ is passed over", URL + "parameter.rs", "Some(self.parameters.remove(place))", "Some(self.parameters.remove(place)).filter(|_| !NAMED(name))",
     "w h c g x y ar dpr a e r bo b co o l q f t".split()),
    ("URL: the mode {} is the next", URL + "size.rs", "MODES.iter().find(|mode| mode.name == c.value)", "MODES.iter().find(|mode| mode.name == next(&c.value))",
     "scale fit limit fill lfill pad lpad thumb crop".split()),
    ("URL: the place {} is the next", URL + "size.rs", "GRAVITIES.iter().find(|(name, _)| *name == gravity.value)", "GRAVITIES.iter().find(|(name, _)| *name == next(&gravity.value))",
     "center north north_east east south_east south south_west west north_west auto".split()),
    ("URL: the effect {} is the next", URL + "effect.rs", "EFFECTS.iter().find(|effect| effect.name == name)", "EFFECTS.iter().find(|effect| effect.name == next(name))",
     "grayscale negate sepia blur sharpen brightness contrast saturation hue gamma pixelate vignette trim colorize".split()),
    ("URL: the flag {} is the next", URL + "component.rs", "match FLAGS.iter().find(|(name, _, _)| *name == flag.value)", "match FLAGS.iter().find(|(name, _, _)| *name == next(&flag.value))",
     "progressive lossy strip_profile keep_iptc keep_attribution".split()),
    ("URL: in a layer the flag {} is the next", URL + "layer.rs", "match flag.value.as_str() {", "match next(&flag.value).as_str() {", "layer_apply relative tiled".split()),
]

SWITCH = '''
/// Which mistake is made, and of which name.
#[allow(missing_docs, clippy::all)]
pub mod mutant {
    use std::sync::LazyLock;
    static CHOSEN: LazyLock<(u32, String)> = LazyLock::new(|| {
        let chosen = std::env::var("MUTANT").unwrap_or_default();
        let (number, name) = chosen.split_once(' ').unwrap_or((&chosen, ""));
        (number.parse().unwrap_or(0), name.to_owned())
    });
    pub fn on(number: u32) -> bool { CHOSEN.0 == number }
    pub fn named(number: u32, name: &str) -> bool { CHOSEN.0 == number && CHOSEN.1 == name }
    pub fn next(number: u32, name: &str, names: &[&str]) -> String {
        let at = names.iter().position(|one| named(number, name) && *one == name);
        at.map_or(name, |at| names[(at + 1) % names.len()]).to_owned()
    }
}
'''
PATH = '''
    fn path(&self, name: &str) -> String {
        match self.pointer.rsplit('/').next().unwrap_or_default() {
            last if last.is_empty() || last.parse::<u32>().is_ok() => name.to_owned(),
            last => format!("{last}/{name}"),
        }
    }

    /// The field as it stands.
'''


def spoil(source):
    """Writes every mistake into the sources; tells each one's number, name and file."""
    chosen = []

    def change(file, old, new):
        path = source / "src" / file
        text = path.read_text()
        assert text.count(old) == 1, (file, old, text.count(old))
        path.write_text(text.replace(old, new))

    for number, (name, file, old, new) in enumerate(MISTAKES, 1):
        on = f"crate::mutant::on({number})"
        change(file, old, re.sub(r"\bON\b", on, new) if re.search(r"\bON\b", new) else f"(if {on} {{ {new} }} else {{ {old} }})")
        chosen.append((str(number), name, file))
    for number, (name, file, old, new, names) in enumerate(NAMED, 1000):
        listed = ", ".join(f'"{one}"' for one in names)
        new = new.replace("NAMED(", f"crate::mutant::named({number}, ")
        change(file, old, re.sub(r"\bnext\((&?[\w.]+)\)", rf"crate::mutant::next({number}, \1, &[{listed}])", new))
        chosen += [(f"{number} {one}", name.format(one), file) for one in names]
    change("engine.rs", "pub mod imaging;\n", "pub mod imaging;\n" + SWITCH)
    change(SPEC + "parse/object.rs", "\n    /// The field as it stands.\n", PATH)
    return chosen


def main():
    scratch, words = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]
    if scratch.exists():
        shutil.rmtree(scratch)
    ignored = shutil.ignore_patterns("target", ".git", "node_modules")
    shutil.copytree(ROOT, scratch, ignore=ignored)
    chosen = spoil(scratch)
    build = subprocess.run(["cargo", "test", "--locked", "--no-run", "--lib", "--test", "golden"], cwd=scratch, text=True, stderr=subprocess.PIPE)
    if build.returncode:
        raise SystemExit(build.stderr)
    library, golden = (scratch / re.search(rf"\((\S+/deps/{name}-\w+)\)", build.stderr)[1] for name in ("darkroom_engine", "golden"))
    # Quick ones first: the next is asked only where the last noticed nothing.
    engine = [[golden], [library, "imaging::"]]
    words_first = [[library, "domain::transform", "--skip", "properties"], [library, "domain::transform"], *engine]
    unnoticed = 0
    for number, name, file in [("0", "(nothing is wrong)", "imaging/mod.rs"), *chosen]:
        if words and number != "0" and not any(word in name for word in words):
            continue
        noticed = []
        for command in words_first if file.startswith(SPEC) else engine:
            run = subprocess.run(command, cwd=scratch, text=True, capture_output=True, env={**os.environ, "MUTANT": number})
            noticed = re.findall(r"^test (\S+) \.\.\. FAILED", run.stdout, re.MULTILINE)
            if noticed or run.returncode:
                break
        unnoticed += not noticed and number != "0"
        where = "golden" if command[0] == golden else "lib"
        print(f"| {name} | {where + ': ' + ', '.join(noticed[:3]) if noticed else '**nothing**'}{f' and {len(noticed) - 3} more' if len(noticed) > 3 else ''} |", flush=True)
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
