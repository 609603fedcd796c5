// sharp as a process that is asked, on one thread and in its own defaults; and what turns files into pixels for the comparison.
//
//   node sharp.mjs loop FILE WIDTH HEIGHT FORMAT QUALITY   each line of standard input is a number of times; it is answered by
//                                                          the length of the result. `write PATH` writes the result.
//   node sharp.mjs once FILE WIDTH HEIGHT FORMAT QUALITY OUT
//   node sharp.mjs pixels FILE OUT                         writes RGBA in sRGB; says its width and height
//
// HEIGHT is 0 where it follows from the width.
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";

import sharp from "sharp";

sharp.concurrency(1);
sharp.cache(false);

const [command, file, ...rest] = process.argv.slice(2);

function transform(input, [width, height, format, quality]) {
  const picture = sharp(input).resize(Number(width), Number(height) || null);
  const options = format === "png" ? {} : { quality: Number(quality) };
  return picture.toFormat(format, options);
}

if (command === "pixels") {
  const [out] = rest;
  const { data, info } = await sharp(file).toColourspace("srgb").ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  writeFileSync(out, data);
  console.log(`${info.width} ${info.height}`);
} else if (command === "once") {
  await transform(file, rest).toFile(rest[4]);
} else {
  const source = readFileSync(file);
  let made = Buffer.alloc(0);
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.startsWith("write ")) {
      writeFileSync(line.slice("write ".length), made);
    } else {
      for (let i = 0; i < Number(line); i++) made = await transform(source, rest).toBuffer();
    }
    console.log(made.length);
  }
}
