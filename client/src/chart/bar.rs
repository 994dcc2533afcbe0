//! Bars, each beginning at zero.

use unicode_width::UnicodeWidthStr as _;

use super::Screen;
use super::data::{Data, Figure, Series};
use super::picture::{Align, Colour, Picture, Shape};
use super::scale::{Scale, number, whole};
use crate::failure::Failure;

/// Pixels of a bar with its gap, left of the bars, and of the longest bar.
const LINE: f64 = 22.0;
const LEFT: f64 = 230.0;
const ROOM: f64 = 520.0;

/// Most bars in a file: more would be no picture.
const MOST: usize = 200;

const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// A block of bars for each series.
pub(super) fn screen(data: &Data, screen: Screen) -> String {
    let labels: Vec<String> = (0..data.rows).map(|row| cut(&data.label(row), screen.width * 2 / 5)).collect();
    let label_width = labels.iter().map(|label| label.width()).max().unwrap_or(0);
    let mut text = String::new();
    for series in &data.series {
        let heading = format!("{} by {}\n", series.name, data.label_name());
        text.push_str(&cut(&heading, screen.width + 1));
        let value_width = series.figures.iter().map(|figure| figure.text().width()).max().unwrap_or(0);
        let room = screen.width.saturating_sub(label_width + value_width + 3).max(5);
        let (low, high) = series.range().unwrap_or((0.0, 0.0));
        let (low, high) = (low.min(0.0), high.max(0.0));
        for (label, figure) in labels.iter().zip(&series.figures) {
            let gap = " ".repeat(label_width - label.width());
            let bar = bar(figure, low, high, room, screen);
            text.extend([label, gap.as_str(), " ", bar.as_str(), "\n"]);
        }
    }
    text
}

/// One bar with its figure behind it. Bars below zero end where those above it begin.
fn bar(figure: &Figure, low: f64, high: f64, room: usize, screen: Screen) -> String {
    let axis = if screen.blocks { "│" } else { "|" };
    let Some(size) = figure.size() else {
        let before = whole(number(room) * -low / (high - low).max(f64::MIN_POSITIVE));
        return format!("{}{axis} {}", " ".repeat(before), figure.text());
    };
    let span = (high - low).max(f64::MIN_POSITIVE);
    let below = whole(number(room) * -low / span);
    let colour = |bar: String| {
        if screen.colour && !bar.is_empty() { format!("\x1b[36m{bar}\x1b[0m") } else { bar }
    };
    let full = if screen.blocks { "█" } else { "#" };
    if size < 0.0 {
        let cells = whole(number(room) * -size / span).min(below);
        let bar = colour(full.repeat(cells));
        return format!("{}{bar}{axis} {}", " ".repeat(below - cells), figure.text());
    }
    let eighths = whole(number(room) * 8.0 * size / span);
    let bar = if screen.blocks {
        format!("{}{}", full.repeat(eighths / 8), EIGHTHS.get(eighths % 8).unwrap_or(&""))
    } else {
        full.repeat((eighths + 4) / 8)
    };
    format!("{}{axis}{} {}", " ".repeat(below), colour(bar), figure.text())
}

/// Text that is no wider than `room`.
pub(super) fn cut(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let mut cut = String::new();
    for c in text.chars() {
        if cut.width() + 2 > room {
            break;
        }
        cut.push(c);
    }
    cut.push('~');
    cut
}

/// Bars from left to right under one another, a block for each series.
pub(super) fn picture(data: &Data) -> Result<Picture, Failure> {
    if data.rows > MOST {
        return Err(Failure::usage(format!("a picture of more than {MOST} bars shows nothing: use LIMIT")));
    }
    let block = number(data.rows) * LINE + 80.0;
    let mut picture = Picture::new(860.0, block * number(data.series.len()) + 20.0);
    for (index, series) in data.series.iter().enumerate() {
        let top = block * number(index) + 34.0;
        let title = format!("{} by {}", series.name, data.label_name());
        picture.text(20.0, top, 16.0, Align::Start, title);
        let scale = scale(series);
        let bottom = top + 16.0 + LINE * number(data.rows);
        for mark in scale.marks() {
            let x = LEFT + ROOM * scale.share(mark);
            picture.push(Shape::Line { points: vec![(x, top + 12.0), (x, bottom)], colour: Colour::Rule });
            picture.text(x, bottom + 16.0, 11.0, Align::Middle, super::scale::short(mark));
        }
        for (row, figure) in series.figures.iter().enumerate() {
            let y = top + 16.0 + LINE * number(row);
            picture.text(LEFT - 8.0, y + 14.0, 12.0, Align::End, cut(&data.label(row), 32));
            let zero = LEFT + ROOM * scale.share(0.0);
            let end = figure.size().map_or(zero, |size| LEFT + ROOM * scale.share(size));
            if figure.size().is_some() {
                let points =
                    vec![(zero, y + 2.0), (end, y + 2.0), (end, y + LINE - 2.0), (zero, y + LINE - 2.0)];
                picture.push(Shape::Area { points, fill: Colour::Series(index), outline: false });
            }
            picture.text(end.max(zero) + 6.0, y + 14.0, 12.0, Align::Start, figure.text().to_owned());
        }
    }
    Ok(picture)
}

fn scale(series: &Series) -> Scale {
    let (low, high) = series.range().unwrap_or((0.0, 1.0));
    Scale::from_zero(low, high, 6.0)
}
