// Makes the pictures that `make bench-engine` measures with, from photographs which packages carry (scripts/bench-setup runs
// this). Each is what a camera, a phone or a web page would hand in; all come out the same, byte for byte, wherever sharp is the
// same.
//
//   node pictures.mjs PHOTOGRAPH LAKE TREE QOI OUT
//
// QOI is the directory with the test pictures of that format, in PNG.
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import sharp from "sharp";

const [photograph, lake, tree, qoi, out] = process.argv.slice(2);
const camera = { quality: 90, chromaSubsampling: "4:2:0" };
const file = (name) => join(out, name);

// Pixels with the grain of a sensor on them: without it an enlarged photograph is smoother, and so quicker to decode, than
// one that was taken at that size. The numbers are of a small congruential generator, so that they are always the same.
async function grain(picture, strength) {
  const { data, info } = await picture.raw().toBuffer({ resolveWithObject: true });
  let state = 1;
  const next = () => ((state = (Math.imul(state, 1664525) + 1013904223) | 0) >>> 8) / (1 << 24) - 0.5;
  for (let i = 0; i < data.length; i += info.channels) {
    const luma = (next() + next() + next()) * strength;
    for (let c = 0; c < 3; c++) {
      data[i + c] = Math.max(0, Math.min(255, Math.round(data[i + c] + luma + next() * strength)));
    }
  }
  return sharp(data, { raw: info });
}

// The same file without its colour profile, so that nobody has to convert from it.
function withoutProfile(jpeg) {
  const kept = [jpeg.subarray(0, 2)];
  let at = 2;
  while (jpeg[at + 1] !== 0xda) {
    const end = at + 2 + jpeg.readUInt16BE(at + 2);
    if (jpeg[at + 1] !== 0xe2) kept.push(jpeg.subarray(at, end));
    at = end;
  }
  return Buffer.concat([...kept, jpeg.subarray(at)]);
}

copyFileSync(photograph, file("photo-adobe-2725x2225.jpg"));
writeFileSync(file("photo-2725x2225.jpg"), withoutProfile(readFileSync(photograph)));
copyFileSync(tree, file("tree-1024x772.webp"));
await sharp(lake)
  .extract({ left: 80, top: 45, width: 3840, height: 2160 })
  .jpeg(camera)
  .toFile(file("lake-3840x2160.jpg"));

const wide = { left: 0, top: 204, width: 2725, height: 1817 };
const enlarged = sharp(await sharp(photograph).extract(wide).toBuffer()).resize(6000, 4000, { fit: "fill", kernel: "cubic" });
await (await grain(enlarged, 10)).jpeg(camera).toFile(file("photo-6000x4000.jpg"));

await sharp(join(qoi, "kodim23.png")).jpeg(camera).toFile(file("kodim23-768x512.jpg"));
await sharp(join(qoi, "kodim10.png")).rotate(90).jpeg(camera).toFile(file("kodim10-768x512.jpg"));
await sharp(photograph).resize(768, 512).jpeg(camera).toFile(file("saw-768x512.jpg"));
await sharp(lake).resize(768, 512).jpeg(camera).toFile(file("shore-768x512.jpg"));

// Real pixels under a real mask: the photograph at its own size, see-through where a known picture of glass dice is.
const mask = await sharp(join(qoi, "dice.png"))
  .extractChannel("alpha")
  .resize(2048, 1536, { fit: "fill", kernel: "cubic" })
  .raw()
  .toBuffer();
await sharp(photograph)
  .extract({ left: 338, top: 344, width: 2048, height: 1536 })
  .joinChannel(mask, { raw: { width: 2048, height: 1536, channels: 1 } })
  .png({ compressionLevel: 6, adaptiveFiltering: true })
  .toFile(file("cutout-2048x1536.png"));

await sharp(lake)
  .extract({ left: 0, top: 500, width: 4000, height: 1676 })
  .resize(2048, 858, { fit: "fill" })
  .avif({ quality: 80 })
  .toFile(file("shore-2048x858.avif"));
