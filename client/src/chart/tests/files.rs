//! What is in the files of each kind of picture: the shapes that the figures ask for, in SVG and as pixels.

use tiny_skia::Pixmap;

use super::{answer, draw, text};
use crate::chart::Medium;
use crate::chart::picture::{CLASSES, Colour};
use crate::cli::Chart;

type Points = Vec<(f64, f64)>;

/// The points of all elements of a kind in a colour.
fn shapes(svg: &str, element: &str, colour: Colour) -> Vec<Points> {
    let [red, green, blue] = colour.rgb();
    let colour = format!("\"#{red:02x}{green:02x}{blue:02x}\"");
    let lines = svg.lines().filter(|line| line.starts_with(&format!("<{element} ")));
    let points = |line: &str| {
        let places = line.split("points=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let place = |place: &str| {
            let (x, y) = place.split_once(',').unwrap();
            (x.parse().unwrap(), y.parse().unwrap())
        };
        places.split(' ').map(place).collect()
    };
    lines.filter(|line| line.contains(&colour)).map(points).collect()
}

fn width(points: &Points) -> f64 {
    let xs = || points.iter().map(|(x, _)| *x);
    xs().fold(f64::MIN, f64::max) - xs().fold(f64::MAX, f64::min)
}

/// All texts of a picture, in order.
fn texts(svg: &str) -> Vec<&str> {
    let lines = svg.lines().filter_map(|line| line.strip_prefix("<text ")?.strip_suffix("</text>"));
    lines.filter_map(|line| line.split_once('>')).map(|(_, text)| text).collect()
}

fn pixels(chart: Chart, batch: &arrow::array::RecordBatch) -> Pixmap {
    Pixmap::decode_png(&draw(chart, Medium::Png, batch).unwrap()).unwrap()
}

/// How many pixels have exactly this colour.
fn count(pixels: &Pixmap, colour: Colour) -> usize {
    let wanted = colour.rgb();
    let of = |pixel: &tiny_skia::PremultipliedColorU8| [pixel.red(), pixel.green(), pixel.blue()];
    pixels.pixels().iter().filter(|pixel| of(pixel) == wanted).count()
}

#[test]
fn a_file_of_bars_has_a_bar_as_long_as_each_figure() {
    let batch = answer(&["camden", "barnet", "city"], &[Some(400), Some(100), None]);
    let svg = text(Chart::Bar, Medium::Svg, &batch);
    let bars = shapes(&svg, "polygon", Colour::Series(0));
    assert_eq!(bars.len(), 2, "what is withheld has no bar: {svg}");
    assert!((width(&bars[0]) / width(&bars[1]) - 4.0).abs() < 0.01, "{bars:?}");
    let texts = texts(&svg);
    for wanted in ["people by node", "camden", "400", "barnet", "100", "city", "[c]"] {
        assert!(texts.contains(&wanted), "{wanted}: {texts:?}");
    }
    // At twice the size; the edges are half in half.
    let area = bars.iter().map(|bar| width(bar) * 18.0 * 4.0).sum::<f64>();
    let drawn = count(&pixels(Chart::Bar, &batch), Colour::Series(0));
    let drawn = f64::from(u32::try_from(drawn).unwrap());
    assert!((drawn / area - 1.0).abs() < 0.03, "{drawn} of {area}");
}

#[test]
fn a_file_of_lines_has_a_line_for_each_run_of_figures() {
    let batch = answer(&["a", "b", "c", "d", "e"], &[Some(0), Some(50), None, Some(100), Some(100)]);
    let svg = text(Chart::Line, Medium::Svg, &batch);
    let lines = shapes(&svg, "polyline", Colour::Series(0));
    // The first is the key beside the name.
    let [_, before, after] = lines.as_slice() else { panic!("two runs and a key: {lines:?}\n{svg}") };
    assert_eq!((before.len(), after.len()), (2, 2));
    assert!(before[1].1 < before[0].1, "50 is above 0: {before:?}");
    assert!((after[0].1 - after[1].1).abs() < 0.1, "100 is level with 100: {after:?}");
    assert!(((before[0].1 - after[0].1) - 2.0 * (before[0].1 - before[1].1)).abs() < 0.5, "{lines:?}");
    let steps = [before[1].0 - before[0].0, after[1].0 - after[0].0, (after[0].0 - before[1].0) / 2.0];
    assert!(steps.iter().all(|step| (step - steps[0]).abs() < 0.2), "labels stand evenly: {steps:?}");
    let texts = texts(&svg);
    for wanted in ["people", "node", "a", "e", "0", "100", "[c] 1 figure withheld: the line is broken there"]
    {
        assert!(texts.contains(&wanted), "{wanted}: {texts:?}");
    }
    let pixels = pixels(Chart::Line, &batch);
    assert_eq!((pixels.width(), pixels.height()), (1720, 940));
    assert!(count(&pixels, Colour::Series(0)) > 1000, "the line is drawn");
    let empty = answer(&["a", "b"], &[None, None]);
    let without = count(&self::pixels(Chart::Line, &empty), Colour::Series(0));
    assert!(without < 400, "only the key is drawn where all is withheld: {without}");
}

#[test]
fn a_file_of_the_map_shades_boroughs_by_their_figures() {
    let batch =
        answer(&["camden", "barnet", "hackney", "lantern-trust"], &[Some(1200), Some(0), None, Some(35)]);
    let svg = text(Chart::Map, Medium::Svg, &batch);
    let hexagons =
        |colour| shapes(&svg, "polygon", colour).into_iter().filter(|points| points.len() == 6).count();
    let classes: Vec<usize> = (0..CLASSES).map(|class| hexagons(Colour::Class(class))).collect();
    assert_eq!(classes, [1, 0, 0, 0, 1], "Barnet in the lightest shade and Camden in the darkest");
    assert_eq!(hexagons(Colour::Paper), 31, "Hackney, withheld, and thirty that are not in the answer");
    let hatches = shapes(&svg, "polyline", Colour::Withheld).len();
    assert!(hatches > 10, "Hackney and the key are hatched: {hatches}");
    let texts = texts(&svg);
    assert_eq!(texts.iter().filter(|text| **text == "–").count(), 30);
    for wanted in [
        "people",
        "Cam",
        "1200",
        "Bnt",
        "0",
        "Hac",
        "[c]",
        "[c] withheld",
        "not on the map: lantern-trust 35",
    ] {
        assert!(texts.contains(&wanted), "{wanted}: {texts:?}");
    }
    let pixels = pixels(Chart::Map, &batch);
    let (dark, light) = (count(&pixels, Colour::Class(CLASSES - 1)), count(&pixels, Colour::Class(0)));
    // A hexagon of about 38 by 45 and the key's square of 18, at twice the size, less the letters.
    for area in [dark, light] {
        assert!((16_000..23_000).contains(&area), "one borough in this shade: {area}");
    }
    assert!(count(&pixels, Colour::Withheld) > 1000, "hatches and outlines are drawn");
}
