//! A picture as PNG: the same shapes, drawn here, at twice the size for sharp text.

use tiny_skia::{Color, FillRule, Paint, Path, PathBuilder, Pixmap, Stroke, Transform};
use ttf_parser::{Face, OutlineBuilder};

use super::picture::{Align, Colour, Picture, Shape};
use super::scale::whole;
use crate::failure::Failure;

/// Pixels of the file for one of the picture.
const ZOOM: f64 = 2.0;

/// The whole file.
pub(super) fn encode(picture: &Picture) -> Result<Vec<u8>, Failure> {
    let too_large = || Failure::failed("the picture is too large for PNG: write SVG, or use LIMIT");
    let side = |length: f64| u32::try_from(whole(length * ZOOM)).map_err(|_| too_large());
    let mut pixels = Pixmap::new(side(picture.width)?, side(picture.height)?).ok_or_else(too_large)?;
    let [red, green, blue] = Colour::Paper.rgb();
    pixels.fill(Color::from_rgba8(red, green, blue, 255));
    let face = Face::parse(dejavu::sans::regular(), 0)
        .map_err(|_| Failure::failed("the built-in font cannot be read: write SVG"))?;
    for shape in &picture.shapes {
        draw(shape, &face, &mut pixels);
    }
    pixels.encode_png().map_err(|_| too_large())
}

fn draw(shape: &Shape, face: &Face<'_>, pixels: &mut Pixmap) {
    match shape {
        Shape::Area { points, fill, outline } => {
            let Some(path) = path(points, true) else { return };
            pixels.fill_path(&path, &paint(*fill), FillRule::Winding, Transform::identity(), None);
            if *outline {
                stroke(&path, Colour::Withheld, 1.0, pixels);
            }
        }
        Shape::Line { points, colour } => {
            let width = if matches!(colour, Colour::Series(_)) { 2.0 } else { 1.0 };
            if let Some(path) = path(points, false) {
                stroke(&path, *colour, width, pixels);
            }
        }
        Shape::Text { x, y, size, align, colour, text } => {
            let scale = size * ZOOM / f64::from(face.units_per_em());
            let glyphs: Vec<_> = text.chars().map(|c| face.glyph_index(c).unwrap_or_default()).collect();
            let advance = |glyph| f64::from(face.glyph_hor_advance(glyph).unwrap_or(0)) * scale;
            let length: f64 = glyphs.iter().map(|glyph| advance(*glyph)).sum();
            let mut x = x * ZOOM
                - match align {
                    Align::Start => 0.0,
                    Align::Middle => length / 2.0,
                    Align::End => length,
                };
            for glyph in glyphs {
                let mut outline = Outline { path: PathBuilder::new(), x, y: y * ZOOM, scale };
                if face.outline_glyph(glyph, &mut outline).is_some()
                    && let Some(path) = outline.path.finish()
                {
                    pixels.fill_path(&path, &paint(*colour), FillRule::Winding, Transform::identity(), None);
                }
                x += advance(glyph);
            }
        }
    }
}

fn stroke(path: &Path, colour: Colour, width: f64, pixels: &mut Pixmap) {
    let stroke = Stroke { width: single(width * ZOOM), ..Stroke::default() };
    pixels.stroke_path(path, &paint(colour), &stroke, Transform::identity(), None);
}

fn paint(colour: Colour) -> Paint<'static> {
    let [red, green, blue] = colour.rgb();
    let mut paint = Paint::default();
    paint.set_color_rgba8(red, green, blue, 255);
    paint
}

fn path(points: &[(f64, f64)], closed: bool) -> Option<Path> {
    let mut path = PathBuilder::new();
    for (index, (x, y)) in points.iter().enumerate() {
        let (x, y) = (single(x * ZOOM), single(y * ZOOM));
        if index == 0 { path.move_to(x, y) } else { path.line_to(x, y) }
    }
    if closed {
        path.close();
    }
    path.finish()
}

/// A glyph's outline at its place; fonts count upwards.
struct Outline {
    path: PathBuilder,
    x: f64,
    y: f64,
    scale: f64,
}

impl Outline {
    fn place(&self, x: f32, y: f32) -> (f32, f32) {
        (single(self.x + f64::from(x) * self.scale), single(self.y - f64::from(y) * self.scale))
    }
}

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.place(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.place(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.place(x1, y1), self.place(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.place(x1, y1), self.place(x2, y2), self.place(x, y));
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

#[expect(clippy::cast_possible_truncation, reason = "places of pixels")]
fn single(value: f64) -> f32 {
    value as f32
}
