//! The boroughs of London, one tile each, shaded by a figure.

use unicode_width::UnicodeWidthStr as _;

use super::Screen;
use super::bar::cut;
use super::data::{Data, Figure, Series};
use super::london::{BOROUGHS, Borough, HALVES, ROWS, find};
use super::picture::{Align, CLASSES, Colour, Picture, Shape};
use super::scale::{number, short, whole};
use crate::failure::Failure;

/// Shades without colours, from low to high.
const BLOCKS: [&str; CLASSES] = ["·", "░", "▒", "▓", "█"];
const ASCII: [&str; CLASSES] = [".", ":", "+", "%", "@"];

/// Shades among the 256 colours, each with one for text on it.
const SHADES: [(u8, u8); CLASSES] = [(195, 16), (153, 16), (75, 16), (32, 231), (25, 231)];

/// A figure for each borough, and what is none.
struct Placed<'d> {
    series: &'d Series,
    tiles: Vec<Option<&'d Figure>>,
    elsewhere: Vec<String>,
    range: (f64, f64),
}

impl Placed<'_> {
    fn class(&self, size: f64) -> usize {
        let (low, high) = self.range;
        if high > low {
            whole(((size - low) / (high - low) * number(CLASSES)).floor()).min(CLASSES - 1)
        } else {
            CLASSES / 2
        }
    }

    /// From where to where a class goes.
    fn bounds(&self, class: usize) -> (f64, f64) {
        let (low, high) = self.range;
        let step = (high - low) / number(CLASSES);
        (low + step * number(class), low + step * number(class + 1))
    }
}

/// Finds the borough of each row, by the first column that names any.
fn place(data: &Data) -> Result<Placed<'_>, Failure> {
    let names_some = |texts: &[String]| texts.iter().any(|text| find(text).is_some());
    let column = data.labels.iter().find(|labels| names_some(&labels.texts));
    let (Some(column), Some(series)) = (column, data.series.first()) else {
        return Err(Failure::usage(
            "a map needs a column with boroughs of London, by name or by code (E09000001 …)",
        ));
    };
    let mut tiles: Vec<Option<&Figure>> = BOROUGHS.iter().map(|_| None).collect();
    let (mut elsewhere, mut sizes) = (Vec::new(), Vec::new());
    for (row, (text, figure)) in column.texts.iter().zip(&series.figures).enumerate() {
        match find(text).and_then(|index| Some((tiles.get_mut(index)?, BOROUGHS.get(index)?))) {
            None => elsewhere.push(format!("{} {}", data.label(row), figure.text())),
            Some((tile @ None, _)) => {
                *tile = Some(figure);
                sizes.extend(figure.size());
            }
            Some((Some(_), Borough { name, .. })) => {
                return Err(Failure::usage(format!(
                    "a map has one figure for each borough, and {name} has several rows: group by borough alone"
                )));
            }
        }
    }
    let low = sizes.iter().copied().reduce(f64::min).unwrap_or(0.0);
    let high = sizes.iter().copied().reduce(f64::max).unwrap_or(0.0);
    Ok(Placed { series, tiles, elsewhere, range: (low, high) })
}

/// Tiles of two lines: the borough over its figure.
pub(super) fn screen(data: &Data, screen: Screen) -> Result<String, Failure> {
    let placed = place(data)?;
    // Half a tile; a figure has at most five characters.
    let half = if screen.width >= HALVES * 4 { 4 } else { 3 };
    if screen.width < HALVES * half {
        return Err(Failure::usage(format!(
            "the map needs {} columns, and the terminal has {}: make it wider, or use --chart bar",
            HALVES * 3,
            screen.width
        )));
    }
    let mut text = cut(&placed.series.name, screen.width) + "\n";
    for row in 0..ROWS {
        let mut of_row: Vec<(&Borough, Option<&Figure>)> = BOROUGHS
            .iter()
            .zip(&placed.tiles)
            .filter(|(borough, _)| borough.row == row)
            .map(|(borough, figure)| (borough, *figure))
            .collect();
        of_row.sort_by_key(|(borough, _)| borough.half);
        for line in 0..2 {
            let (mut text_line, mut at) = (String::new(), 0);
            for (borough, figure) in &of_row {
                let start = borough.half.saturating_sub(1) * half;
                text_line.push_str(&" ".repeat(start.saturating_sub(at)));
                at = start + half * 2;
                text_line.push_str(&tile(borough, *figure, line, half * 2 - 1, &placed, screen));
                text_line.push(' ');
            }
            text.push_str(text_line.trim_end());
            text.push('\n');
        }
    }
    text.push_str(&legend(&placed, screen));
    Ok(text)
}

/// One line of a tile, `width` characters wide.
fn tile(
    borough: &Borough,
    figure: Option<&Figure>,
    line: usize,
    width: usize,
    placed: &Placed<'_>,
    screen: Screen,
) -> String {
    let class = figure.and_then(Figure::size).map(|size| placed.class(size));
    let said = match (line, figure) {
        (0, _) => borough.short.to_owned(),
        (_, None) => "-".to_owned(),
        (_, Some(Figure::Known(_, text))) if text.len() < width => text.clone(),
        (_, Some(Figure::Known(size, _))) => short(*size),
        (_, Some(other)) => other.text().to_owned(),
    };
    let shade = match class {
        Some(class) if line == 0 && !screen.colour => mark(class, screen),
        None if line == 0 && figure.is_some() => "/",
        _ => " ",
    };
    let free = width.saturating_sub(said.chars().count());
    let (before, after) = (shade.repeat(free / 2), shade.repeat(free - free / 2));
    match class.and_then(|class| SHADES.get(class)) {
        Some((back, ink)) if screen.colour => {
            format!("\x1b[48;5;{back};38;5;{ink}m{before}{said}{after}\x1b[0m")
        }
        _ => format!("{before}{said}{after}"),
    }
}

fn mark(class: usize, screen: Screen) -> &'static str {
    let marks = if screen.blocks { BLOCKS } else { ASCII };
    marks.get(class).copied().unwrap_or(" ")
}

fn legend(placed: &Placed<'_>, screen: Screen) -> String {
    let entry = |class| {
        let (from, to) = placed.bounds(class);
        let said = format!("{} to {}", short(from), short(to));
        match SHADES.get(class) {
            Some((back, ink)) if screen.colour => {
                (said.len() + 2, format!("\x1b[48;5;{back};38;5;{ink}m {said} \x1b[0m"))
            }
            _ => (said.len() + 3, format!("{} {said}", mark(class, screen).repeat(2))),
        }
    };
    let plain = |text: String| (text.width(), text);
    let classes = if placed.range.1 > placed.range.0 { 0..CLASSES } else { 0..0 };
    let mut entries: Vec<(usize, String)> = classes.map(entry).collect();
    if placed.tiles.iter().any(|figure| matches!(figure, Some(Figure::Withheld))) {
        entries.push(plain("/[c]/ withheld".to_owned()));
    }
    if placed.tiles.iter().any(Option::is_none) {
        entries.push(plain("- not in the answer".to_owned()));
    }
    let mut text = flow(&entries, screen.width);
    if !placed.elsewhere.is_empty() {
        text.push_str("not on the map:\n");
        let elsewhere = placed.elsewhere.iter().map(|text| plain(cut(text, screen.width)));
        text.push_str(&flow(&elsewhere.collect::<Vec<_>>(), screen.width));
    }
    text
}

/// Entries, each with its width, on as few lines as hold them.
fn flow(entries: &[(usize, String)], width: usize) -> String {
    let (mut text, mut at) = (String::new(), 0);
    for (wide, entry) in entries {
        let gap = match at {
            0 => "",
            at if at + 2 + wide > width => "\n",
            _ => "  ",
        };
        at = if gap == "  " { at + 2 + wide } else { *wide };
        text.extend([gap, entry]);
    }
    text + "\n"
}

/// Hexagons.
pub(super) fn picture(data: &Data) -> Result<Picture, Failure> {
    const HALF: f64 = 40.0;
    const SIDE: f64 = 46.2;
    const TOP: f64 = 110.0;
    let placed = place(data)?;
    let elsewhere = number(placed.elsewhere.len().min(20)) * 18.0;
    let mut picture = Picture::new(800.0, TOP + SIDE * 1.5 * number(ROWS) + 90.0 + elsewhere);
    picture.text(24.0, 36.0, 18.0, Align::Start, placed.series.name.clone());
    for (borough, figure) in BOROUGHS.iter().zip(&placed.tiles) {
        let (x, y) = (20.0 + HALF * number(borough.half), TOP + SIDE * 1.5 * number(borough.row));
        let (w, h) = (HALF - 1.5, SIDE - 1.5);
        let points = vec![
            (x, y - h),
            (x + w, y - h / 2.0),
            (x + w, y + h / 2.0),
            (x, y + h),
            (x - w, y + h / 2.0),
            (x - w, y - h / 2.0),
        ];
        let mut colour = Colour::Ink;
        match figure {
            Some(Figure::Known(size, _)) => {
                let class = placed.class(*size);
                if class + 2 >= CLASSES {
                    colour = Colour::Paper;
                }
                picture.push(Shape::Area { points, fill: Colour::Class(class), outline: false });
            }
            Some(Figure::Withheld) => picture.hatched(&points),
            Some(Figure::Missing) | None => {
                picture.push(Shape::Area { points, fill: Colour::Paper, outline: true });
            }
        }
        let said = match figure {
            Some(Figure::Known(size, text)) if text.len() > 9 => short(*size),
            Some(figure) => figure.text().to_owned(),
            None => "–".to_owned(),
        };
        let mut write = |y, size, text| {
            picture.push(Shape::Text { x, y, size, align: Align::Middle, colour, text });
        };
        write(y - 4.0, 13.0, borough.short.to_owned());
        write(y + 14.0, 12.0, said);
    }
    keys(&placed, TOP + SIDE * 1.5 * number(ROWS) + 10.0, &mut picture);
    Ok(picture)
}

/// What shades mean, and what is not on the map.
fn keys(placed: &Placed<'_>, top: f64, picture: &mut Picture) {
    let square = |x: f64| vec![(x, top), (x + 18.0, top), (x + 18.0, top + 18.0), (x, top + 18.0)];
    let mut x = 24.0;
    if placed.range.1 > placed.range.0 {
        for class in 0..CLASSES {
            let (from, to) = placed.bounds(class);
            picture.push(Shape::Area { points: square(x), fill: Colour::Class(class), outline: false });
            let said = format!("{} to {}", short(from), short(to));
            picture.text(x + 24.0, top + 14.0, 12.0, Align::Start, said);
            x += 118.0;
        }
    }
    if placed.tiles.iter().any(|figure| matches!(figure, Some(Figure::Withheld))) {
        picture.hatched(&square(x));
        picture.text(x + 24.0, top + 14.0, 12.0, Align::Start, "[c] withheld".to_owned());
    }
    let said = "Each borough is one tile of the same size, near its neighbours.";
    picture.text(24.0, top + 44.0, 11.0, Align::Start, said.to_owned());
    let left = placed.elsewhere.len().saturating_sub(20);
    let more = (left > 0).then(|| format!("and {left} more"));
    for (index, text) in placed.elsewhere.iter().take(20).chain(&more).enumerate() {
        let said = format!("not on the map: {}", cut(text, 90));
        picture.text(24.0, top + 64.0 + 18.0 * number(index), 11.0, Align::Start, said);
    }
}
