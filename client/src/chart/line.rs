//! Lines: one for each series, over labels in the order in which they arrive.
//!
//! Labels that are numbers, dates or times stand at their distance; others stand evenly. Where a figure is withheld or missing the
//! line is broken.

use super::Screen;
use super::bar::cut;
use super::data::{Data, Figure, Series};
use super::picture::{Align, Colour, Picture, Shape};
use super::scale::{Scale, number, short, whole};

/// Rows of the plot on the screen.
const ROWS: usize = 16;

/// What draws a series where colours are not to be had.
const MARKS: [char; 6] = ['*', '+', 'o', 'x', '#', '@'];

const INKS: [&str; 6] = ["36", "33", "32", "35", "34", "31"];

/// Where each row stands, from 0 to 1.
fn across(data: &Data) -> Vec<f64> {
    let places = match data.labels.as_slice() {
        [only] => only.places.clone().filter(|places| places.iter().all(|place| place.is_finite())),
        _ => None,
    };
    let places = places.unwrap_or_else(|| (0..data.rows).map(number).collect());
    let low = places.iter().copied().fold(f64::MAX, f64::min);
    let high = places.iter().copied().fold(f64::MIN, f64::max);
    places.iter().map(|place| if high > low { (place - low) / (high - low) } else { 0.5 }).collect()
}

/// One scale for all series.
fn scale(data: &Data, marks: f64) -> Scale {
    let ranges = data.series.iter().filter_map(Series::range);
    let range = ranges.reduce(|(low, high), (l, h)| (low.min(l), high.max(h)));
    let (low, high) = range.unwrap_or((0.0, 1.0));
    Scale::from_zero(low, high, marks)
}

/// Unbroken runs of known figures, as shares of width and height.
fn runs(series: &Series, across: &[f64], scale: Scale) -> Vec<Vec<(f64, f64)>> {
    let mut runs = vec![Vec::new()];
    let mut order: Vec<(&f64, &Figure)> = across.iter().zip(&series.figures).collect();
    order.sort_by(|a, b| a.0.total_cmp(b.0));
    for (place, figure) in order {
        match (figure.size(), runs.last_mut()) {
            (Some(size), Some(run)) => run.push((*place, scale.share(size))),
            _ => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

/// What is said of cells that are not drawn.
fn gaps(data: &Data) -> Option<String> {
    let withheld: usize = data
        .series
        .iter()
        .map(|series| series.figures.iter().filter(|figure| **figure == Figure::Withheld).count())
        .sum();
    let figures = if withheld == 1 { "figure" } else { "figures" };
    (withheld > 0).then(|| format!("[c] {withheld} {figures} withheld: the line is broken there"))
}

/// Dots of a plot, four by two in a character where the screen can show them.
struct Grid {
    columns: usize,
    fine: (usize, usize),
    /// Which dots of a cell are set, and by which series last.
    cells: Vec<(u8, usize)>,
}

impl Grid {
    fn new(columns: usize, dots: bool) -> Self {
        Self { columns, fine: if dots { (2, 4) } else { (1, 1) }, cells: vec![(0, 0); columns * ROWS] }
    }

    fn set(&mut self, x: usize, y: usize, series: usize) {
        let (wide, high) = self.fine;
        let bit = match (x % wide, y % high) {
            (0, 3) => 0x40,
            (_, 3) => 0x80,
            (0, row) => 1 << row,
            (_, row) => 8 << row,
        };
        if let Some(cell) = self.cells.get_mut(y / high * self.columns + x / wide) {
            *cell = (cell.0 | bit, series);
        }
    }

    /// A point at shares of width and height, in dots from the top left.
    fn dot(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let (wide, high) = self.fine;
        let (width, height) = (number(self.columns * wide - 1), number(ROWS * high - 1));
        ((x * width).round(), ((1.0 - y) * height).round())
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64), series: usize) {
        let (a, b) = (self.dot(from), self.dot(to));
        let steps = whole((a.0 - b.0).abs().max((a.1 - b.1).abs())).max(1);
        for step in 0..=steps {
            let share = number(step) / number(steps);
            self.set(whole(a.0 + (b.0 - a.0) * share), whole(a.1 + (b.1 - a.1) * share), series);
        }
    }

    fn row(&self, row: usize, screen: Screen, many: bool) -> String {
        let cells = self.cells.chunks(self.columns).nth(row).unwrap_or_default();
        let mut text = String::new();
        for (dots, series) in cells {
            let c = match (*dots, self.fine) {
                (0, _) => ' ',
                (dots, (2, 4)) => char::from_u32(0x2800 + u32::from(dots)).unwrap_or('*'),
                _ => MARKS.get(series % MARKS.len()).copied().unwrap_or('*'),
            };
            match INKS.get(series % INKS.len()) {
                Some(ink) if screen.colour && many && c != ' ' => {
                    text.extend(["\x1b[", ink, "m"]);
                    text.push(c);
                    text.push_str("\x1b[0m");
                }
                _ => text.push(c),
            }
        }
        text.trim_end().to_owned()
    }
}

/// A plot with its axes.
pub(super) fn screen(data: &Data, screen: Screen) -> String {
    let scale = scale(data, 5.0);
    let marks: Vec<(usize, String)> = scale
        .marks()
        .into_iter()
        .map(|mark| (ROWS - 1 - whole(scale.share(mark) * number(ROWS - 1)), short(mark)))
        .collect();
    let left = marks.iter().map(|(_, text)| text.len()).max().unwrap_or(0);
    let columns = screen.width.saturating_sub(left + 3).max(10);
    let many = data.series.len() > 1;
    let dots = screen.blocks && (screen.colour || !many);
    let mut grid = Grid::new(columns, dots);
    let across = across(data);
    for (index, series) in data.series.iter().enumerate() {
        for run in runs(series, &across, scale) {
            for (from, to) in run.iter().zip(run.iter().skip(1).chain(run.last())) {
                grid.line(*from, *to, index);
            }
        }
    }
    let mut text = cut(&legend(data, screen, dots), screen.width.max(20) * 4) + "\n";
    let (upright, corner, level) = if screen.blocks { ("│", "└", "─") } else { ("|", "+", "-") };
    for row in 0..ROWS {
        let mark = marks.iter().find(|(at, _)| *at == row).map_or("", |(_, text)| text.as_str());
        text.push_str(format!("{mark:>left$} {upright}{}", grid.row(row, screen, many)).trim_end());
        text.push('\n');
    }
    let margin = " ".repeat(left + 1);
    text.extend([&margin, corner, &level.repeat(columns), "\n"]);
    text.extend([&margin, " ", ends(data, columns).trim_end(), "\n"]);
    if let Some(gaps) = gaps(data) {
        text.push_str(&gaps);
        text.push('\n');
    }
    text
}

/// What each line is of.
fn legend(data: &Data, screen: Screen, dots: bool) -> String {
    let name = |(index, series): (usize, &Series)| {
        let mark = if dots { '━' } else { MARKS.get(index % MARKS.len()).copied().unwrap_or('*') };
        match INKS.get(index % INKS.len()) {
            _ if data.series.len() == 1 => series.name.clone(),
            Some(ink) if screen.colour => format!("\x1b[{ink}m{mark}\x1b[0m {}", series.name),
            _ => format!("{mark} {}", series.name),
        }
    };
    let names: Vec<String> = data.series.iter().enumerate().map(name).collect();
    format!("{} by {}", names.join("  "), data.label_name())
}

/// The first and the last label, at the two ends of the axis.
fn ends(data: &Data, columns: usize) -> String {
    let (first, last) = outermost(data);
    let (first, last) = (cut(&first, columns / 2), cut(&last, columns / 2));
    let gap = columns.saturating_sub(first.chars().count() + last.chars().count());
    if data.rows < 2 { first } else { format!("{first}{}{last}", " ".repeat(gap)) }
}

/// The labels that stand farthest to the left and to the right.
fn outermost(data: &Data) -> (String, String) {
    let across = across(data);
    let at = |row: Option<usize>| row.map(|row| data.label(row)).unwrap_or_default();
    let rows = || 0..data.rows;
    let place = |row: &usize| across.get(*row).copied().unwrap_or_default();
    let left = rows().min_by(|a, b| place(a).total_cmp(&place(b)));
    let right = rows().max_by(|a, b| place(a).total_cmp(&place(b)));
    (at(left), at(right))
}

/// The plot in pixels.
pub(super) fn picture(data: &Data) -> Picture {
    const LEFT: f64 = 70.0;
    const TOP: f64 = 60.0;
    const WIDTH: f64 = 760.0;
    const HEIGHT: f64 = 340.0;
    let scale = scale(data, 6.0);
    let across = across(data);
    let mut picture = Picture::new(860.0, 470.0);
    let place = |(x, y): (f64, f64)| (LEFT + WIDTH * x, TOP + HEIGHT * (1.0 - y));
    let mut names = 20.0;
    for (index, series) in data.series.iter().enumerate() {
        let points = vec![(names, 30.0), (names + 22.0, 30.0)];
        picture.push(Shape::Line { points, colour: Colour::Series(index) });
        picture.text(names + 28.0, 35.0, 14.0, Align::Start, series.name.clone());
        names += 50.0 + 9.0 * number(series.name.chars().count());
    }
    for mark in scale.marks() {
        let share = scale.share(mark);
        let points = vec![place((0.0, share)), place((1.0, share))];
        picture.push(Shape::Line { points, colour: Colour::Rule });
        picture.text(LEFT - 8.0, place((0.0, share)).1 + 4.0, 11.0, Align::End, short(mark));
    }
    for (index, series) in data.series.iter().enumerate() {
        for run in runs(series, &across, scale) {
            let points: Vec<(f64, f64)> = run.into_iter().map(place).collect();
            if let [(x, y)] = points.as_slice() {
                let dot =
                    vec![(x - 2.0, y - 2.0), (x + 2.0, y - 2.0), (x + 2.0, y + 2.0), (x - 2.0, y + 2.0)];
                picture.push(Shape::Area { points: dot, fill: Colour::Series(index), outline: false });
            }
            picture.push(Shape::Line { points, colour: Colour::Series(index) });
        }
    }
    let (first, last) = outermost(data);
    let below = TOP + HEIGHT + 20.0;
    picture.text(LEFT, below, 12.0, Align::Start, cut(&first, 40));
    if data.rows > 1 {
        picture.text(LEFT + WIDTH, below, 12.0, Align::End, cut(&last, 40));
    }
    picture.text(LEFT + WIDTH / 2.0, below, 12.0, Align::Middle, data.label_name());
    if let Some(gaps) = gaps(data) {
        picture.text(LEFT, below + 24.0, 12.0, Align::Start, gaps);
    }
    picture
}
