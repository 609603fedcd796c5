//! What it takes to draw a drawing, found out beforehand: resvg can't be stopped in the middle, and a few lines are enough to keep
//! it busy for hours. Its own walk is followed, with nothing drawn.

use resvg::{
    tiny_skia::{Point, Rect, Transform},
    usvg::{
        ClipPath, Group, Mask, Node, Paint, Path, Pattern,
        filter::{Filter, Kind},
    },
};

/// The most nanoseconds, as they were measured with resvg 0.48 as it comes for Python, on one core of a Zen 4.
const MOST: f64 = 20e9;
/// Nanoseconds for a pixel: of one colour, of one that lets others show through, of a gradient, a pattern or a picture; of a layer
/// that is made and laid on another; of a picture that is decoded.
const PAINTED: f64 = 1.0;
const BLENDED: f64 = 30.0;
const SHADED: f64 = 80.0;
const LAYERED: f64 = 70.0;
const DECODED: f64 = 50.0;
/// For any node, for a point of its outline, for a dash, for a row that an edge crosses, and for two edges that may cross.
const NODE: f64 = 20_000.0;
const POINT: f64 = 4_000.0;
const DASH: f64 = 500.0;
const EDGE: f64 = 180.0;
const CROSSING: f64 = 60.0;
/// Of one path there are no more dashes.
const MOST_DASHES: f64 = 1e6;
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

/// Whether all of `root` is drawn in so little time, and with layers of at most `most_bytes` together.
pub(super) fn check(
    root: &Group,
    transform: Transform,
    size: (u32, u32),
    most_bytes: f64,
) -> Result<(), TooMuch> {
    #[allow(clippy::cast_precision_loss)] // Sides of at most some ten thousand.
    let canvas = Rect::from_xywh(0.0, 0.0, size.0 as f32, size.1 as f32).ok_or(TooMuch::Work)?;
    Walk { time: 0.0, canvas, most_bytes }.nodes(root, transform, canvas, 0.0)
}

struct Walk {
    /// Nanoseconds so far.
    time: f64,
    /// What is drawn on in the end, or the tile of a pattern.
    canvas: Rect,
    most_bytes: f64,
}

type Checked = Result<(), TooMuch>;

impl Walk {
    fn spend(&mut self, time: f64) -> Checked {
        self.time += time;
        // This way round what is not a number is too much.
        if self.time <= MOST { Ok(()) } else { Err(TooMuch::Work) }
    }

    /// Another picture of `area` pixels beside those that hold `bytes`; gives what all of them hold.
    fn hold(&self, area: f64, bytes: f64) -> Result<f64, TooMuch> {
        let bytes = bytes + area * 4.0;
        if bytes <= self.most_bytes { Ok(bytes) } else { Err(TooMuch::Memory(bytes)) }
    }

    /// The same of a layer, which is laid on what is beneath.
    fn layer(&mut self, area: f64, bytes: f64) -> Result<f64, TooMuch> {
        self.spend(area * LAYERED)?;
        self.hold(area, bytes)
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
                    self.hold(pixels, bytes)?;
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
        let bytes = self.layer(area(Some(layer)), bytes)?;
        self.nodes(clip.root(), transform.pre_concat(clip.transform()), layer, bytes)?;
        clip.clip_path().map_or(Ok(()), |clip| self.clip_path(clip, transform, layer, bytes))
    }

    fn mask(&mut self, mask: &Mask, transform: Transform, layer: Rect, bytes: f64) -> Checked {
        let bytes = self.layer(area(Some(layer)), bytes)?;
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
            self.paint(fill.paint(), fill.opacity().get() < 1.0, drawn, transform, bytes)?;
        }
        if let Some(stroke) = path.stroke() {
            let drawn = covered(path.stroke_bounding_box(), transform, clip);
            // Two lines for one, and what joins them.
            self.outline(path, transform, clip, 4.0)?;
            if let Some(dashes) = stroke.dasharray() {
                let pattern = f64::from(dashes.iter().sum::<f32>());
                self.spend((length(path) / pattern).min(MOST_DASHES) * DASH)?;
            }
            self.paint(stroke.paint(), stroke.opacity().get() < 1.0, drawn, transform, bytes)?;
        }
        Ok(())
    }

    fn paint(
        &mut self,
        paint: &Paint,
        is_translucent: bool,
        drawn: Option<Rect>,
        transform: Transform,
        bytes: f64,
    ) -> Checked {
        match paint {
            Paint::Color(_) if is_translucent => self.spend(area(drawn) * BLENDED),
            Paint::Color(_) => self.spend(area(drawn) * PAINTED),
            Paint::LinearGradient(_) | Paint::RadialGradient(_) => self.spend(area(drawn) * SHADED),
            Paint::Pattern(pattern) => {
                self.spend(area(drawn) * SHADED)?;
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
        self.spend((rows * EDGE + beside * beside * CROSSING) * times)
    }

    /// Each part of a filter makes a picture of the filter's region, and all of them are kept to its end.
    fn filter(&mut self, filter: &Filter, transform: Transform, bytes: f64) -> Checked {
        let Some(region) = filter.rect().to_rect().transform(transform) else { return Ok(()) };
        let pixels = area(Some(region));
        let (across, down) = transform.get_scale();
        let mut bytes = self.hold(pixels, bytes)?;
        for primitive in filter.primitives() {
            bytes = self.hold(pixels, bytes)?;
            let time = match primitive.kind() {
                Kind::GaussianBlur(_) | Kind::DropShadow(_) => 450.0,
                Kind::Morphology(shape) => {
                    let side = |radius: f32, most: f32| f64::from((radius.ceil() * 2.0).min(most));
                    side(shape.radius_x().get() * across, region.width())
                        * side(shape.radius_y().get() * down, region.height())
                        * 8.0
                }
                Kind::ConvolveMatrix(matrix) => {
                    let matrix = matrix.matrix();
                    f64::from(matrix.columns()) * f64::from(matrix.rows()) * 12.0
                }
                Kind::Turbulence(noise) => f64::from(noise.num_octaves()) * 170.0,
                Kind::Blend(_) | Kind::ComponentTransfer(_) => 250.0,
                Kind::Merge(merge) => {
                    let inputs = u32::try_from(merge.inputs().len()).unwrap_or(u32::MAX);
                    f64::from(inputs) * 90.0
                }
                Kind::Image(image) => {
                    // Where in the region its nodes come to lie makes no difference here.
                    let anywhere = Rect::from_ltrb(-ANYWHERE, -ANYWHERE, ANYWHERE, ANYWHERE);
                    let scale = Transform::from_scale(across, down);
                    self.nodes(image.root(), scale, anywhere.unwrap_or(region), bytes)?;
                    0.0
                }
                _ => 120.0,
            };
            // Into the primitive's colours, and back.
            self.spend(pixels * (time + 50.0))?;
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

/// About how long the outline of a path is.
fn length(path: &Path) -> f64 {
    let pairs = path.data().points().windows(2);
    let sides = pairs.map(|pair| match pair {
        [from, to] => f64::from((to.x - from.x).hypot(to.y - from.y)),
        _ => 0.0,
    });
    sides.sum()
}

fn area(rect: Option<Rect>) -> f64 {
    rect.map_or(0.0, |rect| f64::from(rect.width()) * f64::from(rect.height()))
}
