#!/usr/bin/env python3
"""Makes every operation of every kind of picture: photographs, alpha of every strength, sixteen bits, EXIF orientations, animations.

    pip install -r requirements.txt && python matrix.py

The formulas are those of make.py; none of the engine's results is in here. Pictures are small, so that there can be many, and equal
ones are kept once: what a turned photograph comes to is the file that the upright one does. Writes matrix/sources/,
matrix/expected/ and matrix/cases.json.
"""

import io
import json
import pathlib
import shutil
import zlib

import numpy as np
from PIL import Image, ImageSequence, features

import make
from foreign import chunk, vips
from make import array, coverage, eight, over, premultiplied, resized, straight, turned, whole

HERE = pathlib.Path(__file__).parent / "matrix"
SOURCES, EXPECTED = HERE / "sources", HERE / "expected"
CASES, WRITTEN = [], {}

# Why a result may differ at all: decibels in eight bits, in sixteen, and the reason.
EXACT = 99, 99, "pixels are moved, none is computed"
ROUNDING = 54, 100, "the same formula in other precision"
LINEAR = 60, 100, "one kernel, in whole numbers where samples have eight bits: one in twenty is off by one; half a pixel of shift is below 35, the other light below 45"
GAMMA = 48, 75, "one kernel, in fixed point"
AREA = 60, 60, "coverage is counted on a grid on one side, and line by line on the other: off by 1/32 at most"
BOXES = 38, 38, "three box filters instead of the Gaussian itself"
MIXED = 60, 60, "a mark is rounded to eight bits before it is laid"
ENLARGED = 41, 41, "a mark that is made larger, in fixed point"
CHAIN = 41, 41, "rounded after every step"


# Operations, by the words of docs/TRANSFORMS.md. Pictures are arrays of height × width × 4, 0 to 1, straight alpha.

def colour(text):
    digits = text.lstrip("#").ljust(8, "f")
    return np.array([int(digits[at:at + 2], 16) / 255 for at in (0, 2, 4, 6)])


NAMES = {"north": (0.5, 0), "northeast": (1, 0), "east": (1, 0.5), "southeast": (1, 1), "south": (0.5, 1),
         "southwest": (0, 1), "west": (0, 0.5), "northwest": (0, 0), "center": (0.5, 0.5)}


def point(gravity):
    return NAMES[gravity] if isinstance(gravity, str) else (gravity["x"], gravity["y"])


def between(at, part, all_):
    """Where a part begins that has the point in its middle, as far as it can."""
    return min(max(at * all_ - part / 2, 0), all_ - part)


def scaled(p, width, height, box=None):
    h, w = p.shape[:2]
    across, down = box[2:] if box else (w, h)
    return resized(p, width, height, box, linear=width * height < across * down)


def resize(p, width=None, height=None, aspect=None, fit="cover", gravity="center", background="#ffffff", enlarge=True, dpr=1):
    h, w = p.shape[:2]
    given = lambda side, all_: None if side is None else (side * all_ if side < 1 else side) * dpr
    across, down = given(width, w), given(height, h)
    most = np.inf if enlarge else 1
    if aspect and down is None:
        down = across / aspect
    elif aspect and across is None:
        across = down * aspect
    elif down is None or across is None:
        factor = across / w if down is None else down / h
        return scaled(p, whole(w * factor), whole(h * factor)) if factor <= most else p
    across, down = whole(across), whole(down)
    x, y = point(gravity)
    if fit == "fill":
        return scaled(p, min(across, w * most), min(down, h * most))
    if fit == "cover":
        factor = min(max(across / w, down / h), most)
        cut_w, cut_h = min(across / factor, w), min(down / factor, h)
        box = between(x, cut_w, w), between(y, cut_h, h), cut_w, cut_h
        return scaled(p, whole(cut_w * factor), whole(cut_h * factor), box)
    factor = min((max if fit == "outside" else min)(across / w, down / h), most)
    inner = p if factor == 1 else scaled(p, whole(w * factor), whole(h * factor))
    if fit != "contain":
        return inner
    canvas = np.tile(colour(background), (down, across, 1))
    left, top = whole((across - inner.shape[1]) * x), whole((down - inner.shape[0]) * y)
    canvas[top:top + inner.shape[0], left:left + inner.shape[1]] = inner
    return canvas


def crop(p, width, height, x=None, y=None, center=False, gravity="center"):
    h, w = p.shape[:2]
    width, height = (whole(side * all_) if side < 1 else side for side, all_ in ((width, w), (height, h)))
    if x is None:
        at = point(gravity)
        left, top = whole(between(at[0], width, w)), whole(between(at[1], height, h))
    elif center:
        left, top = min(max(x - width // 2, 0), w - width), min(max(y - height // 2, 0), h - height)
    else:
        left, top = x, y
    return p[max(top, 0):top + height, max(left, 0):left + width]


def bounds(p, threshold):
    """Rows and columns, first and last, in which something differs from the corner."""
    seen = premultiplied(p)
    differs = (np.abs(seen - CORNER[0]) * 255 > threshold + 1e-6).any(axis=-1)
    rows, columns = np.flatnonzero(differs.any(1)), np.flatnonzero(differs.any(0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


CORNER = [None]


def trimmed(frames, threshold):
    CORNER[0] = premultiplied(frames[0])[0, 0]
    all_ = np.array([bounds(frame, threshold) for frame in frames])
    top, bottom, left, right = all_[:, 0].min(), all_[:, 1].max(), all_[:, 2].min(), all_[:, 3].max()
    return [frame[top:bottom, left:right] for frame in frames]


def radii(p, radius):
    h, w = p.shape[:2]
    return (w / 2, h / 2) if radius == "max" else (min(radius, w / 2, h / 2),) * 2


def rounded(p, radius):
    q = p.copy()
    q[..., 3] *= coverage(p.shape[1], p.shape[0], *radii(p, radius), times=32)
    return q


def bordered(p, width, color="#000000", radius=None):
    h, w = p.shape[:2]
    pad = ((width, width), (width, width), (0, 0))
    if radius is None:
        frame = np.tile(colour(color), (h + 2 * width, w + 2 * width, 1))
        frame[width:-width, width:-width] = p
        return frame
    rx, ry = radii(p, radius)
    outer = coverage(w + 2 * width, h + 2 * width, rx + width, ry + width, times=32)
    inner = np.pad(coverage(w, h, rx, ry, times=32), width)
    share = np.clip(outer - inner, 0, 1)[..., None]
    ring = premultiplied(np.tile(colour(color), (*outer.shape, 1))) * share
    return straight(np.pad(premultiplied(rounded(p, radius)), pad) + ring)


def marked(p, size=None, scale=None, gravity="center", x=0, y=0, opacity=1, rotate=0, tile=False, mark="mark"):
    h, w = p.shape[:2]
    m = MARKS[mark]
    mh, mw = m.shape[:2]
    if size or scale:
        width = size or whole(w * scale)
        m = scaled(m, width, whole(mh * width / mw)) if width != mw else m
    else:
        m = resize(m, w, h, fit="inside", enlarge=False)
    m = array(eight(m))
    if rotate:
        m = np.rot90(m, -rotate // 90) if rotate % 90 == 0 else array(eight(turned(m, rotate, (0, 0, 0, 0))))
    mh, mw = m.shape[:2]
    gx, gy = point(gravity)
    left = whole((w - mw) * gx) + (-x if gx == 1 else x)
    top = whole((h - mh) * gy) + (-y if gy == 1 else y)
    layer = np.zeros((h, w, 4))
    gap = max(mh // 2, 4)
    copies = range(-20, 21) if tile else [0]
    for t in (top + row * (mh + gap) for row in copies):
        for l in (left + column * (mw + gap) for column in copies):
            for row in range(max(t, 0), min(t + mh, h)):
                for column in range(max(l, 0), min(l + mw, w)):
                    layer[row, column] = m[row - t, column - l]
    layer[..., 3] *= opacity
    return over(p, layer)


def tinted(p, color):
    q, c = p.copy(), colour(color)
    q[..., :3] += (make.tinted(p, c[:3] * 255)[..., :3] - p[..., :3]) * c[3]
    return q


def colorized(p, color):
    q, c = p.copy(), colour(color)
    q[..., :3] += (c[:3] - p[..., :3]) * c[3]
    return q


def contrasted(p, percent):
    slope = 1 + percent / 100 if percent < 0 else (1 + percent / 100) / (1 - percent / 100)
    return make.curve(p, lambda v: (v - 0.5) * slope + 0.5)


FILTERS = {
    "grayscale": (lambda p, _: make.matrix(p, make.GREY), [(True, ROUNDING)]),
    "invert": (lambda p, _: make.curve(p, lambda v: 1 - v), [(True, EXACT)]),
    "sepia": (lambda p, n: make.matrix(p, make.UNIT + (make.SEPIA - make.UNIT) * (1 if n is True else n / 100)), [(True, ROUNDING), (35, ROUNDING)]),
    "blur": (make.gaussian, [(0.8, ROUNDING), (4, BOXES)]),
    "sharpen": (make.sharpened, [(1, (54, 100, "a blur that is rounded before it is taken away")), ]),
    "brightness": (lambda p, n: make.curve(p, lambda v: v + n / 100), [(-25, ROUNDING), (15, ROUNDING)]),
    "contrast": (contrasted, [(-40, ROUNDING), (35, ROUNDING)]),
    "saturation": (lambda p, n: make.matrix(p, make.GREY + (make.UNIT - make.GREY) * (1 + n / 100)), [(70, ROUNDING), (-60, ROUNDING)]),
    "hue": (lambda p, n: make.matrix(p, make.hue(n)), [(-100, ROUNDING), (40, ROUNDING)]),
    "gamma": (lambda p, n: make.curve(p, lambda v: v ** (1 / n)), [(0.5, ROUNDING), (2.2, ROUNDING)]),
    "pixelate": (make.pixelated, [(5, ROUNDING)]),
    "vignette": (make.vignette, [(90, ROUNDING)]),
    "tint": (tinted, [("#c8640a80", ROUNDING), ("#2f6fdf", ROUNDING)]),
    "colorize": (colorized, [("#c8640a80", ROUNDING)]),
}
RESIZES = {
    "width": {"width": 31}, "height": {"height": 19}, "larger": {"width": 49}, "half": {"width": 0.5}, "quarter": {"height": 0.25},
    "dpr": {"width": 18, "dpr": 1.5}, "aspect": {"width": 30, "aspect": 2}, "aspect-height": {"height": 20, "aspect": 0.75},
    "cover-northwest": {"width": 16, "height": 24, "gravity": "northwest"}, "cover-east": {"width": 16, "height": 24, "gravity": "east"},
    "cover-point": {"width": 16, "height": 24, "gravity": {"x": 0.3, "y": 0.9}}, "cover-north": {"width": 34, "height": 12, "gravity": "north"},
    "cover-southeast": {"width": 34, "height": 12, "gravity": "southeast"}, "cover-low": {"width": 34, "height": 12, "gravity": {"x": 0.1, "y": 0.6}},
    "cover-kept": {"width": 99, "height": 17, "enlarge": False, "gravity": "south"},
    "contain-north": {"width": 24, "height": 40, "fit": "contain", "gravity": "north", "background": "#ff8800"},
    "contain-southeast": {"width": 24, "height": 40, "fit": "contain", "gravity": "southeast", "background": "#3366cc80"},
    "contain-west": {"width": 50, "height": 20, "fit": "contain", "gravity": "west"},
    "contain-kept": {"width": 70, "height": 50, "fit": "contain", "gravity": "northeast", "background": "#00000000", "enlarge": False},
    "inside": {"width": 30, "height": 30, "fit": "inside"}, "outside": {"width": 20, "height": 20, "fit": "outside"},
    "fill": {"width": 20, "height": 38, "fit": "fill"}, "fill-kept": {"width": 20, "height": 99, "fit": "fill", "enlarge": False},
}
CROPS = {
    "corner": {"x": 5, "y": 3, "width": 21, "height": 17}, "outside": {"x": -4, "y": 11, "width": 20, "height": 99},
    "northeast": {"width": 22, "height": 13, "gravity": "northeast"}, "point": {"width": 14, "height": 14, "gravity": {"x": 0.35, "y": 0.7}},
    "middle": {"x": 11, "y": 16, "width": 15, "height": 9, "center": True}, "moved": {"x": 2, "y": 25, "width": 15, "height": 9, "center": True},
    "part": {"width": 0.5, "height": 0.25, "gravity": "west"},
}
WATERMARKS = {
    "southeast": {"size": 14, "gravity": "southeast", "x": 3, "y": 2}, "northwest": {"size": 14, "gravity": "northwest", "x": -4, "y": 3},
    "point": {"size": 14, "gravity": {"x": 0.25, "y": 0.6}, "x": 2, "y": -1}, "opacity": {"size": 20, "opacity": 0.4},
    "scale": {"scale": 0.75, "gravity": "south"}, "natural": {"gravity": "northeast"}, "natural-large": {"mark": "large"}, "larger": {"size": 30, "gravity": "west", "x": -14},
    "tile": {"size": 9, "tile": True, "gravity": "northwest", "x": 2, "y": 1}, "rotate": {"size": 14, "rotate": 90, "gravity": "north"},
    "lean": {"size": 16, "rotate": -30, "gravity": "southwest"}, "turned": {"size": 14, "gravity": "east", "mark": "turned"},
}


def operations():
    """Name, spec, what it does, and how alike the result must be."""
    for name, spec in RESIZES.items():
        kernel = GAMMA if "larger" in name else LINEAR
        yield f"resize-{name}", {"resize": spec}, lambda p, s=spec: resize(p, **s), EXACT if name == "contain-kept" else kernel
    for name, spec in CROPS.items():
        yield f"crop-{name}", {"crop": spec}, lambda p, s=spec: crop(p, **s), EXACT
    for degrees in (90, 180, 270):
        yield f"rotate-{degrees}", {"rotate": degrees}, lambda p, k=degrees // 90: np.rot90(p, -k), EXACT
    yield "flip", {"flip": True}, lambda p: p[::-1], EXACT
    yield "mirror", {"mirror": True}, lambda p: p[:, ::-1], EXACT
    yield "rotate-flip", {"rotate": 90, "flip": True}, lambda p: np.rot90(p, -1)[::-1], EXACT
    yield "rotate-33", {"rotate": 33, "background": "#336699"}, lambda p: turned(p, 33, colour("#336699")), ROUNDING
    yield "rotate-clear", {"rotate": -12, "background": "transparent"}, lambda p: turned(p, 348, (0, 0, 0, 0)), ROUNDING
    for name, (f, values) in FILTERS.items():
        for value, alike in values:
            suffix = "" if len(values) == 1 else f"-{value}".replace("#", "")
            yield f"filter-{name}{suffix}", {"filters": {name: value}}, lambda p, f=f, v=value: f(p, v), alike
    for radius in (7, 900, "max"):
        yield f"round-{radius}", {"round": radius}, lambda p, r=radius: rounded(p, r), AREA
    square = {"crop": {"width": 20, "height": 20, "gravity": "northeast"}}
    yield "round-circle", {**square, "round": "max"}, lambda p: rounded(crop(p, **square["crop"]), "max"), AREA
    yield "border", {"border": {"width": 3}}, lambda p: bordered(p, 3), EXACT
    yield "border-veil", {"border": {"width": 2, "color": "#33669980"}}, lambda p: bordered(p, 2, "#33669980"), EXACT
    yield "border-round", {"round": 8, "border": {"width": 3, "color": "#336699"}}, lambda p: bordered(p, 3, "#336699", 8), AREA
    for name, spec in WATERMARKS.items():
        alike = ENLARGED if name in ("larger", "scale") else MIXED
        yield f"watermark-{name}", {"watermark": spec}, lambda p, s=spec: marked(p, **s), alike
    yield "order", ORDERED, ordered, CHAIN
    yield "operations", {"operations": [{name: value} for name, value in reversed(ORDERED.items())]}, reordered, CHAIN


# All fields at once: they run in the order of the page, and in the one that is written.
ORDERED = {"resize": {"width": 34, "height": 26, "gravity": "west"}, "crop": {"x": 3, "y": 2, "width": 25, "height": 20}, "rotate": 90, "flip": True,
           "filters": {"brightness": 20, "sepia": 60, "contrast": 30}, "round": 6, "watermark": {"size": 9, "gravity": "north", "y": 2},
           "border": {"width": 2, "color": "#336699"}}


def level(p, depth=255):
    return np.round(np.clip(p, 0, 1) * depth) / depth


def filtered(p):
    for name, value in (("sepia", 60), ("brightness", 20), ("contrast", 30)):
        p = level(FILTERS[name][0](p, value))
    return p


def ordered(p):
    p = crop(level(resize(p, **ORDERED["resize"])), **ORDERED["crop"])
    p = marked(rounded(filtered(np.rot90(p, -1)[::-1]), 6), **ORDERED["watermark"])
    # The border follows the outline: what lies under it is rounded already.
    h, w = p.shape[:2]
    outer, inner = coverage(w + 4, h + 4, 8, 8, times=32), np.pad(coverage(w, h, 6, 6, times=32), 2)
    ring = np.clip(outer - inner, 0, 1)[..., None] * colour("#336699")
    return straight(np.pad(premultiplied(p), ((2, 2), (2, 2), (0, 0))) + ring)


def reordered(p):
    p = rounded(marked(bordered(p, 2, "#336699"), **ORDERED["watermark"]), 6)
    p = np.rot90(filtered(level(p))[::-1], -1)
    return resize(crop(p, **ORDERED["crop"]), **ORDERED["resize"])


# Files.

def kept(p, name, depth):
    bands = 3 if p[..., 3].min() == 1 else 4
    if depth == 16:
        content = vips(np.round(np.clip(p[..., :bands], 0, 1) * 65535).astype(np.uint16), "rgb16")
    else:
        file = io.BytesIO()
        image = eight(p) if bands == 4 else eight(p).convert("RGB")
        image.save(file, "PNG", optimize=True)
        content = file.getvalue()
    if content not in WRITTEN:
        (EXPECTED / f"{name}.png").write_bytes(content)
    return WRITTEN.setdefault(content, f"{name}.png")


def case(family, name, source, spec, frames, alike, depth=8, **more):
    psnr, deep, reason = alike
    spec = json.loads(json.dumps(spec))
    inner = [spec.get("watermark", {})] + [step.get("watermark", {}) for step in spec.get("operations", [])]
    for watermark in filter(None, inner):
        more["overlay"] = watermark.pop("mark", "mark") + ".png"
        watermark["image_id"] = "OVERLAY"
    files = [kept(frame, f"{family}-{name}" + (f"-{index}" if len(frames) > 1 else ""), depth) for index, frame in enumerate(frames)]
    if depth == 16:
        psnr, more["depth"] = deep, 16
    CASES.append({"family": family, "name": name, "source": source, "spec": spec, "expected": files, "psnr": psnr, "reason": reason, **more})


def exif(content, orientation):
    """The same PNG, which says that it is stored another way."""
    block = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01" + bytes([0, orientation, 0, 0]) + bytes(4)
    return content[:33] + chunk(b"eXIf", block) + content[33:]


def png(p):
    file = io.BytesIO()
    (eight(p) if p[..., 3].min() < 1 else eight(p).convert("RGB")).save(file, "PNG", optimize=True)
    return file.getvalue()


def stored(p, orientation):
    return [p, p[:, ::-1], p[::-1, ::-1], p[::-1], np.swapaxes(p, 0, 1), np.rot90(p, 1), np.swapaxes(p[::-1, ::-1], 0, 1), np.rot90(p, 3)][orientation - 1]


def piece(name, box, size=None):
    image = Image.open(HERE / "../../pictures" / name).convert("RGB").crop(box)
    return array(image.resize(size, Image.Resampling.LANCZOS) if size else image)


def pictures():
    badge = piece("astronaut.png", (110, 20, 350, 200), (48, 36))
    cat = piece("chelsea.png", (96, 44, 276, 176), (45, 33))
    y, x = np.mgrid[0:36, 0:48].astype(float)
    veil = badge.copy()
    veil[..., 3] = np.round(np.clip((x + y / 2) / 52 - 0.1, 0, 1) * 255) / 255
    # What is hidden is as far from what is seen as can be.
    veil[..., :3] = np.where(veil[..., 3:] > 0, veil[..., :3], np.array([0, 1, 0]))
    y, x = np.mgrid[0:26, 0:35].astype(float)
    deep = np.stack([0.5 + 0.4 * np.sin(x / 4), x / 34 * 0.03 + y / 25 * 0.4, (y / 25) ** 2 * 0.9 + 0.05, np.clip(1.1 - x / 50 - y / 60, 0, 1)], axis=-1)
    deep[6:14, 20:31, :3] = deep[6:14, 20:31, :3][..., ::-1] * 0.8
    deep = np.round(deep * 65535) / 65535
    return badge, cat, veil, deep


def moving():
    """Three frames of a photograph with a hole in it, a patch moving over it."""
    ground = piece("rocket.jpg", (230, 40, 440, 196), (35, 26))
    frames = []
    for index in range(3):
        frame = ground.copy()
        frame[3:9 + index, 4:10, 3] = 0
        frame[10 + 3 * index:18 + 3 * index, 12 + 5 * index:21 + 5 * index, :3] = [0.8, 0.1 + 0.3 * index, 0.2]
        frames.append(eight(frame))
    few = [frame.convert("RGB").quantize(60, dither=Image.Dither.NONE).convert("RGBA") for frame in frames]
    for one, frame in zip(few, frames):
        one.putalpha(frame.getchannel("A"))
    file = io.BytesIO()
    few[0].save(file, "GIF", save_all=True, append_images=few[1:], duration=[70, 130, 50], loop=2, disposal=2)
    content = file.getvalue()
    shown = [array(frame.convert("RGBA")) for frame in ImageSequence.Iterator(Image.open(io.BytesIO(content)))]
    assert len(shown) == 3 and all(len(np.unique(frame.reshape(-1, 4), axis=0)) <= 256 for frame in shown)
    return content, shown


MARKS = {}


def letters():
    """Texts where they are put, turned, thinned and in bold: the share of each pixel that is covered, against letters placed on quarters."""
    p = piece("coffee.png", (180, 60, 340, 180), (96, 72))
    (SOURCES / "cup.png").write_bytes(png(p))
    alike = 22, "letters of a few pixels against some that lie on whole ones; another place, turn or colour is below 20"
    h, w = p.shape[:2]
    for name, spec, font in (("northwest", {"gravity": "northwest", "x": 4, "y": 3, "opacity": 0.6}, "DejaVuSans.ttf"),
                             ("bold", {"gravity": "southeast", "x": 2, "y": 5, "font": "sans bold", "color": "#ffee00c0"}, "DejaVuSans-Bold.ttf"),
                             ("turned", {"gravity": "northeast", "x": 3, "rotate": 90, "color": "#2f6fdf"}, "DejaVuSans.ttf"),
                             ("upside-down", {"gravity": "south", "rotate": -180, "color": "white"}, "DejaVuSans.ttf"),
                             ("point", {"gravity": {"x": 0.25, "y": 0.75}, "x": 2, "y": -4, "color": "#d02020"}, "DejaVuSans.ttf")):
        share = np.rot90(make.written("Raj", 32, font), -spec.get("rotate", 0) // 90)
        ink = colour({"white": "#ffffff"}.get(spec.get("color"), spec.get("color", "#000000")))
        mark = np.tile(ink, (*share.shape, 1))
        mark[..., 3] *= share * spec.get("opacity", 1)
        x, y = point(spec["gravity"])
        left, top = whole((w - mark.shape[1]) * x), whole((h - mark.shape[0]) * y)
        left += -spec.get("x", 0) if x == 1 else spec.get("x", 0)
        top += -spec.get("y", 0) if y == 1 else spec.get("y", 0)
        layer = np.zeros_like(p)
        layer[top:top + mark.shape[0], left:left + mark.shape[1]] = mark
        CASES.append({"family": "watermark", "name": f"text-{name}", "source": "cup.png", "spec": {"watermark": {"text": "Raj", "size": 32, **spec}},
                      "expected": [kept(over(p, layer), f"text-{name}", 8)], "psnr": alike[0], "reason": alike[1]})


def trims(badge, deep, shown):
    """Borders that are uneven, noisy, transparent, sixteen bits deep, turned, and of every frame."""
    rng = np.random.default_rng(7)
    small = badge[4:30, 6:40].copy()
    small[..., :3] = level(small[..., :3] * 0.5 + 0.45)

    def framed(p, ground, noise=0):
        q = np.tile(colour(ground), (p.shape[0] + 5, p.shape[1] + 12, 1))
        q[..., :3] += rng.integers(-noise, noise + 1, q[..., :3].shape) / 255
        q[0, 0] = colour(ground)
        q[3:-2, 5:-7] = p
        return q

    noisy = framed(small, "#203040", 6)
    for name, spec, threshold, size in (("default", True, 10, (26, 34)), ("close", {"threshold": 6}, 6, (26, 34)),
                                        ("strict", {"threshold": 3}, 3, None), ("wide", {"threshold": 195}, 195, None)):
        (expected,) = trimmed([noisy], threshold)
        assert expected.shape[:2] == size or size is None and expected.shape[:2] != (26, 34), (name, expected.shape)
        case("trim", name, "noisy.png", {"trim": spec}, [expected], EXACT)
    (SOURCES / "noisy.png").write_bytes(png(noisy))
    clear = framed(small, "#00ff0000")
    clear[:, -7:, :3] = [1, 0, 0]
    case("trim", "clear", "clear.png", {"trim": {"threshold": 0}}, trimmed([clear], 0), EXACT)
    (SOURCES / "clear.png").write_bytes(png(clear))
    # Between two levels of eight bits.
    inner = np.ones((20, 24, 4))
    inner[..., :3] = deep[2:22, 4:28, :3] * 0.5 + 0.4
    for name, off in (("deep", 0.0), ("deep-near", 9.6), ("deep-far", 10.3)):
        q = framed(inner, "#203040")
        q[0, 5:, 0] += off / 255
        q = np.round(q * 65535) / 65535
        expected = trimmed([q], 10)
        assert expected[0].shape[0] == (23 if off > 10 else 20), (name, expected[0].shape)
        (SOURCES / f"framed-{name}.png").write_bytes(vips(np.round(q[..., :3] * 65535).astype(np.uint16), "rgb16"))
        case("trim", name, f"framed-{name}.png", {"trim": True}, expected, EXACT, 16)
    # The corner is that of the upright picture: those at the right are of another colour.
    corners = framed(small, "#203040")
    corners[-2:, 5:] = corners[:, -7:] = colour("#d0b020")
    expected = trimmed([corners], 10)
    assert expected[0].shape[:2] == (31, 41)
    for orientation in range(1, 9):
        source = f"corners-{orientation}.png"
        (SOURCES / source).write_bytes(exif(png(stored(corners, orientation)), orientation))
        case("trim", f"turned-{orientation}", source, {"trim": True}, expected, EXACT)
    # Of an animation what any frame needs.
    frames = []
    for index in range(3):
        frame = Image.new("RGBA", (40, 30), (30, 40, 50, 255))
        frame.paste(eight(shown[0]).convert("RGB").crop((12, 0, 24, 9)), (9 + 7 * index, 4 + 6 * index))
        frames.append(frame.convert("RGB").quantize(60, dither=Image.Dither.NONE))
    frames[0].save(SOURCES / "framed.gif", save_all=True, append_images=frames[1:], duration=[70, 130, 50], loop=2)
    opened = [array(frame.convert("RGBA")) for frame in ImageSequence.Iterator(Image.open(SOURCES / "framed.gif"))]
    expected = trimmed(opened, 10)
    for format in ("gif", "webp"):
        case("trim", f"moving-{format}", "framed.gif", {"trim": True, "format": format, "lossless": True}, expected, EXACT, delays=[70, 130, 50], plays=3)


def outputs(badge, veil, deep, shown):
    """Every format that is written, of every kind of picture."""
    white = lambda p, ground="#ffffff": over(np.tile(colour(ground), (*p.shape[:2], 1)), p)
    for format in ("png", "webp", "tiff", "bmp", "qoi", "ico", "avif"):
        spec = {"format": format, "lossless": True}
        case("written", f"badge-{format}", "badge.png", spec, [badge], EXACT)
        if format != "avif":
            case("written", f"veil-{format}", "veil.png", spec, [veil], EXACT)
        if format in ("png", "tiff"):
            case("written", f"deep-{format}", "deep.png", spec, [deep], EXACT, 16)
        elif format != "avif":
            case("written", f"deep-{format}", "deep.png", spec, [level(deep)], EXACT)
        if format not in ("webp", "avif"):
            case("written", f"moving-{format}", "moving.gif", spec, shown[:1], EXACT)
    for format in ("gif", "webp"):
        case("written", f"moving-{format}", "moving.gif", {"format": format, "lossless": True}, shown, EXACT, delays=[70, 130, 50], plays=3)
    best = 46, 46, "JPEG at its best"
    case("written", "veil-jpeg", "veil.png", {"format": "jpeg", "quality": 100}, [white(veil)], best)
    case("written", "veil-jpeg-background", "veil.png", {"format": "jpeg", "quality": 100, "background": "#c8640a"}, [white(veil, "#c8640a")], best)
    case("written", "deep-jpeg", "deep.png", {"format": "jpeg", "quality": 100, "background": "#336699"}, [white(deep, "#336699")], best)
    case("written", "moving-jpeg", "moving.gif", {"format": "jpeg", "quality": 100}, [white(shown[0])], best)
    hard = veil.copy()
    hard[..., 3] = (veil[..., 3] * 255 >= 127.5).astype(float)
    case("written", "badge-gif", "badge.png", {"format": "gif"}, [badge], (30, 30, "255 colours"))
    case("written", "veil-gif", "veil.png", {"format": "gif"}, [hard], (30, 30, "255 colours, there or not"))
    # A quality means what it does elsewhere: of Pillow's encoders another one is farther away.
    image = eight(badge).convert("RGB")
    for quality, jpeg, webp in ((15, 27, 29), (60, 31, 34)):
        theirs = lambda **options: array(Image.open(saved(image, **options)))
        case("written", f"jpeg-{quality}", "badge.png", {"format": "jpeg", "quality": quality}, [theirs(format="JPEG", quality=quality, subsampling=2)],
             (jpeg, jpeg, "as far from the picture as another encoder, but elsewhere"))
        case("written", f"jpeg-progressive-{quality}", "badge.png", {"format": "jpeg", "quality": quality, "progressive": True},
             [theirs(format="JPEG", quality=quality, subsampling=2)], (jpeg, jpeg, "as far from the picture as another encoder, but elsewhere"))
        case("written", f"webp-{quality}", "badge.png", {"format": "webp", "quality": quality}, [theirs(format="WEBP", quality=quality, method=4)],
             (webp, webp, "as far from the picture as with other settings, but elsewhere"))


# Colours that a PNG describes in numbers.

SRGB = [[0.3127, 0.3290], [0.64, 0.33], [0.30, 0.60], [0.15, 0.06]]
P3 = [[0.3127, 0.3290], *make.DISPLAY_P3]
ADOBE = [[0.3127, 0.3290], *make.ADOBE_RGB]
# Of a film scanner, say: white is D50, too.
WIDE = [[0.3457, 0.3585], [0.7347, 0.2653], [0.1152, 0.8264], [0.1566, 0.0177]]
BT2020 = [[0.3127, 0.3290], [0.708, 0.292], [0.170, 0.797], [0.131, 0.046]]


def to_xyz(places):
    xyz = lambda x, y: np.array([x / y, 1, (1 - x - y) / y])
    primaries = np.stack([xyz(*place) for place in places[1:]], axis=1)
    return primaries * np.linalg.solve(primaries, xyz(*places[0])), xyz(*places[0])


def brought(p, places, light):
    """Colours of other primaries in sRGB, white brought to white by Bradford's matrix."""
    theirs, white = to_xyz(places)
    ours, d65 = to_xyz(SRGB)
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    adapt = np.linalg.inv(bradford) @ np.diag((bradford @ d65) / (bradford @ white)) @ bradford
    q = p.copy()
    q[..., :3] = make.tone(light(p[..., :3]) @ (np.linalg.inv(ours) @ adapt @ theirs).T)
    return q


def described(cat, veil, deep):
    """What each chunk means, alone and beside others: cICP, then iCCP, then sRGB, then gAMA with cHRM."""
    gamma = lambda g: chunk(b"gAMA", round(g * 100000).to_bytes(4, "big"))
    places = lambda p: chunk(b"cHRM", b"".join(round(v * 100000).to_bytes(4, "big") for place in p for v in place))
    code = lambda *numbers: chunk(b"cICP", bytes(numbers))
    icc = lambda primaries, curve: chunk(b"iCCP", b"named\0\0" + zlib.compress(make.profile(primaries, curve)))
    srgb = chunk(b"sRGB", b"\0")
    power = lambda g: lambda v: v ** (1 / g)
    p3, adobe = icc(make.DISPLAY_P3, make.SRGB_CURVE), icc(make.ADOBE_RGB, make.ADOBE_CURVE)
    linear, tables = power(1.0), (48, 66, "two engines' tables, interpolated")
    sixteen = vips(np.round(deep * 65535).astype(np.uint16), "rgb16")
    grey = cat.copy()
    grey[..., :3] = cat[..., 1:2]
    grey_png = vips(np.round(grey[..., :1] * 255).astype(np.uint8), "b-w")
    for name, p, content, chunks, expected, alike in (
        ("cicp-p3", cat, None, [code(12, 13, 0, 1)], brought(cat, P3, make.light), tables),
        ("cicp-bt2020", cat, None, [code(9, 13, 0, 1)], brought(cat, BT2020, make.light), tables),
        ("cicp-linear", cat, None, [code(1, 8, 0, 1)], brought(cat, SRGB, linear), tables),
        ("cicp-before-iccp", cat, None, [code(12, 13, 0, 1), adobe, gamma(1.0)], brought(cat, P3, make.light), tables),
        ("cicp-srgb-before-iccp", cat, None, [code(1, 13, 0, 1), p3], cat, EXACT),
        ("iccp-before-gama", cat, None, [p3, gamma(1.0), places(ADOBE)], brought(cat, P3, make.light), tables),
        ("srgb-before-gama", cat, None, [srgb, gamma(1.0), places(P3)], cat, EXACT),
        ("gama", cat, None, [gamma(0.7)], brought(cat, SRGB, power(0.7)), tables),
        ("gama-veil", veil, None, [gamma(0.7)], brought(veil, SRGB, power(0.7)), tables),
        ("gama-chrm", cat, None, [gamma(256 / 563), places(ADOBE)], brought(cat, ADOBE, power(256 / 563)), tables),
        ("gama-chrm-white", cat, None, [gamma(0.55), places(WIDE)], brought(cat, WIDE, power(0.55)), tables),
        ("gama-chrm-srgb-curve", cat, None, [gamma(0.45455), places(P3)], brought(cat, P3, make.light), tables),
        ("gama-srgb", cat, None, [gamma(0.45455), places(SRGB)], cat, EXACT),
        ("chrm-alone", cat, None, [places(P3)], cat, EXACT),
        ("gama-grey", grey, grey_png, [gamma(0.7)], brought(grey, SRGB, power(0.7)), tables),
        ("gama-deep", deep, sixteen, [gamma(0.7), places(P3)], brought(deep, P3, power(0.7)), tables),
        ("cicp-deep", deep, sixteen, [code(12, 13, 0, 1)], brought(deep, P3, make.light), tables),
    ):
        content = content or png(p)
        (SOURCES / f"{name}.png").write_bytes(content[:33] + b"".join(chunks) + content[33:])
        case("colour", name, f"{name}.png", {"format": "png"}, [expected], alike, 16 if name.endswith("deep") else 8)
    # Only a profile can be kept: what is described otherwise is brought to sRGB.
    case("colour", "cicp-kept", "cicp-before-iccp.png", {"format": "png", "strip": False}, [brought(cat, P3, make.light)], tables)
    for name, said, says in (("pq", code(9, 16, 0, 1), "PQ"), ("hlg", code(9, 18, 0, 1), "HLG"), ("narrow", code(1, 13, 0, 0), "narrow")):
        content = png(cat)
        (SOURCES / f"{name}.png").write_bytes(content[:33] + said + content[33:])
        CASES.append({"family": "refused", "name": f"{name}-png", "source": f"{name}.png", "spec": {"format": "png"}, "expected": [], "psnr": 0,
                      "reason": "what is not read is named", "refused": "unsupported_media_type", "says": says})


def saved(image, **options):
    file = io.BytesIO()
    image.save(file, **options)
    return file


def main():
    for folder in (SOURCES, EXPECTED):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    badge, cat, veil, deep = pictures()
    content, shown = moving()
    (SOURCES / "moving.gif").write_bytes(content)
    for name, p in (("badge", badge), ("cat", cat), ("veil", veil)):
        (SOURCES / f"{name}.png").write_bytes(png(p))
    (SOURCES / "deep.png").write_bytes(vips(np.round(deep * 65535).astype(np.uint16), "rgb16"))
    mark = piece("coffee.png", (200, 60, 440, 240), (24, 18))
    mark[..., 3] = np.round(coverage(24, 18, 12, 9) * 255) / 255
    large = piece("rocket.jpg", (260, 60, 380, 220), (60, 80))
    MARKS.update({"mark": mark, "turned": mark, "large": large})
    (SOURCES / "mark.png").write_bytes(png(mark))
    (SOURCES / "large.png").write_bytes(png(large))
    (SOURCES / "turned.png").write_bytes(exif(png(stored(mark, 8)), 8))
    for orientation in range(2, 9):
        (SOURCES / f"badge-{orientation}.png").write_bytes(exif(png(stored(badge, orientation)), orientation))

    for index, (name, spec, f, alike) in enumerate(operations()):
        for source, p in (("badge", badge), ("cat", cat), ("veil", veil)):
            case("photograph" if source != "veil" else "alpha", f"{source}-{name}", f"{source}.png", spec, [f(p)], alike)
        # One that keeps its sides where they are, and one that exchanges them.
        for orientation in (2 + index % 3, 5 + index % 4):
            case("turned", f"{orientation}-{name}", f"badge-{orientation}.png", spec, [f(badge)], alike)
        case("deep", name, "deep.png", spec, [f(deep)], alike, 16)
        written = {"format": "webp", "lossless": True}
        case("moving", name, "moving.gif", {**spec, **written}, [f(frame) for frame in shown], alike, delays=[70, 130, 50], plays=3)
    trims(badge, deep, shown)
    outputs(badge, veil, deep, shown)
    described(cat, veil, deep)
    letters()

    lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in CASES)
    (HERE / "cases.json").write_text(f"[\n{lines}\n]\n")
    size = sum(f.stat().st_size for f in HERE.rglob("*") if f.is_file())
    print(f"{len(CASES)} cases, {len(list(EXPECTED.iterdir()))} pictures, {size // 1024} KiB; WebP by libwebp {features.version('webp')}")


if __name__ == "__main__":
    main()
