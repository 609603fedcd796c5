//! What it takes to draw a drawing, found out beforehand: resvg can't be stopped in the middle, and a few lines are enough to keep
//! it busy for hours. Its own walk is followed, with nothing drawn.

use resvg::{
    tiny_skia::{Point, Rect, Transform},
    usvg::{
        ClipPath, Group, Mask, Node, Paint, Path, Pattern,
        filter::{Filter, Kind},
    },
};

/// The most steps, each about as long as painting a pixel in one colour: some seconds.
const MOST: f64 = 10e9;
/// Steps for a pixel of a gradient or of a picture, of a pattern, and of a layer that is laid on another.
const SHADED: f64 = 10.0;
const PATTERNED: f64 = 60.0;
const LAYERED: f64 = 8.0;
/// Steps to decode a pixel of a picture.
const DECODED: f64 = 50.0;
/// Steps of any node, of a point of its outline, and of a row that an edge of it crosses.
const NODE: f64 = 2_000.0;
const POINT: f64 = 200.0;
const EDGE: f64 = 20.0;
/// Layers and regions of filters reach over the edges of what is drawn, by so many times its size on each side.
const BEYOND: f32 = 2.0;
/// Farther than anything is drawn.
const ANYWHERE: f32 = 1e5;

/// Why a drawing is refused.
#[derive(Debug, PartialEq)]
pub(super) enum TooMuch {
    /// Drawing it would take too long.
    Work,
    /// So many bytes of layers.
    Memory(f64),
}

/// Whether all of `root` is drawn with so few steps, and with layers of at most `most_bytes` at a time.
pub(super) fn check(
    root: &Group,
    transform: Transform,
    size: (u32, u32),
    most_bytes: f64,
) -> Result<(), TooMuch> {
    #[allow(clippy::cast_precision_loss)] // Sides of at most some ten thousand.
    let canvas = Rect::from_xywh(0.0, 0.0, size.0 as f32, size.1 as f32).ok_or(TooMuch::Work)?;
    Walk { steps: 0.0, canvas, most_bytes }.nodes(root, transform, canvas, 0.0)
}

struct Walk {
    steps: f64,
    /// What is drawn on in the end, or the tile of a pattern.
    canvas: Rect,
    most_bytes: f64,
}

type Checked = Result<(), TooMuch>;

impl Walk {
    fn spend(&mut self, steps: f64) -> Checked {
        self.steps += steps;
        if self.steps > MOST { Err(TooMuch::Work) } else { Ok(()) }
    }

    /// Another layer of `area` pixels on those that hold `bytes`; gives what all of them hold.
    fn layer(&mut self, area: f64, bytes: f64) -> Result<f64, TooMuch> {
        self.spend(area * LAYERED)?;
        let bytes = bytes + area * 4.0;
        if bytes > self.most_bytes { Err(TooMuch::Memory(bytes)) } else { Ok(bytes) }
    }

    /// `clip` is what can be drawn on, `bytes` what the layers beneath hold.
    fn nodes(&mut self, parent: &Group, transform: Transform, clip: Rect, bytes: f64) -> Checked {
        for node in parent.children() {
            self.spend(NODE)?;
            match node {
                Node::Group(group) => self.group(group, transform, clip, bytes)?,
                Node::Text(text) => self.group(text.flattened(), transform, clip, bytes)?,
                Node::Path(path) => self.path(path, transform, clip, bytes)?,
                Node::Image(image) => {
                    let size = image.size();
                    let pixels = f64::from(size.width()) * f64::from(size.height());
                    self.layer(pixels, bytes)?;
                    let drawn = covered(image.bounding_box(), transform, clip);
                    self.spend(pixels * DECODED + area(drawn) * SHADED)?;
                }
            }
        }
        Ok(())
    }

    fn group(&mut self, group: &Group, transform: Transform, clip: Rect, bytes: f64) -> Checked {
        let transform = transform.pre_concat(group.transform());
        if !group.should_isolate() {
            return self.nodes(group, transform, clip, bytes);
        }
        let Some(layer) = covered(group.layer_bounding_box().to_rect(), transform, self.beyond())
        else {
            return Ok(());
        };
        let bytes = self.layer(area(Some(layer)), bytes)?;
        self.nodes(group, transform, layer, bytes)?;
        for filter in group.filters() {
            self.filter(filter, transform, bytes)?;
        }
        if let Some(clip_path) = group.clip_path() {
            self.clip_path(clip_path, transform, layer, bytes)?;
        }
        if let Some(mask) = group.mask() {
            self.mask(mask, transform, layer, bytes)?;
        }
        Ok(())
    }

    fn clip_path(
        &mut self,
        clip: &ClipPath,
        transform: Transform,
        layer: Rect,
        bytes: f64,
    ) -> Checked {
        let bytes = self.layer(area(Some(layer)) * 2.0, bytes)?;
        self.nodes(clip.root(), transform.pre_concat(clip.transform()), layer, bytes)?;
        clip.clip_path().map_or(Ok(()), |clip| self.clip_path(clip, transform, layer, bytes))
    }

    fn mask(&mut self, mask: &Mask, transform: Transform, layer: Rect, bytes: f64) -> Checked {
        let bytes = self.layer(area(Some(layer)) * 2.0, bytes)?;
        self.nodes(mask.root(), transform, layer, bytes)?;
        mask.mask().map_or(Ok(()), |mask| self.mask(mask, transform, layer, bytes))
    }

    fn path(&mut self, path: &Path, transform: Transform, clip: Rect, bytes: f64) -> Checked {
        if !path.is_visible() {
            return Ok(());
        }
        if let Some(fill) = path.fill() {
            let drawn = covered(path.bounding_box(), transform, clip);
            self.outline(path, transform, clip, 1.0)?;
            self.paint(fill.paint(), drawn, transform, bytes)?;
        }
        if let Some(stroke) = path.stroke() {
            let drawn = covered(path.stroke_bounding_box(), transform, clip);
            // Two lines for one, and what joins them.
            self.outline(path, transform, clip, 4.0)?;
            self.paint(stroke.paint(), drawn, transform, bytes)?;
        }
        Ok(())
    }

    fn paint(
        &mut self,
        paint: &Paint,
        drawn: Option<Rect>,
        transform: Transform,
        bytes: f64,
    ) -> Checked {
        match paint {
            Paint::Color(_) => self.spend(area(drawn)),
            Paint::LinearGradient(_) | Paint::RadialGradient(_) => self.spend(area(drawn) * SHADED),
            Paint::Pattern(pattern) => {
                self.spend(area(drawn) * PATTERNED)?;
                self.pattern(pattern, transform, bytes)
            }
        }
    }

    /// One tile, however much of it is seen.
    fn pattern(&mut self, pattern: &Pattern, transform: Transform, bytes: f64) -> Checked {
        let (across, down) = transform.pre_concat(pattern.transform()).get_scale();
        let rect = pattern.rect();
        let tile = Rect::from_xywh(0.0, 0.0, rect.width() * across, rect.height() * down);
        let Some(tile) = tile else { return Ok(()) };
        let bytes = self.layer(area(Some(tile)), bytes)?;
        let canvas = std::mem::replace(&mut self.canvas, tile);
        self.nodes(pattern.root(), Transform::from_scale(across, down), tile, bytes)?;
        self.canvas = canvas;
        Ok(())
    }

    /// The edges of a path: each is gone along row by row, past those that it crosses.
    fn outline(&mut self, path: &Path, transform: Transform, clip: Rect, times: f64) -> Checked {
        let points = path.data().points();
        #[allow(clippy::cast_precision_loss)] // Files of a few megabytes.
        self.spend(points.len() as f64 * POINT * times)?;
        let down = |point: &Point| f64::from(transform.ky * point.x + transform.sy * point.y);
        let most = f64::from(clip.height());
        let rows: f64 = points
            .windows(2)
            .map(|pair| match pair {
                [from, to] => (down(to) - down(from)).abs().min(most),
                _ => 0.0,
            })
            .sum();
        // As many edges as are met in a row, were all of them as long as the path is high.
        let high = covered(path.bounding_box(), transform, clip).map_or(0.0, |rect| rect.height());
        let beside = rows / f64::from(high).max(1.0);
        self.spend((rows * EDGE + beside * beside) * times)
    }

    /// Each part of a filter makes a picture of the filter's region, and all of them are kept to its end.
    fn filter(&mut self, filter: &Filter, transform: Transform, bytes: f64) -> Checked {
        let Some(region) = filter.rect().to_rect().transform(transform) else { return Ok(()) };
        let pixels = area(Some(region));
        let (across, down) = transform.get_scale();
        let mut bytes = self.layer(pixels, bytes)?;
        for primitive in filter.primitives() {
            bytes = self.layer(pixels, bytes)?;
            let steps = match primitive.kind() {
                Kind::GaussianBlur(_) | Kind::DropShadow(_) => 300.0,
                Kind::Morphology(shape) => {
                    let side = |radius: f32, most: f32| f64::from((radius.ceil() * 2.0).min(most));
                    side(shape.radius_x().get() * across, region.width())
                        * side(shape.radius_y().get() * down, region.height())
                        * 10.0
                }
                Kind::ConvolveMatrix(matrix) => {
                    let matrix = matrix.matrix();
                    f64::from(matrix.columns()) * f64::from(matrix.rows()) * 20.0
                }
                Kind::Turbulence(noise) => f64::from(noise.num_octaves()) * 200.0,
                Kind::DiffuseLighting(_)
                | Kind::SpecularLighting(_)
                | Kind::ComponentTransfer(_) => 200.0,
                Kind::Merge(merge) => {
                    let inputs = u32::try_from(merge.inputs().len()).unwrap_or(u32::MAX);
                    f64::from(inputs) * 50.0
                }
                Kind::Image(image) => {
                    // Where in the region its nodes come to lie makes no difference here.
                    let anywhere = Rect::from_ltrb(-ANYWHERE, -ANYWHERE, ANYWHERE, ANYWHERE);
                    let scale = Transform::from_scale(across, down);
                    self.nodes(image.root(), scale, anywhere.unwrap_or(region), bytes)?;
                    0.0
                }
                _ => 50.0,
            };
            // Into the primitive's colours, and back.
            self.spend(pixels * (steps + 50.0))?;
        }
        Ok(())
    }

    /// As far as layers reach.
    fn beyond(&self) -> Rect {
        let (width, height) = (self.canvas.width(), self.canvas.height());
        let times = 2.0 * BEYOND + 1.0;
        Rect::from_xywh(-BEYOND * width, -BEYOND * height, times * width, times * height)
            .unwrap_or(self.canvas)
    }
}

/// What of `rect` is drawn in `clip`, rounded outwards.
fn covered(rect: Rect, transform: Transform, clip: Rect) -> Option<Rect> {
    let rect = rect.transform(transform)?;
    Rect::from_ltrb(
        rect.left().floor().max(clip.left()),
        rect.top().floor().max(clip.top()),
        (rect.right().ceil() + 1.0).min(clip.right()),
        (rect.bottom().ceil() + 1.0).min(clip.bottom()),
    )
}

fn area(rect: Option<Rect>) -> f64 {
    rect.map_or(0.0, |rect| f64::from(rect.width()) * f64::from(rect.height()))
}
