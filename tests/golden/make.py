#!/usr/bin/env python3
"""Makes the golden pictures: what the engine must come to, computed without it.

    pip install -r requirements.txt && python make.py

Sources are pieces of the photographs in ../pictures. What is expected of them is computed here in double precision by the
formulas of docs/TRANSFORMS.md; decoding and colour are Pillow's and littlecms'. Resizing is checked against libvips as well,
so that a mistake in the formula would show. Writes sources/, expected/ and cases.json.
"""

import io
import json
import math
import pathlib
import shutil

import numpy as np
import pyvips
from PIL import Image, ImageCms, ImageDraw, ImageFont, ImageSequence

HERE = pathlib.Path(__file__).parent
SOURCES, EXPECTED = HERE / "sources", HERE / "expected"
CASES = []


# Pictures are arrays of height × width × 4, 0 to 1, straight alpha, in sRGB's curve.

def whole(v):
    """Halves are rounded up."""
    return math.floor(v + 0.5)


def light(v):
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def tone(v):
    v = np.clip(v, 0, 1)
    return np.where(v <= 0.0031308, v * 12.92, 1.055 * v ** (1 / 2.4) - 0.055)


def premultiplied(p):
    return np.concatenate([p[..., :3] * p[..., 3:], p[..., 3:]], axis=-1)


def straight(p):
    # Kernels overshoot: alpha is cut to what there can be only when it was taken out of the colours.
    alpha = p[..., 3:]
    colour = np.where(alpha > 1e-6, p[..., :3] / np.maximum(alpha, 1e-6), 0)
    return np.clip(np.concatenate([colour, alpha], axis=-1), 0, 1)


def lanczos(length, start, part, target):
    """The weights of every source pixel for every target pixel; centres of pixels are at halves."""
    scale = part / target
    centre = start + (np.arange(target) + 0.5) * scale
    x = (np.arange(length)[None, :] + 0.5 - centre[:, None]) / max(scale, 1)
    w = np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)
    return w / w.sum(axis=1, keepdims=True)


def resized(p, width, height, box=None, linear=True):
    h, w = p.shape[:2]
    left, top, across, down = box or (0, 0, w, h)
    q = p.copy()
    if linear:
        q[..., :3] = light(q[..., :3])
    q = premultiplied(q)
    q = np.einsum("ij,jkc->ikc", lanczos(h, top, down, height), q)
    q = np.einsum("ij,kjc->kic", lanczos(w, left, across, width), q)
    q = straight(q)
    if linear:
        q[..., :3] = tone(q[..., :3])
    return q


def over(beneath, above):
    a, b = above[..., 3:], beneath[..., 3:]
    alpha = a + b * (1 - a)
    colour = (above[..., :3] * a + beneath[..., :3] * b * (1 - a)) / np.maximum(alpha, 1e-9)
    return np.concatenate([colour, alpha], axis=-1)


def matrix(p, m):
    q = p.copy()
    q[..., :3] = np.clip(p[..., :3] @ np.array(m).T, 0, 1)
    return q


LUMA = np.array([0.2126, 0.7152, 0.0722])
GREY = np.tile(LUMA, (3, 1))
SEPIA = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])
UNIT = np.eye(3)


def hue(degrees):
    """Filter Effects Module Level 1, feColorMatrix type hueRotate, with the luma of Rec. 709."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    sine = np.array([[-0.2126, -0.7152, 0.9278], [0.143, 0.140, -0.283], [-0.7874, 0.7152, 0.0722]])
    return GREY + c * (UNIT - GREY) + s * sine


def curve(p, f):
    q = p.copy()
    q[..., :3] = np.clip(f(p[..., :3]), 0, 1)
    return q


def gaussian(p, sigma):
    reach = math.ceil(sigma * 5)
    x = np.arange(-reach, reach + 1)
    k = np.exp(-0.5 * (x / sigma) ** 2)
    k /= k.sum()
    q = premultiplied(p)
    for axis in (0, 1):
        pad = [(0, 0)] * 3
        pad[axis] = (reach, reach)
        q = np.apply_along_axis(lambda line: np.convolve(line, k, "valid"), axis, np.pad(q, pad, "edge"))
    return straight(q)


def sharpened(p, sigma):
    q = p.copy()
    q[..., :3] = np.clip(2 * p[..., :3] - gaussian(p, sigma)[..., :3], 0, 1)
    return q


def pixelated(p, side):
    q = premultiplied(p)
    for y in range(0, q.shape[0], side):
        for x in range(0, q.shape[1], side):
            q[y:y + side, x:x + side] = q[y:y + side, x:x + side].mean(axis=(0, 1))
    return straight(q)


def vignette(p, percent):
    h, w = p.shape[:2]
    y = (2 * np.arange(h) + 1)[:, None] / h - 1
    x = (2 * np.arange(w) + 1)[None, :] / w - 1
    q = p.copy()
    q[..., :3] *= (1 - percent / 100 * ((x * x + y * y) / 2) ** 2)[..., None]
    return q


def tinted(p, colour):
    c = np.array(colour) / 255
    own, wanted = LUMA @ c, p[..., :3] @ LUMA
    down = c * (wanted / own)[..., None]
    up = c + (1 - c) * ((wanted - own) / (1 - own))[..., None]
    q = p.copy()
    q[..., :3] = np.where((wanted <= own)[..., None], down, up)
    return q


def catmull_rom(x):
    x = np.abs(x)
    return np.where(x < 1, 1.5 * x**3 - 2.5 * x**2 + 1, np.where(x < 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0))


def turned(p, degrees, background):
    h, w = p.shape[:2]
    s, c = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    width, height = math.ceil(w * abs(c) + h * abs(s) - 1e-6), math.ceil(w * abs(s) + h * abs(c) - 1e-6)
    pad = 4
    sheet = np.tile(premultiplied(np.array(background, float)[None, None])[0, 0], (h + 2 * pad, w + 2 * pad, 1))
    sheet[pad:-pad, pad:-pad] = premultiplied(p)
    Y, X = np.mgrid[0:height, 0:width].astype(float)
    dx, dy = X + 0.5 - width / 2, Y + 0.5 - height / 2
    x, y = dx * c + dy * s + w / 2 - 0.5 + pad, dy * c - dx * s + h / 2 - 0.5 + pad
    result = np.zeros((height, width, 4))
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    for j in range(-1, 3):
        for i in range(-1, 3):
            weight = catmull_rom(x - left - i) * catmull_rom(y - top - j)
            u, v = np.clip(left + i, 0, sheet.shape[1] - 1), np.clip(top + j, 0, sheet.shape[0] - 1)
            result += weight[..., None] * sheet[v, u]
    return straight(result)


def coverage(width, height, rx, ry, times=16):
    """How much of each pixel lies within a rectangle whose corners are quarters of ellipses: counted on a fine grid."""
    y, x = (np.arange(n * times) + 0.5 for n in (height, width))
    y, x = y[:, None] / times, x[None, :] / times
    dx = np.maximum(np.maximum(rx - x, x - (width - rx)), 0) / max(rx, 1e-9)
    dy = np.maximum(np.maximum(ry - y, y - (height - ry)), 0) / max(ry, 1e-9)
    inside = (dx * dx + dy * dy <= 1).astype(float)
    return inside.reshape(height, times, width, times).mean(axis=(1, 3))


# Files.

def array(image):
    return np.asarray(image.convert("RGBA"), float) / 255


def eight(p):
    return Image.fromarray(np.round(np.clip(p, 0, 1) * 255).astype(np.uint8), "RGBA")


def save(image, path, **options):
    image.info.clear()
    if image.mode == "RGBA" and image.getextrema()[3] == (255, 255):
        image = image.convert("RGB")
    image.save(path, optimize=True, **options)


def sixteen(p, path):
    """PNG of 16 bits a channel, which Pillow does not write in colour."""
    data = np.round(np.clip(p[..., :3], 0, 1) * 65535).astype(np.uint16)
    picture = pyvips.Image.new_from_memory(data.tobytes(), data.shape[1], data.shape[0], 3, "ushort")
    picture.copy(interpretation="rgb16").pngsave(str(path), compression=9)


def case(family, name, source, spec, expected, psnr, reason, **more):
    names = []
    for index, picture in enumerate(expected if isinstance(expected, list) else [expected]):
        file = f"{family}-{name}" + (f"-{index}" if isinstance(expected, list) else "") + ".png"
        if more.get("depth") == 16:
            sixteen(picture, EXPECTED / file)
        else:
            save(eight(picture) if isinstance(picture, np.ndarray) else picture, EXPECTED / file)
        names.append(file)
    CASES.append({"family": family, "name": name, "source": source, "spec": spec, "expected": names,
                  "psnr": psnr, "reason": reason, **more})


ROUNDING = "the same formula in other precision: off by a level here and there"
KERNEL = "one kernel, tabled in fixed point or floats; a whole pixel of shift is far below 45, the other light below 47"


LETTERS = "the share of each pixel against letters placed on quarters of one; a whole pixel of shift is far below"


def written(words, letters, font="DejaVuSans.ttf"):
    """How much of each pixel the letters cover, cut to where there are any: drawn sixteen times as large, where hinting is nothing."""
    times = 16
    file = HERE.parent.parent / "assets" / "fonts" / font
    font = ImageFont.truetype(file, letters * times, layout_engine=ImageFont.Layout.RAQM)
    width, height = (len(words) + 2) * letters, 2 * letters
    large = Image.new("L", (width * times, height * times))
    # The baseline on a whole pixel.
    ImageDraw.Draw(large).text((letters * times, (letters + letters // 2) * times), words, 255, font, anchor="ls")
    shares = np.asarray(large, dtype=float).reshape(height, times, width, times).mean((1, 3)) / 255
    inked = shares > 0.5 / 255
    rows, columns = np.flatnonzero(inked.any(1)), np.flatnonzero(inked.any(0))
    return shares[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]


def sources():
    def piece(name, box):
        image = Image.open(HERE / "../pictures" / name).convert("RGB").crop(box)
        image.info.clear()
        return image
    cat, cup, stars = (piece("chelsea.png", (110, 50, 270, 170)), piece("coffee.png", (180, 60, 320, 180)),
                       piece("hubble_deep_field.jpg", (300, 200, 440, 300)))
    for name, image in (("cat", cat), ("cup", cup), ("stars", stars)):
        save(image, SOURCES / f"{name}.png")
    # Half transparent at the edge of a disc; what is hidden is as far from the cat as can be.
    p = array(cat)
    h, w = p.shape[:2]
    alpha = coverage(w, h, w / 2, h / 2)
    p[..., :3] = np.where(alpha[..., None] > 0, p[..., :3], np.array([0, 1, 0]))
    p[..., 3] = alpha
    image = eight(p)
    image.save(SOURCES / "disc.png", optimize=True)
    return {"cat": array(cat), "cup": array(cup), "stars": array(stars), "disc": array(image)}


def vips_agrees(p, width, height, expected):
    data = np.round(p * 255).astype(np.uint8)
    picture = pyvips.Image.new_from_memory(data.tobytes(), data.shape[1], data.shape[0], 4, "uchar")
    picture = picture.copy(interpretation="srgb").colourspace("scrgb").premultiply()
    picture = picture.resize(width / picture.width, vscale=height / picture.height, kernel="lanczos3")
    picture = picture.unpremultiply().colourspace("srgb")
    theirs = np.ndarray(buffer=picture.cast("uchar").write_to_memory(), dtype=np.uint8,
                        shape=(picture.height, picture.width, 4)) / 255
    error = np.mean((premultiplied(theirs) - premultiplied(expected)) ** 2)
    found = -10 * math.log10(error)
    print(f"libvips {width} × {height}: {found:.1f} dB")
    assert found > 36, found


def placements(s):
    """Where things come to lie: padding around what is transparent, sizes that may not grow, parts, and marks."""
    exact = "pixels are moved, none is computed"
    p, disc = s["cat"], s["disc"]
    h, w = p.shape[:2]

    # Padding lies around the picture and not beneath it: what is transparent stays so.
    inner = resized(disc, 70, whole(h * 70 / w))
    for name, spec, colour, top in (("south", {"gravity": "south", "background": "#ff8800"}, (1, 136 / 255, 0, 1), 100 - inner.shape[0]),
                                    ("veil", {"background": "#3366cc80"}, (0.2, 0.4, 0.8, 128 / 255), whole((100 - inner.shape[0]) * 0.5))):
        canvas = np.tile(np.array(colour), (100, 70, 1))
        canvas[top:top + inner.shape[0]] = inner
        case("fit", f"contain-clear-{name}", "disc.png", {"resize": {"width": 70, "height": 100, "fit": "contain", **spec}}, canvas, 53, KERNEL)

    # What may not become larger keeps its pixels.
    kept = {"enlarge": False}
    case("fit", "kept-cover", "cat.png", {"resize": {"width": 999, "height": 70, **kept}}, p[25:95], 99, exact)
    case("fit", "kept-cover-east", "cat.png", {"resize": {"width": 60, "height": 999, "gravity": "east", **kept}}, p[:, 100:], 99, exact)
    case("fit", "kept-inside", "cat.png", {"resize": {"width": 999, "height": 998, "fit": "inside", **kept}}, p, 99, exact)
    case("fit", "kept-outside", "cat.png", {"resize": {"width": 80, "height": 998, "fit": "outside", **kept}}, p, 99, exact)
    case("fit", "kept-fill", "cat.png", {"resize": {"width": 999, "height": 70, "fit": "fill", **kept}}, resized(p, w, 70), 55, KERNEL)
    canvas = np.tile(np.array([0, 0, 128 / 255, 1]), (150, 200, 1))
    canvas[:h, 200 - w:] = p
    case("fit", "kept-contain", "cat.png",
         {"resize": {"width": 200, "height": 150, "fit": "contain", "gravity": "northeast", "background": "navy", **kept}}, canvas, 99, exact)

    # Parts: nine places, a point, what reaches out at a corner and around a middle, and fractions.
    size = {"width": 51, "height": 40}
    across, down = {"west": 0, "": 0.5, "east": 1}, {"north": 0, "": 0.5, "south": 1}
    places = {v + u or "center": (x, y) for v, y in down.items() for u, x in across.items()}
    for name, (x, y) in {**places, "point": (0.3, 0.8)}.items():
        left = whole(min(max(x * w - 51 / 2, 0), w - 51))
        top = whole(min(max(y * h - 40 / 2, 0), h - 40))
        gravity = {"x": x, "y": y} if name == "point" else name
        case("move", f"crop-{name}", "cat.png", {"crop": {**size, "gravity": gravity}}, p[top:top + 40, left:left + 51], 99, exact)
    case("move", "crop-outside", "cat.png", {"crop": {**size, "x": -13, "y": 100}}, p[100:, :38], 99, exact)
    case("move", "crop-middle", "cat.png", {"crop": {**size, "x": 90, "y": 33, "center": True}}, p[13:53, 65:116], 99, exact)
    case("move", "crop-moved", "cat.png", {"crop": {**size, "x": 155, "y": 7, "center": True}}, p[:40, w - 51:], 99, exact)
    case("move", "crop-fraction", "cat.png", {"crop": {"width": 0.25, "height": 0.5, "gravity": "southwest"}}, p[h // 2:, :w // 4], 99, exact)

    # Marks, laid by Pillow: repeated from where the first one lies, half a mark's height apart; and turned.
    p = s["cup"]
    h, w = p.shape[:2]
    beneath = eight(p)

    def marked(name, spec, mark, x, y, repeated=False):
        mark = eight(mark)
        layer = Image.new("RGBA", beneath.size)
        left, top = whole((w - mark.width) * x), whole((h - mark.height) * y)
        left += -spec.get("x", 0) if x == 1 else spec.get("x", 0)
        top += -spec.get("y", 0) if y == 1 else spec.get("y", 0)
        gap = max(mark.height // 2, 4)
        rows, columns = (range(-9, 10), range(-9, 10)) if repeated else ([0], [0])
        for row in rows:
            for column in columns:
                layer.paste(mark, (left + column * (mark.width + gap), top + row * (mark.height + gap)))
        if spec.get("opacity"):
            layer.putalpha(layer.getchannel("A").point(lambda v: round(v * spec["opacity"])))
        case("watermark", name, "cup.png", {"watermark": {**spec, "image_id": "OVERLAY"}}, Image.alpha_composite(beneath, layer), 50,
             "Pillow mixes in whole levels; a mark that is a pixel off is far below", overlay="disc.png")

    small = resized(disc, 32, 24)
    marked("tiled", {"size": 32, "tile": True}, small, 0.5, 0.5, True)
    marked("tiled-phase", {"size": 32, "tile": True, "gravity": "southeast", "x": 7, "y": -5, "opacity": 0.5}, small, 1, 1, True)
    marked("tiled-turned", {"size": 32, "tile": True, "rotate": 90, "gravity": "northwest", "x": -9}, np.rot90(small, 3), 0, 0, True)
    marked("turned", {"size": 60, "rotate": -90, "gravity": "northeast", "x": 6, "y": 4}, np.rot90(resized(disc, 60, 45), 1), 1, 0)
    leaning = turned(resized(disc, 60, 45), 330, (0, 0, 0, 0))
    marked("leaning", {"size": 60, "rotate": -30, "gravity": "southwest", "x": 5, "y": 3}, leaning, 0, 1)
    marked("leaning-outside", {"size": 60, "rotate": -30, "gravity": "east", "x": -20}, leaning, 1, 0.5)

    # Corners of a format that has no transparency.
    clear = p.copy()
    clear[..., 3] *= coverage(w, h, 25, 25)
    for name, spec, colour in (("corners", {"background": "#ff8800"}, (1, 136 / 255, 0, 1)), ("corners-white", {}, (1, 1, 1, 1))):
        flat = over(np.tile(np.array(colour), (h, w, 1)), clear)
        case("output", name, "cup.png", {"round": 25, "format": "jpeg", "quality": 100, **spec}, flat, 38, "JPEG at its best")


def main():
    for folder in (SOURCES, EXPECTED):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    s = sources()

    for name in ("cat", "cup", "stars", "disc"):
        p = s[name]
        h, w = p.shape[:2]
        for width in (61, 97):
            height = whole(h * width / w)
            expected = resized(p, width, height)
            vips_agrees(p, width, height, expected)
            case("resize", f"{name}-{width}", f"{name}.png", {"resize": {"width": width}}, expected, 53, KERNEL)
            case("quick", f"{name}-{width}", f"{name}.png", {"resize": {"width": width}, "profile": "fast"}, expected, 53, KERNEL)
            # What it must not be.
            save(eight(resized(p, width, height, linear=False)), EXPECTED / f"gamma-{name}-{width}.png")
        case("resize", f"{name}-larger", f"{name}.png", {"resize": {"width": w * 3 // 2}},
             resized(p, w * 3 // 2, whole(h * 1.5), linear=False), 50, "enlarged in gamma light, in fixed point")

    p = s["cat"]
    h, w = p.shape[:2]
    box = 70, 70
    side = min(w, h)
    for gravity, left in (("center", (w - side) / 2), ("west", 0), ("east", w - side)):
        case("fit", f"cover-{gravity}", "cat.png", {"resize": {"width": 70, "height": 70, "gravity": gravity}},
             resized(p, 70, 70, (left, 0, side, side)), 55, KERNEL)
    focal = min(max(0.3 * w - side / 2, 0), w - side)
    case("fit", "cover-focal", "cat.png", {"resize": {"width": 70, "height": 70, "gravity": {"x": 0.3, "y": 0.5}}},
         resized(p, 70, 70, (focal, 0, side, side)), 55, KERNEL)
    inner = resized(p, 70, whole(h * 70 / w))
    canvas = np.tile(np.array([1, 136 / 255, 0, 1]), (70, 70, 1))
    canvas[70 - inner.shape[0]:] = inner
    case("fit", "contain-south", "cat.png",
         {"resize": {"width": 70, "height": 70, "fit": "contain", "gravity": "south", "background": "#ff8800"}}, canvas, 55, KERNEL)
    case("fit", "inside", "cat.png", {"resize": {"width": 70, "height": 70, "fit": "inside"}}, inner, 55, KERNEL)
    case("fit", "outside", "cat.png", {"resize": {"width": 70, "height": 70, "fit": "outside"}},
         resized(p, whole(w * 70 / h), 70), 55, KERNEL)
    case("fit", "fill", "cat.png", {"resize": {"width": 70, "height": 70, "fit": "fill"}}, resized(p, 70, 70), 55, KERNEL)
    case("fit", "dpr", "cat.png", {"resize": {"width": 40, "dpr": 2}}, resized(p, 80, 60), 55, KERNEL)
    case("fit", "fraction", "cat.png", {"resize": {"width": 0.5}}, resized(p, 80, 60), 55, KERNEL)
    case("fit", "enlarge", "cat.png", {"resize": {"width": 999, "enlarge": False}}, p, 99, "nothing is done")

    placements(s)

    exact = "pixels are moved, none is computed"
    for name in ("cat", "disc"):
        p = s[name]
        case("move", f"{name}-crop", f"{name}.png", {"crop": {"x": 13, "y": 7, "width": 51, "height": 40}}, p[7:47, 13:64], 99, exact)
        for degrees, k in ((90, 3), (180, 2), (270, 1)):
            case("move", f"{name}-rotate-{degrees}", f"{name}.png", {"rotate": degrees}, np.rot90(p, k), 99, exact)
        case("move", f"{name}-flip", f"{name}.png", {"flip": True}, p[::-1], 99, exact)
        case("move", f"{name}-mirror", f"{name}.png", {"mirror": True}, p[:, ::-1], 99, exact)
        case("rotate", f"{name}-33", f"{name}.png", {"rotate": 33, "background": "#336699"},
             turned(p, 33, (0.2, 0.4, 0.6, 1)), 50, ROUNDING)
        case("rotate", f"{name}-clear", f"{name}.png", {"rotate": -12, "background": "transparent"},
             turned(p, 348, (0, 0, 0, 0)), 50, ROUNDING)

    blue = np.array([47, 111, 223])
    def colorized(p):
        q = p.copy()
        q[..., :3] += (blue / 255 - p[..., :3]) * 128 / 255
        return q
    filters = {
        "grayscale": (True, lambda p: matrix(p, GREY)), "invert": (True, lambda p: curve(p, lambda v: 1 - v)),
        "sepia": (60, lambda p: matrix(p, UNIT + (SEPIA - UNIT) * 0.6)),
        "blur": (2.2, lambda p: gaussian(p, 2.2)), "sharpen": (1.5, lambda p: sharpened(p, 1.5)),
        "brightness": (20, lambda p: curve(p, lambda v: v + 0.2)),
        "contrast": (30, lambda p: curve(p, lambda v: (v - 0.5) * 1.3 / 0.7 + 0.5)),
        "saturation": (-40, lambda p: matrix(p, GREY + (UNIT - GREY) * 0.6)), "hue": (75, lambda p: matrix(p, hue(75))),
        "gamma": (1.8, lambda p: curve(p, lambda v: v ** (1 / 1.8))), "pixelate": (9, lambda p: pixelated(p, 9)),
        "vignette": (70, lambda p: vignette(p, 70)), "tint": ("#2f6fdf", lambda p: tinted(p, blue)),
        "colorize": ("#2f6fdf80", colorized),
    }
    for filter_name, (value, f) in filters.items():
        for name in ("cup", "disc"):
            spec = {"filters": {filter_name: value}}
            case("filter", f"{name}-{filter_name}", f"{name}.png", spec, f(s[name]), 48, ROUNDING)
    case("filter", "cup-wide-blur", "cup.png", {"filters": {"blur": 9}}, gaussian(s["cup"], 9), 44,
         "three box filters instead of the Gaussian itself", alike=85.0)

    p = s["cup"]
    h, w = p.shape[:2]
    def rounded(p, rx, ry):
        q = p.copy()
        q[..., 3] *= coverage(p.shape[1], p.shape[0], rx, ry)
        return q
    area = "coverage is counted on a grid on one side, and line by line on the other: off by 1/32 at most"
    case("shape", "round", "cup.png", {"round": 25}, rounded(p, 25, 25), 55, area)
    case("shape", "ellipse", "disc.png", {"round": "max"}, rounded(s["disc"], 80, 60), 55, area)
    frame = np.tile(np.array([0.2, 0.4, 0.6, 1]), (h + 14, w + 14, 1))
    frame[7:-7, 7:-7] = p
    case("shape", "border", "cup.png", {"border": {"width": 7, "color": "#336699"}}, frame, 99, exact)
    outer, inner = coverage(w + 14, h + 14, w / 2 + 7, h / 2 + 7), np.pad(coverage(w, h, w / 2, h / 2), 7)
    share = np.clip(outer - inner, 0, 1)[..., None]
    within = np.pad(premultiplied(rounded(p, w / 2, h / 2)), ((7, 7), (7, 7), (0, 0)))
    case("shape", "ring", "cup.png", {"round": "max", "border": {"width": 7, "color": "#336699"}},
         straight(within + share * np.array([0.2, 0.4, 0.6, 1])), 55, area)
    save(eight(frame), SOURCES / "framed.png")
    case("shape", "trim", "framed.png", {"trim": True}, p, 99, exact)

    mark = s["disc"]
    for name, spec, x, y, share in (("corner", {"gravity": "southeast", "x": 6, "y": 4, "size": 40}, 1, 1, 1.0),
                                    ("middle", {"opacity": 0.6, "size": 60}, 0.5, 0.5, 0.6)):
        width = spec["size"]
        small = resized(mark, width, whole(120 * width / 160))
        small[..., 3] *= share
        layer = np.zeros_like(p)
        left = round((w - width) * x) - spec.get("x", 0)
        top = round((h - small.shape[0]) * y) - spec.get("y", 0)
        layer[top:top + small.shape[0], left:left + width] = small
        case("watermark", name, "cup.png", {"watermark": {**spec, "image_id": "OVERLAY"}}, over(p, layer), 55, KERNEL, overlay="disc.png")

    words, letters, colour = "Qua", 56, "#ffcc00"
    text = written(words, letters)
    layer = np.zeros_like(p)
    left, top = w - text.shape[1] - 5, h - text.shape[0] - 3
    layer[top:top + text.shape[0], left:left + text.shape[1], :3] = [int(colour[at:at + 2], 16) / 255 for at in (1, 3, 5)]
    layer[top:top + text.shape[0], left:left + text.shape[1], 3] = text
    spec = {"text": words, "size": letters, "color": colour, "gravity": "southeast", "x": 5, "y": 3}
    case("watermark", "letters", "cup.png", {"watermark": spec}, over(p, layer), 33, LETTERS)

    flat = over(np.tile(np.array([1, 136 / 255, 0, 1]), (120, 160, 1)), s["disc"])
    case("output", "background", "disc.png", {"format": "jpeg", "quality": 100, "background": "#ff8800"}, flat, 38, "JPEG at its best")

    # Decoding: Pillow writes and reads.
    cat, cup = eight(s["cat"]).convert("RGB"), eight(s["cup"]).convert("RGB")
    lossy = "the inverse cosine transform and the upsampling of chroma are not the same in every decoder"
    def file(name, image, **options):
        path = SOURCES / name
        image.save(path, **options)
        return Image.open(path)
    for name, image, options, psnr in (
        ("baseline.jpg", cat, {"quality": 92, "subsampling": 0}, 45), ("chroma.jpg", cat, {"quality": 92, "subsampling": 2}, 34),
        ("progressive.jpg", cup, {"quality": 90, "progressive": True, "subsampling": 0}, 45), ("grey.jpg", cat.convert("L"), {"quality": 92}, 45),
        ("lossy.webp", cat, {"quality": 90}, 40), ("lossless.webp", eight(s["disc"]), {"lossless": True, "exact": True}, 99),
        ("palette.gif", cup.quantize(64), {}, 99), ("palette.png", cup.quantize(32), {}, 99), ("bits.png", cat.convert("1"), {}, 99),
        ("rle.tga", cat, {"compression": "tga_rle"}, 99), ("true.bmp", cup, {}, 99), ("lzw.tif", cat, {"compression": "tiff_lzw"}, 99),
        ("grey.pgm", cat.convert("L"), {}, 99), ("colour.ppm", cup, {}, 99), ("interlaced.tif", cup, {"compression": "tiff_adobe_deflate"}, 99),
        ("icon.ico", eight(s["disc"]).resize((64, 48)), {}, 99),
    ):
        opened = file(name, image, **options)
        case("decode", name.replace(".", "-"), name, {"format": "png"}, array(opened), psnr, lossy if psnr < 99 else exact)
    inks = file("inks.jpg", cat.convert("CMYK"), quality=95, subsampling=0)
    c = np.asarray(inks, float) / 255
    p = np.ones(c.shape)
    p[..., :3] = (1 - c[..., :3]) * (1 - c[..., 3:])
    case("decode", "inks", "inks.jpg", {"format": "png"}, p, 42, "inks without a profile take light away")

    # The same photograph stored in each of the eight ways.
    p = s["cat"]
    stored = {1: p, 2: p[:, ::-1], 3: p[::-1, ::-1], 4: p[::-1], 5: np.swapaxes(p, 0, 1), 6: np.rot90(p, 1),
              7: np.swapaxes(p[::-1, ::-1], 0, 1), 8: np.rot90(p, 3)}
    for orientation, q in stored.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        file(f"orientation-{orientation}.jpg", eight(q).convert("RGB"), quality=92, subsampling=0, exif=exif)
        case("orientation", str(orientation), f"orientation-{orientation}.jpg", {"format": "png"}, p, 36,
             "one JPEG compression away; any other orientation is below 15")

    # Colour, by littlecms.
    srgb = ImageCms.createProfile("sRGB")
    spaces = {"p3": (DISPLAY_P3, SRGB_CURVE), "adobe": (ADOBE_RGB, ADOBE_CURVE)}
    for space, (primaries, transfer) in spaces.items():
        theirs = ImageCms.ImageCmsProfile(io.BytesIO(profile(primaries, transfer)))
        for name, image in (("cat", cat), ("cup", cup)):
            image.save(SOURCES / f"{space}-{name}.png", icc_profile=theirs.tobytes(), optimize=True)
            converted = ImageCms.profileToProfile(image, theirs, srgb, renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC)
            case("colour", f"{space}-{name}", f"{space}-{name}.png", {"format": "png"}, array(converted), 50,
                 "two engines' tables; unconverted it is below 36", delta_e=1.0)

    # Sixteen bits, more than eight can say.
    y, x = np.mgrid[0:90, 0:120].astype(float)
    p = np.stack([0.5 + 0.4 * np.sin(x / 9), x / 119 * 0.02, (y / 89) ** 2, np.ones_like(x)], axis=-1)
    p = np.round(p * 65535) / 65535
    sixteen(p, SOURCES / "deep.png")
    case("sixteen", "resize", "deep.png", {"resize": {"width": 50}}, resized(p, 50, 38), 90, "eight bits are at 60", depth=16)
    case("sixteen", "blur", "deep.png", {"filters": {"blur": 2}}, gaussian(p, 2), 90, "eight bits are at 60", depth=16)
    case("sixteen", "invert", "deep.png", {"filters": {"invert": True}}, curve(p, lambda v: 1 - v), 90, exact, depth=16)

    # An animation with delays, transparency, and frames that are smaller than it.
    frames = []
    for index in range(4):
        frame = Image.new("RGBA", (60, 40), (0, 0, 0, 0))
        frame.paste((200, 40 + 50 * index, 30, 255), (5 + 9 * index, 6, 25 + 9 * index, 30))
        frame.paste((20, 60, 200, 255), (40, 2 + 6 * index, 56, 12 + 6 * index))
        frames.append(frame)
    frames[0].save(SOURCES / "moving.gif", save_all=True, append_images=frames[1:], duration=[70, 130, 50, 200], loop=3, disposal=2)
    shown = [array(frame) for frame in ImageSequence.Iterator(Image.open(SOURCES / "moving.gif"))]
    case("animation", "flip", "moving.gif", {"flip": True, "format": "gif"}, [f[::-1] for f in shown], 99, exact, delays=[70, 130, 50, 200])
    case("animation", "webp", "moving.gif", {"rotate": 90, "format": "webp", "lossless": True}, [np.rot90(f, 3) for f in shown], 99, exact, delays=[70, 130, 50, 200])

    (HERE / "cases.json").write_text(json.dumps(CASES, indent=1, ensure_ascii=False) + "\n")
    size = sum(f.stat().st_size for folder in (SOURCES, EXPECTED) for f in folder.iterdir())
    print(f"{len(CASES)} cases, {size // 1024} KiB")


DISPLAY_P3 = [[0.680, 0.320], [0.265, 0.690], [0.150, 0.060]]
ADOBE_RGB = [[0.640, 0.330], [0.210, 0.710], [0.150, 0.060]]
# Parametric curves: which formula, and its numbers.
SRGB_CURVE = 3, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
ADOBE_CURVE = 0, (563 / 256,)


def profile(primaries, transfer):
    """An ICC profile: primaries for D65, adapted to D50 by Bradford's matrix, and a curve."""
    xy = np.array(primaries)
    xyz = np.stack([xy[:, 0] / xy[:, 1], np.ones(3), (1 - xy.sum(axis=1)) / xy[:, 1]])
    white = np.array([0.3127 / 0.3290, 1, (1 - 0.3127 - 0.3290) / 0.3290])
    rgb = xyz * np.linalg.solve(xyz, white)
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    d50 = np.array([0.96422, 1.0, 0.82521])
    adapt = np.linalg.inv(bradford) @ np.diag((bradford @ d50) / (bradford @ white)) @ bradford
    columns = (adapt @ rgb).T
    fixed = lambda v: int(round(v * 65536)).to_bytes(4, "big", signed=True)
    text = lambda t: b"mluc" + bytes(4) + (1).to_bytes(4, "big") + (12).to_bytes(4, "big") + b"enUS" + (2 * len(t)).to_bytes(4, "big") + (28).to_bytes(4, "big") + t.encode("utf-16-be")
    place = lambda v: b"XYZ " + bytes(4) + b"".join(fixed(x) for x in v)
    formula, numbers = transfer
    para = b"para" + bytes(4) + formula.to_bytes(2, "big") + bytes(2) + b"".join(fixed(x) for x in numbers)
    tags = [(b"desc", text("RGB")), (b"cprt", text("Public domain")), (b"wtpt", place(d50)), (b"rXYZ", place(columns[0])),
            (b"gXYZ", place(columns[1])), (b"bXYZ", place(columns[2])), (b"rTRC", para), (b"gTRC", para), (b"bTRC", para)]
    table, data, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for name, body in tags:
        body += bytes(-len(body) % 4)
        table += name + offset.to_bytes(4, "big") + len(body).to_bytes(4, "big")
        data += body
        offset += len(body)
    body = len(tags).to_bytes(4, "big") + table + data
    header = (128 + len(body)).to_bytes(4, "big") + bytes(4) + b"\x04\x00\x00\x00mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28)
    header += b"".join(fixed(v) for v in d50) + bytes(48)
    return header[:128].ljust(128, b"\0") + body


if __name__ == "__main__":
    main()
