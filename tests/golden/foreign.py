#!/usr/bin/env python3
"""Makes files as other software writes them, in every variant of their formats, and the pictures that the engine must read in them.

    pip install -r requirements.txt && apt-get install libavif-bin libjpeg-turbo-progs libjxl-tools && python foreign.py

One small piece of a photograph, of odd sides, is in all of them. Where a format loses nothing, what is expected is that piece
itself; where it does, or where colours are converted, what Pillow, libjpeg-turbo, littlecms, libavif or libjxl make of the file.
What no library writes (run lengths of BMP, mirrored TGA, animations with every way of blending) is written here by its
specification. Writes foreign/sources/, foreign/expected/ and foreign/cases.json.
"""

import io
import json
import pathlib
import shutil
import struct
import subprocess
import tempfile
import zlib

import imagecodecs
import numpy as np
import OpenEXR
import pyvips
import tifffile
from PIL import Image, ImageCms, ImageSequence

import make
from make import ADOBE_CURVE, ADOBE_RGB, DISPLAY_P3, SRGB_CURVE, array, eight, over, premultiplied, profile, straight, tone

HERE = pathlib.Path(__file__).parent / "foreign"
SOURCES, EXPECTED = HERE / "sources", HERE / "expected"
CASES, WRITTEN = [], {}
SCRATCH = pathlib.Path(tempfile.mkdtemp())

EXACT = "nothing is lost"
TABLES = "two engines' tables, interpolated"
CODEC = "the inverse transform and the upsampling of chroma are not the same in every decoder"
BLENDED = "rounded after every frame"


def kept(picture, name, is_deep):
    """The name of the file that holds a picture; equal pictures are kept once."""
    if is_deep:
        bands = 4 if picture[..., 3].min() < 1 else 3
        (EXPECTED / f"{name}.png").write_bytes(vips(deep(picture)[..., :bands], "rgb16"))
    else:
        make.save(eight(picture), EXPECTED / f"{name}.png")
    content = (EXPECTED / f"{name}.png").read_bytes()
    if content in WRITTEN:
        (EXPECTED / f"{name}.png").unlink()
    return WRITTEN.setdefault(content, f"{name}.png")


def written(source, content):
    assert not (SOURCES / source).exists(), source
    (SOURCES / source).write_bytes(content)


def case(family, source, content, expected, psnr=99, reason=EXACT, spec=None, name=None, **more):
    if content is not None:
        written(source, content)
    name = name or source.replace(".", "-")
    frames = expected if isinstance(expected, list) else [expected]
    several = len(frames) > 1
    files = [kept(frame, f"{family}-{name}" + (f"-{index}" if several else ""), more.get("depth") == 16) for index, frame in enumerate(frames)]
    CASES.append({"family": family, "name": name, "source": source, "spec": spec or {"format": "png"}, "expected": files,
                  "psnr": psnr, "reason": reason, **more})


def refused(source, content, says, code="unsupported_media_type"):
    written(source, content)
    CASES.append({"family": "refused", "name": source.replace(".", "-"), "source": source, "spec": {"format": "png"}, "expected": [],
                  "psnr": 0, "reason": "what is not read is named", "refused": code, "says": says})


def saved(image, format, **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def read(content, mode="RGBA"):
    return np.asarray(Image.open(io.BytesIO(content)).convert(mode), float) / 255


def run(*command, **files):
    """A tool's output; arguments that name one of `files` get its path."""
    for name, content in files.items():
        (SCRATCH / name.replace("_", ".")).write_bytes(content)
    subprocess.run([str(SCRATCH / argument[1:]) if argument.startswith("@") else argument for argument in command], check=True, capture_output=True)
    return (SCRATCH / command[-1].lstrip("@")).read_bytes()


def whole(p):
    return np.round(np.clip(p, 0, 1) * 255).astype(np.uint8)


def deep(p):
    return np.round(np.clip(p, 0, 1) * 65535).astype(np.uint16)


def grey(p):
    """Light that does not follow from the colours: green alone."""
    q = p.copy()
    q[..., 0] = q[..., 2] = q[..., 1]
    return q


def bilevel(p):
    q = np.ones(p.shape)
    q[..., :3] = (p[..., 1:2] > 0.45).astype(float)
    return q


def paletted(image, colours):
    """Indices, the colours of the palette, and the picture that both make."""
    image = image.quantize(colours, dither=Image.Dither.NONE)
    palette = np.array(image.getpalette()[:3 * colours], np.uint8).reshape(-1, 3)
    return np.asarray(image), palette, array(image)


def pieces():
    """45 × 37 pixels of a photograph; the same in 16 bits, and with an alpha of every strength."""
    image = Image.open(HERE / "../../pictures/astronaut.png").convert("RGB").crop((150, 330, 195, 367))
    image.info.clear()
    p = array(image)
    y, x = np.mgrid[0:37, 0:45].astype(float)
    fine = p.copy()
    fine[..., :3] = np.clip(p[..., :3] + 0.3 / 255 * np.sin(x / 3 + y / 2)[..., None], 0, 1)
    fine = np.round(fine * 65535) / 65535
    veil = p.copy()
    veil[..., 3] = np.round(np.clip((x + y / 2) / 50 - 0.1, 0, 1) * 255) / 255
    veil[..., :3] *= veil[..., 3:] > 0
    return image, p, fine, veil


# PNG.

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def vips(data, interpretation, **options):
    h, w, bands = data.shape
    kind = "ushort" if data.dtype == np.uint16 else "uchar"
    picture = pyvips.Image.new_from_memory(data.tobytes(), w, h, bands, kind).copy(interpretation=interpretation)
    return picture.pngsave_buffer(keep="none", compression=9, **options)


def png(image, p, fine, veil):
    case("png", "adam7.png", vips(whole(p)[..., :3], "srgb", interlace=True), p)
    case("png", "adam7-alpha.png", vips(whole(veil), "srgb", interlace=True), veil)
    case("png", "adam7-deep.png", vips(deep(fine)[..., :3], "rgb16", interlace=True), fine, depth=16)
    content = vips(whole(bilevel(p))[..., :1], "b-w", interlace=True, bitdepth=1)
    assert content[24:29] == b"\x01\x00\x00\x00\x01"
    case("png", "adam7-bits.png", content, bilevel(p))
    _, _, few = paletted(image, 13)
    content = vips(whole(few)[..., :3], "srgb", interlace=True, palette=True, bitdepth=4, dither=0)
    assert content[24:29] == b"\x04\x03\x00\x00\x01"
    case("png", "adam7-palette.png", content, read(content))


NONE, BACKGROUND, PREVIOUS = 0, 1, 2


def apng(size, frames, plays, default=None):
    """Frames are of a patch, its place, delay, disposal, and whether it is blended."""
    w, h = size
    sequence = iter(range(99))
    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 6, 0, 0, 0)),
             chunk(b"acTL", struct.pack(">II", len(frames), plays))]
    def packed(patch):
        rows = whole(patch)
        return zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows), 9)
    if default is not None:
        parts.append(chunk(b"IDAT", packed(default)))
    for index, (patch, x, y, delay, disposal, blend) in enumerate(frames):
        height, width = patch.shape[:2]
        parts.append(chunk(b"fcTL", struct.pack(">IIIIIHHBB", next(sequence), width, height, x, y, *delay, disposal, blend)))
        if index == 0 and default is None:
            parts.append(chunk(b"IDAT", packed(patch)))
        else:
            parts.append(chunk(b"fdAT", struct.pack(">I", next(sequence)) + packed(patch)))
    return b"".join([*parts, chunk(b"IEND", b"")])


def shown(size, frames):
    """What is seen of frames as above, one by one."""
    canvas = np.zeros((size[1], size[0], 4))
    pictures = []
    for patch, x, y, _, disposal, blend in frames:
        before = canvas.copy()
        place = np.s_[y:y + patch.shape[0], x:x + patch.shape[1]]
        canvas[place] = over(canvas[place], patch) if blend else patch
        pictures.append(canvas.copy())
        if disposal == BACKGROUND:
            canvas[place] = 0
        if disposal == PREVIOUS:
            canvas = before
    return pictures


def moving(p, veil):
    """Every disposal with and without blending, patches at places of their own, all of them even as WebP has them."""
    size = (44, 36)
    first = p[:36, :44]
    frames = [(first, 0, 0, (7, 100), NONE, 0), (veil[4:30, 2:40], 4, 6, (130, 1000), NONE, 1), (veil[:20, 10:30], 20, 2, (5, 0), BACKGROUND, 1),
              (p[10:28, 5:21], 8, 12, (1, 10), NONE, 0), (veil[8:34, 8:40], 10, 4, (3, 25), BACKGROUND, 0), (p[2:12, 2:24], 2, 22, (1, 5), NONE, 1)]
    return size, frames


def sequence(content):
    return [array(frame.convert("RGBA")) for frame in ImageSequence.Iterator(Image.open(io.BytesIO(content)))]


def agreed(content, pictures):
    """Pillow shows the same."""
    off = [np.abs(premultiplied(a) - premultiplied(b)).max() for a, b in zip(sequence(content), pictures, strict=True)]
    assert max(off) < 3 / 255, off


def animations(p, veil):
    size, frames = moving(p, veil)
    delays = [70, 130, 50, 100, 120, 200]
    # What APNG can and WebP can't: taking a patch back.
    back = [*frames[:3], (p[10:28, 5:21], 8, 12, (1, 10), PREVIOUS, 1), *frames[4:]]
    # Pillow agrees where alpha is all or nothing, and what is taken back was not blended: it goes wrong on the rest.
    hard = [(np.concatenate([patch[..., :3], np.round(patch[..., 3:])], axis=-1), *place, disposal, blend * (disposal != PREVIOUS))
            for patch, *place, disposal, blend in back]
    agreed(apng(size, hard, 3), shown(size, hard))
    content = apng(size, back, 3)
    spec = {"format": "webp", "lossless": True}
    case("animation", "blend.png", content, shown(size, back), 50, BLENDED, spec, delays=delays, plays=3)
    # The picture for viewers that know no animations is none of its frames, and what a still format gets.
    content = apng(size, frames[:3], 1, default=p[1:37, 1:45])
    case("animation", "default.png", content, shown(size, frames[:3]), 50, BLENDED, spec, delays=delays[:3], plays=1)
    case("animation", "default.png", None, p[1:37, 1:45], name="default-still")

    content = webp(size, frames, 3)
    agreed(content, shown(size, frames))
    case("animation", "blend.webp", content, shown(size, frames), 50, BLENDED, spec, delays=delays, plays=3)
    # libwebp keeps of each frame what differs.
    stills = [Image.fromarray(whole(frame)) for frame in shown(size, frames)]
    content = saved(stills[0], "WEBP", save_all=True, append_images=stills[1:], duration=delays, loop=2, quality=90, minimize_size=True)
    case("animation", "libwebp.webp", content, sequence(content), 40, CODEC, spec, delays=delays, plays=2)

    # How often each is played, from every format to both that are written: 0 is for ever.
    stills = [eight(patch).convert("RGB").quantize(16) for patch in (p[:12, :16], p[10:22, 20:36])]
    short = [(array(still), 0, 0, (1, 10), NONE, 0) for still in stills]
    for plays in (0, 1, 4):
        # GIF says how often it is repeated; its few colours are in all of them.
        loop = {} if plays == 1 else {"loop": max(plays - 1, 0)}
        files = {"gif": saved(stills[0], "GIF", save_all=True, append_images=stills[1:], duration=100, **loop),
                 "webp": webp((16, 12), short, plays), "png": apng((16, 12), short, plays)}
        for extension, content in files.items():
            source = f"plays-{plays}.{extension}"
            (SOURCES / source).write_bytes(content)
            for format in ("gif", "webp"):
                case("animation", source, None, shown((16, 12), short), spec={"format": format, "lossless": True},
                     name=f"{source.replace('.', '-')}-{format}", delays=[100, 100], plays=plays)


def webp(size, frames, plays):
    """An animation of lossless frames, each a chunk by libwebp."""
    def riff(kind, data):
        return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    def small(number):
        return struct.pack("<I", number)[:3]
    body = riff(b"VP8X", b"\x12\0\0\0" + small(size[0] - 1) + small(size[1] - 1)) + riff(b"ANIM", struct.pack("<IH", 0, plays))
    for patch, x, y, (over_, under), disposal, blend in frames:
        still = saved(eight(patch), "WEBP", lossless=True, exact=True)
        height, width = patch.shape[:2]
        delay = over_ * 1000 // (under or 100)
        head = b"".join(small(number) for number in (x // 2, y // 2, width - 1, height - 1, delay))
        at = still.index(b"VP8L")
        length = struct.unpack("<I", still[at + 4:at + 8])[0]
        body += riff(b"ANMF", head + bytes([(0 if blend else 2) | disposal]) + riff(b"VP8L", still[at + 8:at + 8 + length]))
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


# GIF.

def gif(image):
    _, _, few = paletted(image, 40)
    small = eight(few).convert("RGB").quantize(40)
    for name, interlace in (("plain", 0), ("interlaced", 1)):
        content = saved(small, "GIF", interlace=interlace)
        assert bool(content[content.index(b",") + 9] & 0x40) == bool(interlace) or content.count(b",") > 1
        case("gif", f"{name}.gif", content, read(content))


# JPEG.

def segments(content):
    """The segments before the first scan, and the rest."""
    at, found = 2, []
    while content[at + 1] != 0xda:
        length = struct.unpack(">H", content[at + 2:at + 4])[0] + 2
        found.append(content[at:at + length])
        at += length
    return found, content[at:]


def with_profile(content, icc):
    found, rest = segments(content)
    data = b"ICC_PROFILE\0\x01\x01" + icc
    segment = b"\xff\xe2" + struct.pack(">H", len(data) + 2) + data
    return content[:2] + b"".join([*found[:1], segment, *found[1:]]) + rest


def printer():
    """A profile for four inks that are none of a perfect world: a table of 5 in each direction, to Lab."""
    steps = np.linspace(0, 1, 5)
    c, m, y, k = np.meshgrid(steps, steps, steps, steps, indexing="ij")
    inks = np.array([[0.02, 0.28, 0.62], [0.62, 0.03, 0.21], [0.89, 0.78, 0.02], [0.03, 0.03, 0.04]])
    light_ = np.ones((*c.shape, 3)) * np.array([0.93, 0.92, 0.88])
    for share, ink in zip((c, m, y, k), inks):
        light_ = light_ * (1 - share[..., None] ** 1.3 * (1 - ink))
    xyz = light_ @ np.array([[0.4360, 0.2225, 0.0139], [0.3851, 0.7169, 0.0971], [0.1431, 0.0606, 0.7141]]) / np.array([0.9642, 1, 0.8249])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    lab = np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)
    table = np.round(np.clip(np.stack([lab[..., 0] * 2.55, lab[..., 1] + 128, lab[..., 2] + 128], axis=-1), 0, 255)).astype(np.uint8)
    same = bytes(range(256))
    unit = b"".join(struct.pack(">i", 65536 * (i % 4 == 0)) for i in range(9))
    a2b = b"mft1" + bytes(4) + bytes([4, 3, 5, 0]) + unit + same * 4 + table.tobytes() + same * 3
    def text(t):
        return b"mluc" + bytes(4) + struct.pack(">II", 1, 12) + b"enUS" + struct.pack(">II", 2 * len(t), 28) + t.encode("utf-16-be")
    d50 = b"".join(struct.pack(">i", round(v * 65536)) for v in (0.96422, 1.0, 0.82521))
    tags = [(b"desc", text("Inks")), (b"cprt", text("Public domain")), (b"wtpt", b"XYZ " + bytes(4) + d50), (b"A2B0", a2b)]
    table, data, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for name, body in tags:
        body += bytes(-len(body) % 4)
        table += name + struct.pack(">II", offset, len(body))
        data += body
        offset += len(body)
    body = struct.pack(">I", len(tags)) + table + data
    header = struct.pack(">I", 128 + len(body)) + bytes(4) + b"\x04\x00\x00\x00prtrCMYKLab " + bytes(12) + b"acsp" + bytes(28) + d50
    return header.ljust(128, b"\0") + body


def converted(image, icc):
    """By littlecms."""
    theirs, srgb = ImageCms.ImageCmsProfile(io.BytesIO(icc)), ImageCms.createProfile("sRGB")
    return array(ImageCms.profileToProfile(image, theirs, srgb, renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC, outputMode="RGB"))


def separated(image):
    """Inks with some black in them, so that each of the four says something."""
    c, m, y, k = image.convert("CMYK").split()
    k = image.convert("L").point(lambda v: max(0, 150 - v))
    return Image.merge("CMYK", (c, m, y, k))


def jpeg(image):
    a = np.asarray(image)
    plain = saved(image, "JPEG", quality=92, subsampling=0)
    chroma = saved(image, "JPEG", quality=92, subsampling=2)
    files = {
        "rgb": (saved(image, "JPEG", quality=92, keep_rgb=True), 45), "422": (imagecodecs.jpeg8_encode(a, 92, subsampling="422"), 34),
        "440": (imagecodecs.jpeg8_encode(a, 92, subsampling="440"), 34), "411": (imagecodecs.jpeg8_encode(a, 92, subsampling="411"), 30),
        "restarts": (saved(image, "JPEG", quality=92, subsampling=2, restart_marker_blocks=2), 34),
        "progressive-restarts": (run("jpegtran", "-progressive", "-restart", "3B", "-outfile", "@out.jpg", "@in.jpg", in_jpg=chroma) and
                                 (SCRATCH / "out.jpg").read_bytes(), 34),
        "optimised": (run("jpegtran", "-optimize", "-outfile", "@out.jpg", "@in.jpg", in_jpg=plain) and (SCRATCH / "out.jpg").read_bytes(), 45),
    }
    scans = SCRATCH / "scans.txt"
    scans.write_text("0;\n1;\n2;\n")
    run("jpegtran", "-scans", str(scans), "-outfile", "@out.jpg", "@in.jpg", in_jpg=chroma)
    files["scan-a-component"] = ((SCRATCH / "out.jpg").read_bytes(), 34)
    run("cjpeg", "-grayscale", "-sample", "2x2", "-quality", "92", "-outfile", "@out.jpg", "@in.ppm", in_ppm=saved(image, "PPM"))
    files["grey-2x2"] = ((SCRATCH / "out.jpg").read_bytes(), 45)
    assert b"\xff\xdd" in files["restarts"][0] and b"\xff\xd1" in files["restarts"][0]
    for name, (content, psnr) in files.items():
        case("jpeg", f"{name}.jpg", content, read(content), psnr, CODEC)

    inks = separated(image)
    icc = printer()
    content = saved(inks, "JPEG", quality=96, subsampling=0, icc_profile=icc)
    case("inks", "profile.jpg", content, converted(Image.open(io.BytesIO(content)), icc), 40, TABLES)
    ycck = imagecodecs.jpeg8_encode(255 - np.asarray(inks), 96, colorspace="CMYK", outcolorspace="YCCK", subsampling="444")
    assert Image.open(io.BytesIO(ycck)).info["adobe_transform"] == 2
    opened = Image.open(io.BytesIO(ycck))
    c = np.asarray(opened, float) / 255
    p = np.ones(c.shape)
    p[..., :3] = (1 - c[..., :3]) * (1 - c[..., 3:])
    case("inks", "ycck.jpg", ycck, p, 42, "inks without a profile take light away")
    case("inks", "ycck-profile.jpg", with_profile(ycck, icc), converted(opened, icc), 40, TABLES)

    refused("twelve.jpg", imagecodecs.jpeg8_encode(a.astype(np.uint16) * 16, 92, bitspersample=12), "12 bits")
    refused("lossless.jpg", imagecodecs.jpeg8_encode(a, lossless=True), "lossless")
    for name, mode in (("arithmetic", "-arithmetic"), ("arithmetic-progressive", "-progressive")):
        run("jpegtran", "-arithmetic", mode, "-outfile", "@out.jpg", "@in.jpg", in_jpg=plain)
        refused(f"{name}.jpg", (SCRATCH / "out.jpg").read_bytes(), "arithmetic")


# TIFF.

def tiff(data, **options):
    file = io.BytesIO()
    with tifffile.TiffWriter(file, bigtiff=options.pop("bigtiff", False), byteorder=options.pop("byteorder", "<")) as writer:
        writer.write(data, metadata=None, software=False, **options)
    return file.getvalue()


def few_bits(indices, bits, palette):
    """One strip as it is, of colours in a palette of so many bits."""
    h, w = indices.shape
    pixels = b"".join(packed(indices, bits))
    colours = np.zeros((3, 1 << bits), "<u2")
    colours[:, :len(palette)] = palette.T * np.uint16(257)
    after = 8 + 2 + 12 * 9 + 4
    entries = [(256, 4, 1, w), (257, 4, 1, h), (258, 3, 1, bits), (259, 3, 1, 1), (262, 3, 1, 3), (273, 4, 1, after + colours.nbytes),
               (278, 4, 1, h), (279, 4, 1, len(pixels)), (320, 3, colours.size, after)]
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8) + directory + colours.tobytes() + pixels


def tiffs(image, p, fine, veil):
    a, f, g, v = whole(p)[..., :3], deep(fine)[..., :3], whole(grey(p))[..., 0], whole(veil)
    dim, bits = grey(p), bilevel(p)
    hazy = grey(veil)
    pale = np.round(veil * 65535) / 65535
    pale[..., 3] = np.round(np.clip(veil[..., 3] * 0.97 + 0.011 * (veil[..., 3] > 0), 0, 1) * 65535) / 65535
    multiplied = whole(premultiplied(veil))
    def undone(q, most):
        """Colours as they were before they were multiplied and rounded."""
        q = q.astype(float)
        r = straight(np.concatenate([q[..., :3], q[..., 3:]], axis=-1) / most)
        return np.round(r * most) / most
    rgb = {"photometric": "rgb"}
    case("tiff", "grey.tif", tiff(g, photometric="minisblack", compression="lzw", predictor=2), dim)
    case("tiff", "white-is-zero.tif", tiff(255 - g, photometric="miniswhite", compression="packbits"), dim)
    case("tiff", "grey-deep.tif", tiff(deep(grey(fine))[..., 0], photometric="minisblack", byteorder=">"), grey(fine), depth=16)
    case("tiff", "grey-alpha.tif", tiff(whole(hazy)[..., 1::2], photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"], compression="zlib"), hazy)
    content = tiff(deep(grey(pale))[..., 1::2], photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"])
    case("tiff", "grey-alpha-deep.tif", content, grey(pale), depth=16)
    case("tiff", "white-is-zero-alpha.tif", tiff(np.stack([255 - whole(hazy)[..., 1], whole(hazy)[..., 3]], axis=-1), photometric="miniswhite", planarconfig="contig", extrasamples=["unassalpha"]), hazy)
    one = Image.fromarray(whole(bits)[..., 0]).convert("1")
    for name, compression in (("packbits", "packbits"), ("fax4", "group4"), ("raw", "raw")):
        case("tiff", f"bits-{name}.tif", saved(one, "TIFF", compression=compression), bits)
    case("tiff", "bits-white-is-zero.tif", tiff(~(whole(bits)[..., 0] > 0), photometric="miniswhite"), bits)
    for colours, deepness in ((13, 4), (4, 2)):
        indices, palette, expected = paletted(image, colours)
        case("tiff", f"palette-{deepness}.tif", few_bits(indices, deepness, palette), expected)
        assert np.abs(read((SOURCES / f"palette-{deepness}.tif").read_bytes()) - expected).max() == 0
    indices, palette, expected = paletted(image, 200)
    case("tiff", "palette-pillow.tif", saved(image.quantize(200, dither=Image.Dither.NONE), "TIFF", compression="tiff_lzw"), expected)
    map_ = np.zeros((3, 256), np.uint16)
    map_[:, :len(palette)] = palette.T
    case("tiff", "palette-8.tif", tiff(indices, photometric="palette", colormap=map_ * np.uint16(257), compression="lzw", predictor=2), expected)
    # Bytes taken for words, as some writers do.
    case("tiff", "palette-bytes.tif", tiff(indices, photometric="palette", colormap=map_, byteorder=">"), expected)

    case("tiff", "alpha.tif", tiff(v, **rgb, extrasamples=["unassalpha"], compression="zlib", predictor=2), veil)
    case("tiff", "associated.tif", tiff(multiplied, **rgb, extrasamples=["assocalpha"], compression="lzw"), undone(multiplied, 255), 70, "halves are rounded up here, and to even there")
    m = deep(premultiplied(pale))
    case("tiff", "associated-deep.tif", tiff(m, **rgb, extrasamples=["assocalpha"], compression="zlib"), undone(m, 65535), 110, "halves are rounded up here, and to even there", depth=16)
    case("tiff", "more-samples.tif", tiff(v, **rgb, extrasamples=["unspecified"]), np.concatenate([veil[..., :3], np.ones((37, 45, 1))], axis=-1))
    # Not said what the fourth sample is: the tag is renamed to one that means nothing.
    said = tiff(v, **rgb, extrasamples=["unassalpha"])
    assert said.count(struct.pack("<HH", 338, 3)) == 1
    case("tiff", "alpha-unsaid.tif", said.replace(struct.pack("<HH", 338, 3), struct.pack("<HH", 337, 3)), veil)
    five = np.concatenate([v, whole(dim)[..., :1]], axis=-1)
    case("tiff", "five-samples.tif", tiff(five, **rgb, extrasamples=["unassalpha", "unspecified"], compression="zlib"), veil)

    case("tiff", "deep.tif", tiff(f, **rgb, byteorder=">", compression="lzw", predictor=2), fine, depth=16)
    case("tiff", "planar.tif", tiff(np.moveaxis(a, 2, 0), **rgb, planarconfig="separate", compression="zlib"), p)
    case("tiff", "planar-alpha.tif", tiff(np.moveaxis(v, 2, 0), **rgb, planarconfig="separate", extrasamples=["unassalpha"], rowsperstrip=7), veil)
    case("tiff", "tiles.tif", tiff(a, **rgb, tile=(16, 32), compression="zlib", predictor=2), p)
    case("tiff", "tiles-deep.tif", tiff(f, **rgb, byteorder=">", tile=(32, 16)), fine, depth=16)
    case("tiff", "big-endian.tif", tiff(a, **rgb, byteorder=">", rowsperstrip=5), p)
    case("tiff", "big.tif", tiff(a, **rgb, bigtiff=True, compression="zlib"), p)
    case("tiff", "big-palette.tif", tiff(indices, photometric="palette", colormap=map_ * np.uint16(257), bigtiff=True, byteorder=">"), expected)
    stored = {1: p, 2: p[:, ::-1], 3: p[::-1, ::-1], 4: p[::-1], 5: np.swapaxes(p, 0, 1), 6: np.rot90(p, 1), 7: np.swapaxes(p[::-1, ::-1], 0, 1), 8: np.rot90(p, 3)}
    for orientation in (3, 6, 7):
        content = tiff(whole(np.ascontiguousarray(stored[orientation]))[..., :3], **rgb, extratags=[(274, 3, 1, orientation, True)], compression="zlib")
        case("tiff", f"orientation-{orientation}.tif", content, p)

    content = tiff(a, **rgb, compression="jpeg", compressionargs={"level": 92, "outcolorspace": "rgb"})
    case("tiff", "jpeg-rgb.tif", content, read(content), 45, CODEC)
    content = imagecodecs.tiff_encode(a, 92, photometric="ycbcr", compression="jpeg", datetime="2026:11:25 12:00:00")
    small = content
    case("tiff", "jpeg.tif", content, array(Image.fromarray(imagecodecs.tiff_decode(content))), 34, CODEC)
    luma = np.asarray(image.convert("YCbCr"))
    content = tiff(luma, photometric="ycbcr", subsampling=(1, 1), compression="zlib")
    case("tiff", "ycbcr.tif", content, array(image.convert("YCbCr").convert("RGB")), 45, "a matrix in whole numbers on one side")

    inks = separated(image)
    icc = printer()
    c = np.asarray(inks, float) / 255
    flat = np.ones(c.shape)
    flat[..., :3] = (1 - c[..., :3]) * (1 - c[..., 3:])
    case("inks", "inks-plain.tif", tiff(np.asarray(inks), photometric="separated", compression="zlib"), flat, 55, "rounded once")
    case("inks", "inks-profile.tif", tiff(np.asarray(inks), photometric="separated", iccprofile=icc, compression="lzw"), converted(inks, icc), 45, TABLES)
    case("inks", "inks-profile-deep.tif", tiff(np.asarray(inks).astype(np.uint16) * 257, photometric="separated", iccprofile=icc, compression="lzw"), converted(inks, icc), 45, TABLES)
    hidden = np.concatenate([np.asarray(inks), v[..., 3:]], axis=-1)
    flat = np.concatenate([flat[..., :3], veil[..., 3:]], axis=-1)
    case("inks", "inks-alpha.tif", tiff(hidden, photometric="separated", extrasamples=["unassalpha"], compression="zlib"), flat, 55, "rounded once")
    case("colour", "p3.tif", tiff(a, **rgb, iccprofile=profile(DISPLAY_P3, SRGB_CURVE), compression="zlib"), converted(image, profile(DISPLAY_P3, SRGB_CURVE)), 50, TABLES, delta_e=1.0)

    refused("float.tif", tiff(p[..., 1].astype(np.float32), photometric="minisblack"), "fractions")
    refused("float-rgb.tif", tiff(p[..., :3].astype(np.float32), **rgb), "fractions")
    refused("twelve.tif", tiff((g.astype(np.uint16) << 4), photometric="minisblack", bitspersample=12), "12 bits")
    lab = ImageCms.applyTransform(image, ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"))
    lab.info.clear()
    refused("lab.tif", saved(lab, "TIFF"), "CIELab")
    for name, says in (("zstd", "ZSTD"), ("lzma", "34925"), ("webp", "WebP"), ("jpeg2000", "not read")):
        refused(f"{name}.tif", tiff(a, **rgb, compression=name), says)
    refused("planar-tiles.tif", tiff(np.moveaxis(a, 2, 0), **rgb, planarconfig="separate", tile=(32, 16), compression="zlib"), "a plane for each channel")
    refused("fax3.tif", saved(one, "TIFF", compression="group3"), "Fax3")
    refused("ycbcr-420.tif", without_jpeg(small), "less chroma")


def without_jpeg(content):
    """A file that says it is not compressed; what its bytes hold does not matter: it is refused by its header."""
    at = struct.unpack("<I", content[4:8])[0]
    count = struct.unpack("<H", content[at:at + 2])[0]
    changed = bytearray(content)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag = struct.unpack("<H", content[entry:entry + 2])[0]
        if tag == 259:
            changed[entry + 8:entry + 10] = struct.pack("<H", 1)
        if tag == 530:
            changed[entry + 8:entry + 12] = struct.pack("<HH", 2, 2)
    return bytes(changed)


# BMP, ICO, TGA, PNM.

def padded(rows):
    return b"".join(row + bytes(-len(row) % 4) for row in rows)


def packed(indices, bits):
    """Rows of so many bits a pixel, the leftmost in the highest."""
    rows = []
    for row in indices:
        text = "".join(f"{index:0{bits}b}" for index in row)
        rows.append(int(text.ljust(-len(text) // 8 * -8, "0"), 2).to_bytes(-(-len(text) // 8), "big"))
    return rows


def bmp(size, bits, pixels, palette=b"", method=0, masks=b"", top_down=False, version=40):
    """A header of 12, 40, 56 (with masks) or 124 bytes, a palette, and rows that are already laid out."""
    w, h = size
    if version == 12:
        header = struct.pack("<IHHHH", 12, w, h, 1, bits)
    else:
        colours = len(palette) // 4
        header = struct.pack("<IiiHHIIiiII", version, w, -h if top_down else h, 1, bits, method, len(pixels), 2835, 2835, colours, 0)
        if version == 124:
            header += masks.ljust(16, b"\0") + b"BGRs" + bytes(48) + struct.pack("<IIII", 2, 0, 0, 0)
        elif version == 56:
            header += masks.ljust(16, b"\0")
        else:
            header += masks
    offset = 14 + len(header) + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + len(pixels), 0, 0, offset) + header + palette + pixels


def runs(row, four):
    """Run lengths of BMP: repeated, or as they are. There are no jumps: what they leave out is nothing that readers agree on."""
    parts, at = b"", 0
    row = [int(index) for index in row]
    while at < len(row):
        length = 1
        while at + length < len(row) and row[at + length] == row[at] and length < 255:
            length += 1
        if length > 2:
            parts += bytes([length, row[at] * 17 if four else row[at]])
        else:
            length = min(7, len(row) - at)
            if length < 3:
                parts += b"".join(bytes([1, index << 4 if four else index]) for index in row[at:at + length])
            else:
                some = row[at:at + length]
                data = packed([some], 4)[0] if four else bytes(some)
                parts += bytes([0, length]) + data + bytes(len(data) % 2)
        at += length
    return parts + b"\0\0"


def reduced(p, bits):
    """As many levels as so many bits have, spread evenly."""
    most = np.array([(1 << n) - 1 for n in bits], float)
    levels = np.round(p[..., :3] * most)
    q = np.ones(p.shape)
    q[..., :3] = levels / most
    return levels.astype(np.uint16), q


def flat_image():
    """A drawing of few colours, with runs in it, of the same odd size."""
    y, x = np.mgrid[0:37, 0:45]
    indices = np.where((x - 12) ** 2 + (y - 15) ** 2 < 90, 3, np.where(x > 30 - y // 3, 1 + (x // 5 + y // 4) % 4, 0))
    indices[30:33, 3:25] = 5
    indices[y % 9 == 8] = 0
    palette = np.array([[250, 245, 230], [20, 30, 120], [200, 40, 30], [30, 140, 60], [240, 180, 20], [90, 20, 110]], np.uint8)
    p = np.ones((37, 45, 4))
    p[..., :3] = palette[indices] / 255
    return indices, palette, p


def bmps(image, p, veil):
    size = (45, 37)
    a, v = whole(p), whole(veil)
    def table(palette, bits):
        entries = b"".join(bytes([b, g, r, 0]) for r, g, b in palette)
        return entries.ljust(4 << bits, b"\0")
    def checked(name, content, expected, psnr=99, reason=EXACT, theirs=True):
        if theirs:
            found = Image.open(io.BytesIO(content)).convert("RGBA")
            assert np.abs(array(found) - expected).max() < 9 / 255, name
        case("bitmap", f"{name}.bmp", content, expected, psnr, reason)
    bits = bilevel(p)
    checked("bits", bmp(size, 1, padded(packed(whole(bits)[::-1, :, 0] > 0, 1)), table([(0, 0, 0), (255, 255, 255)], 1)), bits)
    for colours, deepness in ((13, 4), (200, 8)):
        indices, palette, expected = paletted(image, colours)
        rows = packed(indices[::-1], deepness)
        checked(f"palette-{deepness}", bmp(size, deepness, padded(rows), table(palette, deepness)), expected)
    indices, palette, expected = flat_image()
    for four, method in ((False, 1), (True, 2)):
        pixels = b"".join(runs(row, four) for row in indices[::-1])[:-2] + b"\0\1"
        bits_ = 4 if four else 8
        checked(f"rle-{bits_}", bmp(size, bits_, pixels, table(palette, bits_), method), expected)
    levels, expected = reduced(p, (5, 5, 5))
    words = (levels[..., 0] << 10 | levels[..., 1] << 5 | levels[..., 2]).astype("<u2")
    rounding = "five bits are spread over eight in two ways"
    checked("555", bmp(size, 16, padded(row.tobytes() for row in words[::-1])), expected, 50, rounding)
    levels, expected = reduced(p, (5, 6, 5))
    words = (levels[..., 0] << 11 | levels[..., 1] << 5 | levels[..., 2]).astype("<u2")
    checked("565", bmp(size, 16, padded(row.tobytes() for row in words[::-1]), method=3, masks=struct.pack("<III", 0xf800, 0x7e0, 0x1f)), expected, 50, rounding)
    bgr = a[..., 2::-1]
    checked("top-down", bmp(size, 24, padded(row.tobytes() for row in bgr), top_down=True), p)
    checked("os2", bmp(size, 24, padded(row.tobytes() for row in bgr[::-1]), version=12), p)
    # The fourth byte means nothing where no mask names it.
    case("bitmap", "32.bmp", bmp(size, 32, b"".join(np.concatenate([row, np.full((45, 1), 7, np.uint8)], axis=-1).tobytes() for row in bgr[::-1])), p)
    bgra = v[..., [2, 1, 0, 3]]
    masks = struct.pack("<IIII", 0xff0000, 0xff00, 0xff, 0xff000000)
    checked("alpha", bmp(size, 32, bgra[::-1].tobytes(), method=3, masks=masks, version=124), veil)
    rgba = struct.pack("<IIII", 0xff, 0xff00, 0xff0000, 0xff000000)
    checked("alpha-rgba", bmp(size, 32, v[::-1].tobytes(), method=3, masks=rgba, version=56), veil)


def ico(*entries):
    """Entries of a side and the bytes of a picture."""
    offset = 6 + 16 * len(entries)
    head, body = struct.pack("<HHH", 0, 1, len(entries)), b""
    for (w, h), bits, content in entries:
        head += struct.pack("<BBBBHHII", w % 256, h % 256, 0, 0, 1, bits, len(content), offset + len(body))
        body += content
    return head + body


def icos(image, p, veil):
    v = whole(veil)[:32, :32]
    square = np.round(veil[:32, :32] * 255) / 255
    clear = p[:32, :32].copy()
    clear[..., 3] = veil[:32, :32, 3] > 0.5
    clear[..., :3] *= clear[..., 3:]
    # As GIMP makes masks: of what is less than half there.
    mask = padded(packed(clear[::-1, :, 3] == 0, 1))
    def dib(bits, pixels, palette=b""):
        # Twice as high as it is: the mask stands above. Where there is alpha, it counts for nothing.
        return struct.pack("<IiiHHIIiiII", 40, 32, 64, 1, bits, 0, len(pixels) + len(mask), 0, 0, len(palette) // 4, 0) + palette + pixels + mask
    case("bitmap", "png.ico", ico(((32, 32), 32, saved(eight(square), "PNG"))), square)
    whole_ = dib(32, v[::-1, :, [2, 1, 0, 3]].tobytes())
    case("bitmap", "32.ico", ico(((32, 32), 32, whole_)), square)
    case("bitmap", "24.ico", ico(((32, 32), 24, dib(24, padded(row.tobytes() for row in whole(clear)[::-1, :, 2::-1])))), clear)
    for colours, bits in ((200, 8), (13, 4), (2, 1)):
        indices, palette, expected = paletted(image.crop((0, 0, 32, 32)), colours)
        expected = expected.copy()
        expected[..., 3] = clear[..., 3]
        expected[..., :3] *= expected[..., 3:]
        table = b"".join(bytes([b, g, r, 0]) for r, g, b in palette).ljust(4 << bits, b"\0")
        case("bitmap", f"{bits}.ico", ico(((32, 32), bits, dib(bits, padded(packed(indices[::-1], bits)), table))), expected)
    # Of several the largest, though it has less colours.
    little = saved(Image.fromarray(v[:16, :16]), "PNG")
    large = dib(24, padded(row.tobytes() for row in whole(clear)[::-1, :, 2::-1]))
    case("bitmap", "several.ico", ico(((16, 16), 32, little), ((32, 32), 24, large), ((16, 16), 32, little)), clear)


def tga(size, kind, bits, pixels, palette=b"", entry=0, descriptor=0):
    w, h = size
    colours = len(palette) * 8 // entry if entry else 0
    return struct.pack("<BBBHHBHHHHBB", 5, int(entry > 0), kind, 0, colours, entry, 0, 0, w, h, bits, descriptor) + b"a cup" + palette + pixels


def tga_runs(rows, size):
    """Packets that do not cross the end of a row."""
    parts = b""
    for row in rows:
        pixels, at = [row[i:i + size] for i in range(0, len(row), size)], 0
        while at < len(pixels):
            length = 1
            while at + length < len(pixels) and pixels[at + length] == pixels[at] and length < 128:
                length += 1
            if length > 1:
                parts += bytes([127 + length]) + pixels[at]
            else:
                while at + length < len(pixels) and length < 128 and pixels[at + length] != pixels[at + length - 1]:
                    length += 1
                parts += bytes([length - 1]) + b"".join(pixels[at:at + length])
            at += length
    return parts


def tgas(image, p, veil):
    size = (45, 37)
    a, v = whole(p), whole(veil)
    bgr, bgra = a[..., 2::-1], v[..., [2, 1, 0, 3]]
    ALPHA, RIGHT, TOP = 8, 0x10, 0x20
    case("bitmap", "true.tga", tga(size, 2, 24, bgr[::-1].tobytes()), p)
    case("bitmap", "top.tga", tga(size, 2, 24, bgr.tobytes(), descriptor=TOP), p)
    case("bitmap", "right.tga", tga(size, 2, 24, bgr[::-1, ::-1].tobytes(), descriptor=RIGHT), p)
    case("bitmap", "top-right.tga", tga(size, 10, 24, tga_runs([row.tobytes() for row in bgr[:, ::-1]], 3), descriptor=TOP | RIGHT), p)
    case("bitmap", "alpha.tga", tga(size, 2, 32, bgra[::-1].tobytes(), descriptor=ALPHA), veil)
    case("bitmap", "alpha-rle.tga", tga(size, 10, 32, tga_runs([row.tobytes() for row in bgra], 4), descriptor=ALPHA | TOP), veil)
    levels, expected = reduced(p, (5, 5, 5))
    words = (levels[..., 0] << 10 | levels[..., 1] << 5 | levels[..., 2]).astype("<u2")
    case("bitmap", "555.tga", tga(size, 2, 16, words[::-1].tobytes()), expected, 50, "five bits are spread over eight in two ways")
    g = a[..., 1]
    case("bitmap", "grey.tga", tga(size, 3, 8, g[::-1].tobytes()), grey(p))
    case("bitmap", "grey-rle.tga", tga(size, 11, 8, tga_runs([row.tobytes() for row in g], 1), descriptor=TOP), grey(p))
    indices, palette, expected = paletted(image, 200)
    table = b"".join(bytes([b, g, r]) for r, g, b in palette)
    case("bitmap", "palette.tga", tga(size, 1, 8, indices.astype(np.uint8)[::-1].tobytes(), table, 24), expected)
    indices, palette, expected = flat_image()
    table = b"".join(bytes([b, g, r]) for r, g, b in palette)
    case("bitmap", "palette-rle.tga", tga(size, 9, 8, tga_runs([row.astype(np.uint8).tobytes() for row in indices], 1), table, 24, TOP), expected)


def pnms(p, fine, veil):
    a, f, v, g, bits = whole(p), deep(fine), whole(veil), whole(grey(p)), bilevel(p)
    def text(rows):
        return "\n".join(" ".join(str(int(n)) for n in row) for row in rows).encode()
    black = whole(bits)[..., 0] == 0
    case("bitmap", "p1.pbm", b"P1\n# a cup\n45 37\n" + text(black) + b"\n", bits)
    case("bitmap", "p2.pgm", b"P2 45\n37 # grey\n255\n" + text(g[..., 0]), grey(p))
    case("bitmap", "p3.ppm", b"P3\n45 37\n255\n" + text(a[..., :3].reshape(37, -1)) + b"\n", p)
    case("bitmap", "p4.pbm", b"P4\n45 37\n" + b"".join(packed(black, 1)), bits)
    case("bitmap", "p5-deep.pgm", b"P5 45 37 65535\n" + f[..., 1].astype(">u2").tobytes(), grey(fine), depth=16)
    case("bitmap", "p6-deep.ppm", b"P6 45 37 65535\n" + f[..., :3].astype(">u2").tobytes(), fine, depth=16)
    for most, kind in ((100, np.uint8), (1023, ">u2")):
        q = np.ones(p.shape)
        q[..., :3] = np.round(p[..., :3] * most) / most
        content = f"P6\n45 37\n{most}\n".encode() + np.round(q[..., :3] * most).astype(kind).tobytes()
        case("bitmap", f"p6-{most}.ppm", content, q, 55 if most < 256 else 90, "rounded once", **({} if most < 256 else {"depth": 16}))
    dim = np.ones(p.shape)
    dim[..., :3] = np.round(grey(p)[..., :3] * 15) / 15
    case("bitmap", "p2-15.pgm", b"P2 45 37 15 " + text(np.round(dim[..., 0] * 15)), dim, 55, "rounded once")
    def pam(kind, channels, data, most=255):
        return f"P7\nWIDTH 45\nHEIGHT 37\nDEPTH {channels}\nMAXVAL {most}\n# a cup\nTUPLTYPE {kind}\nENDHDR\n".encode() + data.tobytes()
    case("bitmap", "rgb-alpha.pam", pam("RGB_ALPHA", 4, v), veil)
    case("bitmap", "rgb.pam", pam("RGB", 3, a[..., :3]), p)
    case("bitmap", "grey.pam", pam("GRAYSCALE", 1, g[..., 0]), grey(p))
    case("bitmap", "grey-alpha.pam", pam("GRAYSCALE_ALPHA", 2, whole(grey(veil))[..., 1::2]), grey(veil))
    case("bitmap", "bits.pam", pam("BLACKANDWHITE", 1, (whole(bits)[..., 0] > 0).astype(np.uint8), 1), bits)


# JPEG XL, AVIF, and light.

def jxls(image, p, fine, veil):
    def cjxl(content, *options, distance=0):
        run("cjxl", "--quiet", "--distance", str(distance), *options, "@in.png", "@out.jxl", in_png=content)
        return (SCRATCH / "out.jxl").read_bytes()
    def seen(content):
        run("djxl", "--quiet", "@in.jxl", "@out.png", in_jxl=content)
        return (SCRATCH / "out.png").read_bytes()
    dim = grey(p)
    case("jxl", "grey.jxl", cjxl(vips(whole(dim)[..., :1], "b-w")), dim)
    case("jxl", "grey-alpha.jxl", cjxl(vips(whole(grey(veil))[..., 1::2], "b-w")), grey(veil))
    case("jxl", "deep.jxl", cjxl(vips(deep(fine)[..., :3], "rgb16")), fine, depth=16)
    case("jxl", "lossy.jxl", cjxl(saved(image, "PNG"), distance=0.5), p, 36, "half a step of what can be seen")
    icc = profile(DISPLAY_P3, SRGB_CURVE)
    case("jxl", "p3.jxl", cjxl(saved(image, "PNG", icc_profile=icc)), converted(image, icc), 50, TABLES, delta_e=1.0)
    case("jxl", "adobe.jxl", cjxl(saved(image, "PNG", icc_profile=profile(ADOBE_RGB, ADOBE_CURVE)), distance=0.5), converted(image, profile(ADOBE_RGB, ADOBE_CURVE)), 34,
         "half a step of what can be seen")
    exif = Image.Exif()
    exif[0x0112], exif[0x010e] = 6, "a badge"
    content = cjxl(saved(eight(np.rot90(p, 1)).convert("RGB"), "PNG", exif=exif))
    assert np.abs(read(seen(content)) - p).max() < 1 / 255
    # cjxl 0.7 says that it writes EXIF, and does not: a box of its own after how far its beginning is.
    block = b"Exif" + bytes(4) + exif.tobytes()[6:]
    case("jxl", "orientation.jxl", content + struct.pack(">I", len(block) + 4) + block, p)
    content = cjxl(apng((45, 37), [(frame, 0, 0, (1, 10), NONE, 0) for frame in (p, p[::-1], p[:, ::-1])], 2))
    case("jxl", "moving.jxl", content, p)
    refused("pq.jxl", cjxl(vips(deep(fine)[..., :3], "rgb16"), "-x", "color_space=RGB_D65_202_Rel_PeQ", distance=0.5), "PQ")


def avifs(image, p, fine, veil):
    twelve = np.round(fine[..., :3] * 4095).astype(np.uint16)
    seen = np.ones(fine.shape)
    seen[..., :3] = twelve / 4095
    case("avif", "twelve.avif", imagecodecs.avif_encode(twelve, 100, bitspersample=12, pixelformat="444"), seen, 50, "a matrix of colours, rounded", depth=16)
    rest = [image.rotate(180), image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)]
    content = saved(image, "AVIF", save_all=True, append_images=rest, duration=100, quality=98, subsampling="4:4:4")
    assert content[8:12] == b"avis"
    case("avif", "sequence.avif", content, p, 38, CODEC)
    case("avif", "422.avif", saved(image, "AVIF", quality=95, subsampling="4:2:2"), read(saved(image, "AVIF", quality=95, subsampling="4:2:2")), 34, CODEC)
    def avifenc(content, *options):
        run("avifenc", "--speed", "6", "--jobs", "1", *options, "@in.png", "@out.avif", in_png=content)
        return (SCRATCH / "out.avif").read_bytes()
    case("avif", "premultiplied.avif", avifenc(saved(eight(veil), "PNG"), "--premultiply", "--min", "0", "--max", "4"), veil, 34, "colours that are hardly seen are hardly kept")
    case("avif", "limited.avif", avifenc(saved(image, "PNG"), "--range", "limited", "--min", "0", "--max", "4", "--yuv", "444"), p, 38, CODEC)
    case("avif", "lossless.avif", avifenc(saved(image, "PNG"), "--lossless"), p)
    exif = Image.Exif()
    exif[0x010e], exif[0x8298], exif[0x0112] = "a badge", "(c) Ada", 6
    content = saved(eight(np.rot90(p, 1)).convert("RGB"), "AVIF", quality=98, subsampling="4:4:4", exif=exif.tobytes())
    assert content.count(b"Exif\0\0MM") + content.count(b"Exif\0\0II") == 1
    case("avif", "exif.avif", content, p, 38, CODEC)


def lights(p, veil):
    light_ = make.light(p[..., :3]) * 1.4
    expected = np.ones(p.shape)
    expected[..., :3] = tone(light_)
    for name, options in (("plain", {"rle": False}), ("runs", {"rle": True})):
        content = imagecodecs.rgbe_encode(light_.astype(np.float32), **options)
        theirs = imagecodecs.rgbe_decode(content)
        q = np.ones(p.shape)
        q[..., :3] = tone(theirs)
        case("light", f"{name}.hdr", content, q, 75, "rounded to sixteen bits; eight are at 59", depth=16)
    def exr(channels, compression):
        path = SCRATCH / "out.exr"
        OpenEXR.File({"compression": compression, "type": OpenEXR.scanlineimage}, channels).write(str(path))
        return path.read_bytes()
    half = light_.astype(np.float16)
    q = expected.copy()
    q[..., :3] = tone(half.astype(float))
    case("light", "half.exr", exr({"RGB": half}, OpenEXR.ZIP_COMPRESSION), q, 75, "rounded to sixteen bits; eight are at 59", depth=16)
    case("light", "float.exr", exr({"RGB": light_.astype(np.float32)}, OpenEXR.PIZ_COMPRESSION), expected, 75, "rounded to sixteen bits", depth=16)
    hazy = veil.copy()
    hazy[..., :3] = make.light(veil[..., :3])
    content = exr({"RGBA": premultiplied(hazy).astype(np.float32)}, OpenEXR.ZIPS_COMPRESSION)
    case("light", "alpha.exr", content, veil, 55, "eight bits of what was expected")
    refused("luma.exr", exr({"Y": light_[..., 1].astype(np.float32)}, OpenEXR.ZIP_COMPRESSION), "EXR")


# Colours of a spec in a profile that is kept: all numbers are those of the profile.

def keeping(image, p, veil):
    srgb = ImageCms.createProfile("sRGB")
    keep = {"format": "png", "strip": {"keep": ["icc"]}}
    def power(g):
        return (0, (g,)), lambda v: v ** g, lambda v: np.clip(v, 0, 1) ** (1 / g)
    # The last is as far from sRGB's curve as old screens were.
    spaces = {"p3": (DISPLAY_P3, SRGB_CURVE, make.light, tone), "adobe": (ADOBE_RGB, *power(563 / 256)), "pale": (ADOBE_RGB, *power(1.8))}
    mark = eight(p[8:28, 10:38]).convert("RGB")
    (SOURCES / "mark.png").write_bytes(saved(mark, "PNG"))
    for name, (primaries, transfer, light_, tone_) in spaces.items():
        icc = profile(primaries, transfer)
        theirs = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        def brought(picture):
            return array(ImageCms.profileToProfile(picture.convert("RGB"), srgb, theirs, renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC))
        red = brought(Image.new("RGB", (1, 1), "#d02818"))[0, 0]
        source, hazy = f"{name}.png", f"{name}-veil.png"
        (SOURCES / source).write_bytes(saved(image, "PNG", icc_profile=icc))
        (SOURCES / hazy).write_bytes(saved(eight(veil), "PNG", icc_profile=icc))
        def one(what, spec, expected, psnr, source=source, **more):
            case("kept", source, None, expected, psnr, TABLES, {**keep, **spec}, f"{name}-{what}", **more)
        frame = np.tile(red, (37 + 8, 45 + 8, 1))
        frame[4:-4, 4:-4] = p
        one("border", {"border": {"width": 4, "color": "#d02818"}}, frame, 55)
        canvas = np.tile(red, (61, 45, 1))
        canvas[12:49] = p
        one("padding", {"resize": {"width": 45, "height": 61, "fit": "contain", "background": "#d02818"}}, canvas, 55)
        one("corners", {"rotate": 33, "background": "#d02818"}, make.turned(p, 33, red), 48)
        flat = over(np.tile(red, (37, 45, 1)), veil)
        one("flat", {"background": "#d02818", "format": "jpeg", "quality": 100}, flat, 36, hazy)
        laid = p.copy()
        laid[9:29, 3:31] = brought(mark)
        one("mark", {"watermark": {"image_id": "OVERLAY", "gravity": "southwest", "x": 3, "y": 8, "size": 28}}, laid, 50, overlay="mark.png")
        colour = p.copy()
        colour[..., :3] += (red[:3] - p[..., :3]) * 128 / 255
        one("colorize", {"filters": {"colorize": "#d0281880"}}, colour, 50)
        for what, whole_, file in (("resize", p, source), ("resize-veil", veil, hazy)):
            small = whole_.copy()
            small[..., :3] = light_(small[..., :3])
            small = make.resized(small, 23, 19, linear=False)
            small[..., :3] = tone_(small[..., :3])
            one(what, {"resize": {"width": 23, "height": 19, "fit": "fill"}}, small, 53 if what == "resize" else 50, file)


def main():
    for folder in (SOURCES, EXPECTED):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    image, p, fine, veil = pieces()
    png(image, p, fine, veil)
    animations(p, veil)
    gif(image)
    jpeg(image)
    tiffs(image, p, fine, veil)
    bmps(image, p, veil)
    icos(image, p, veil)
    tgas(image, p, veil)
    pnms(p, fine, veil)
    jxls(image, p, fine, veil)
    avifs(image, p, fine, veil)
    lights(p, veil)
    keeping(image, p, veil)
    (HERE / "cases.json").write_text(json.dumps(CASES, indent=1, ensure_ascii=False) + "\n")
    shutil.rmtree(SCRATCH)
    size = sum(f.stat().st_size for folder in (SOURCES, EXPECTED) for f in folder.iterdir())
    print(f"{len(CASES)} cases, {size // 1024} KiB")


if __name__ == "__main__":
    main()
