// Writes urls.json: what Cloudinary's own builder makes of each line of code below. See README.md.
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(process.cwd() + "/"));
const load = (name) => import(pathToFileURL(require.resolve(`@cloudinary/url-gen/${name}`)));

const scope = {};
for (const [as, name] of Object.entries({
  Adjust: "actions/adjust",
  Border: "actions/border",
  Delivery: "actions/delivery",
  Effect: "actions/effect",
  Named: "actions/namedTransformation",
  Overlay: "actions/overlay",
  Reshape: "actions/reshape",
  Resize: "actions/resize",
  Rotate: "actions/rotate",
  RoundCorners: "actions/roundCorners",
  Background: "qualifiers/background",
  Flag: "qualifiers/flag",
  Gravity: "qualifiers/gravity",
  Progressive: "qualifiers/progressive",
  Source: "qualifiers/source",
  Variable: "actions/variable",
})) {
  scope[as] = await load(name);
}
scope.Position = (await load("qualifiers/position")).Position;
scope.TextStyle = (await load("qualifiers/textStyle")).TextStyle;
scope.Transformation = (await load("transformation/Transformation")).Transformation;
const { Cloudinary } = await load("index");

const ID = "0199c2f0-7a3e-7c51-b0d4-3f1f6c2a9e10";
const text = (style, words = "'Hi'") => `.overlay(Overlay.source(Source.text(${words}, ${style})))`;
const image = (transformation, position = "") =>
  `.overlay(Overlay.source(Source.image('${ID}')${
    transformation && `.transformation(new Transformation()${transformation})`
  })${position && `.position(new Position()${position})`})`;

const lines = [
  // sizes
  ".resize(Resize.scale(300, 200))",
  ".resize(Resize.scale().width(300))",
  ".resize(Resize.scale().height(200))",
  ".resize(Resize.scale(0.5))",
  ".resize(Resize.scale(9000))",
  ".resize(Resize.scale('iw_mul_0.5'))",
  ".resize(Resize.scale('auto'))",
  ".resize(Resize.scale('auto:50:400'))",
  ".resize(Resize.scale('auto:breakpoints'))",
  ".resize(Resize.fill('auto').aspectRatio('16:9'))",
  ".resize(Resize.scale(300).aspectRatio('16:9'))",
  ".resize(Resize.fit(300, 200))",
  ".resize(Resize.limitFit(300, 200))",
  ".resize(Resize.minimumFit(300, 200))",
  ".resize(Resize.fill(300, 200))",
  ".resize(Resize.fill(300).aspectRatio(1.5))",
  ".resize(Resize.fill(300).aspectRatio('1:1'))",
  ".resize(Resize.limitFill(300, 200))",
  ".resize(Resize.pad(300, 200))",
  ".resize(Resize.pad(300, 200).background(Background.color('red')))",
  ".resize(Resize.pad(300, 200).background(Background.color('#ff8800')))",
  ".resize(Resize.pad(300, 200).background(Background.auto()))",
  ".resize(Resize.limitPad(300, 200))",
  ".resize(Resize.minimumPad(300, 200))",
  ".resize(Resize.thumbnail(100, 100))",
  ".resize(Resize.thumbnail(100, 100).gravity(Gravity.focusOn('face')))",
  ".resize(Resize.crop(100, 80))",
  ".resize(Resize.crop(100, 80).x(10).y(20))",
  ".resize(Resize.crop(100, 80).gravity(Gravity.compass('north_west')).x(10).y(20))",
  ".resize(Resize.crop(100, 80).gravity('xy_center').x(110).y(120))",
  ".resize(Resize.crop(100, 80).gravity('xy_center').x(0.25).y(0.75))",
  ".resize(Resize.crop(100, 80).gravity(Gravity.autoGravity()))",
  ".resize(Resize.crop(100).aspectRatio('4:3'))",
  ".resize(Resize.crop(0.5, 0.5))",
  // gravity
  ...["center", "north", "north_east", "east", "south_east", "south", "south_west", "west", "north_west"].map(
    (place) => `.resize(Resize.fill(300, 200).gravity(Gravity.compass('${place}')))`,
  ),
  ".resize(Resize.fill(300, 200).gravity(Gravity.autoGravity()))",
  ".resize(Resize.fill(300, 200).gravity('auto:subject'))",
  ".resize(Resize.fill(300, 200).gravity('auto:faces'))",
  ".resize(Resize.fill(300, 200).gravity(Gravity.focusOn('faces')))",
  // turning
  ".rotate(Rotate.byAngle(90))",
  ".rotate(Rotate.byAngle(-20))",
  ".rotate(Rotate.byAngle(361))",
  ".rotate(Rotate.mode('hflip'))",
  ".rotate(Rotate.mode('vflip'))",
  ".rotate(Rotate.mode('auto_right'))",
  ".rotate(Rotate.mode('ignore'))",
  // quality, format, flags
  ".delivery(Delivery.quality(1))",
  ".delivery(Delivery.quality(100))",
  ".delivery(Delivery.quality(101))",
  ...["auto", "auto:best", "auto:good", "auto:eco", "auto:low", "auto:sensitive", "jpegmini"].map(
    (quality) => `.delivery(Delivery.quality('${quality}'))`,
  ),
  ".delivery(Delivery.quality(80).chromaSubSampling('chroma_444'))",
  ...["jpg", "png", "webp", "avif", "gif", "tiff", "bmp", "ico", "auto", "heic", "jp2", "svg", "pdf"].map(
    (format) => `.delivery(Delivery.format('${format}'))`,
  ),
  ".delivery(Delivery.format('jpg').progressive(Progressive.progressive()))",
  ".delivery(Delivery.format('jpg').progressive(Progressive.none()))",
  ".delivery(Delivery.format('jpg').progressive(Progressive.steep()))",
  ".delivery(Delivery.format('gif').lossy())",
  ".delivery(Delivery.format('png').preserveTransparency())",
  ".addFlag(Flag.progressive())",
  ".addFlag(Flag.lossy())",
  ".addFlag(Flag.keepIptc())",
  ".addFlag(Flag.keepAttribution())",
  ".addFlag(Flag.stripProfile())",
  ".addFlag(Flag.forceStrip())",
  ".addFlag(Flag.animatedWebP())",
  ".resize(Resize.scale(100)).delivery(Delivery.dpr(2))",
  ".resize(Resize.scale(100)).delivery(Delivery.dpr('1.5'))",
  ".resize(Resize.scale(100)).delivery(Delivery.dpr('auto'))",
  ".resize(Resize.scale('auto')).delivery(Delivery.dpr('auto'))",
  ".delivery(Delivery.dpr(2))",
  // effects
  ".effect(Effect.grayscale())",
  ".effect(Effect.negate())",
  ".effect(Effect.sepia())",
  ".effect(Effect.sepia(50))",
  ".effect(Effect.sepia(101))",
  ".effect(Effect.blur())",
  ".effect(Effect.blur(300))",
  ".effect(Effect.blur(2001))",
  ".effect(Effect.pixelate())",
  ".effect(Effect.pixelate(20))",
  ".effect(Effect.pixelate(257))",
  ".effect(Effect.vignette())",
  ".effect(Effect.vignette(60))",
  ".effect(Effect.colorize())",
  ".effect(Effect.colorize(50).color('#f80'))",
  ".effect(Effect.colorize(30).color('blue'))",
  ".effect(Effect.cartoonify())",
  ".effect(Effect.oilPaint(40))",
  ".effect(Effect.shadow())",
  ".effect(Effect.backgroundRemoval())",
  ".effect(Effect.artisticFilter('zorro'))",
  ".effect(Effect.blackwhite())",
  ".adjust(Adjust.sharpen())",
  ".adjust(Adjust.sharpen(400))",
  ".adjust(Adjust.brightness())",
  ".adjust(Adjust.brightness(-40))",
  ".adjust(Adjust.brightness(-100))",
  ".adjust(Adjust.contrast())",
  ".adjust(Adjust.contrast(50))",
  ".adjust(Adjust.contrast(50).functionType('linear'))",
  ".adjust(Adjust.saturation())",
  ".adjust(Adjust.saturation(-70))",
  ".adjust(Adjust.hue())",
  ".adjust(Adjust.hue(-50))",
  ".adjust(Adjust.gamma())",
  ".adjust(Adjust.gamma(50))",
  ".adjust(Adjust.gamma(-50))",
  ".adjust(Adjust.vibrance(20))",
  ".adjust(Adjust.improve())",
  ".adjust(Adjust.tint('50:red'))",
  ".adjust(Adjust.opacity(50))",
  ".reshape(Reshape.trim())",
  ".reshape(Reshape.trim().colorSimilarity(20))",
  ".reshape(Reshape.trim().colorSimilarity(20).colorOverride('red'))",
  // corners, borders, backgrounds
  ".roundCorners(RoundCorners.byRadius(20))",
  ".roundCorners(RoundCorners.max())",
  ".roundCorners(RoundCorners.byRadius(10, 20))",
  ".border(Border.solid(4, 'red'))",
  ".border(Border.solid(4, '#ff880080'))",
  ".border(Border.solid(4, 'red').roundCorners(RoundCorners.byRadius(20)))",
  ".border(Border.solid(1001, 'red'))",
  ".backgroundColor('white')",
  ".backgroundColor('lightblue')",
  ".backgroundColor('transparent')",
  // layers
  text("new TextStyle('Arial', 40)"),
  text("new TextStyle('Open Sans', 40).fontWeight('bold')"),
  text("new TextStyle('Roboto', 40).fontWeight('bold').fontStyle('italic')"),
  text("new TextStyle('Arial', 40).textDecoration('underline')"),
  text("new TextStyle('Arial', 40).letterSpacing(4)"),
  text("new TextStyle('Georgia', 40)"),
  text("new TextStyle('Arial', 40)", "'Hello, wörld/50% a_b: 日本'"),
  ".overlay(Overlay.source(Source.text('Hi', new TextStyle('Arial', 40)).textColor('#f80')).position(new Position().gravity(Gravity.compass('south_east')).offsetX(10).offsetY(20)))",
  ".overlay(Overlay.source(Source.text('Hi', new TextStyle('Arial', 40)).backgroundColor('red')))",
  ".overlay(Overlay.source(Source.text('Hi', new TextStyle('Arial', 40)).transformation(new Transformation().rotate(Rotate.byAngle(20)).adjust(Adjust.opacity(50)))))",
  image(""),
  image(".resize(Resize.scale(120))", ".gravity(Gravity.compass('north_west')).offsetX(5).offsetY(6)"),
  image(".resize(Resize.scale(0.3).relative())"),
  image(".resize(Resize.scale(0.3))"),
  image(".adjust(Adjust.opacity(40)).rotate(Rotate.byAngle(30))"),
  image("", ".tiled()"),
  image("", ".gravity(Gravity.autoGravity())"),
  image(".resize(Resize.fill(100, 100))"),
  image(".effect(Effect.sepia())"),
  ".overlay(Overlay.source(Source.image('folder/logo')))",
  ".overlay(Overlay.source(Source.fetch('https://example.com/a.png')))",
  ".overlay(Overlay.source(Source.video('dog')))",
  `.underlay(Overlay.source(Source.image('${ID}')))`,
  // names and chains
  ".namedTransformation(Named.name('avatar'))",
  ".resize(Resize.fill(300, 200)).effect(Effect.sepia(50)).delivery(Delivery.format('auto')).delivery(Delivery.quality('auto'))",
  ".effect(Effect.sepia(50)).resize(Resize.fill(300, 200)).roundCorners(RoundCorners.max())",
  ".addVariable(Variable.set('size', 100))",
];

const cloudinary = new Cloudinary({ cloud: { cloudName: "demo" }, url: { analytics: false } });
const rows = lines.map((code) => {
  const made = new Function("image", ...Object.keys(scope), `return image${code}`);
  const url = made(cloudinary.image("ID"), ...Object.values(scope)).toURL();
  return { code: code.slice(1), url: url.slice(url.indexOf("/upload/") + 8, -"/ID".length) };
});
writeFileSync(new URL("urls.json", import.meta.url), JSON.stringify(rows, null, 1) + "\n");
