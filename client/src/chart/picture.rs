//! A drawing as shapes in pixels from the top left, which each file format writes in its own words.

/// Colours by what they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Paper,
    Ink,
    Rule,
    /// What was withheld.
    Withheld,
    /// The series of that number.
    Series(usize),
    /// A class of a map, 0 the lowest of [`CLASSES`].
    Class(usize),
}

/// How many shades a map has.
pub(super) const CLASSES: usize = 5;

/// Told apart by people who see colours otherwise, and in grey (after Okabe and Ito, 2008).
const SERIES: [[u8; 3]; 6] =
    [[0, 114, 178], [213, 94, 0], [0, 158, 115], [204, 121, 167], [86, 180, 233], [230, 159, 0]];

const SHADES: [[u8; 3]; CLASSES] =
    [[222, 235, 247], [169, 206, 230], [107, 174, 214], [49, 130, 189], [8, 69, 148]];

impl Colour {
    /// Red, green, blue.
    pub(super) fn rgb(self) -> [u8; 3] {
        match self {
            Self::Paper => [255, 255, 255],
            Self::Ink => [32, 32, 32],
            Self::Rule => [216, 216, 216],
            Self::Withheld => [150, 150, 150],
            Self::Series(number) => SERIES.get(number % SERIES.len()).copied().unwrap_or_default(),
            Self::Class(class) => SHADES.get(class).copied().unwrap_or_default(),
        }
    }
}

/// Which point of a text stands at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Start,
    Middle,
    End,
}

/// Points, x and y.
pub(super) type Points = Vec<(f64, f64)>;

#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// A filled polygon.
    Area { points: Points, fill: Colour, outline: bool },
    /// A line through points.
    Line { points: Points, colour: Colour },
    /// One line of text whose baseline is at `y`.
    Text { x: f64, y: f64, size: f64, align: Align, colour: Colour, text: String },
}

#[derive(Clone, Debug)]
pub(super) struct Picture {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) shapes: Vec<Shape>,
}

impl Picture {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self { width, height, shapes: Vec::new() }
    }

    pub(super) fn push(&mut self, shape: Shape) {
        self.shapes.push(shape);
    }

    /// Writes in ink.
    pub(super) fn text(&mut self, x: f64, y: f64, size: f64, align: Align, text: String) {
        self.push(Shape::Text { x, y, size, align, colour: Colour::Ink, text });
    }

    /// A polygon with stripes: something is there, and not shown.
    pub(super) fn hatched(&mut self, points: &[(f64, f64)]) {
        self.push(Shape::Area { points: points.to_vec(), fill: Colour::Paper, outline: true });
        let (low, high) =
            points.iter().fold((f64::MAX, f64::MIN), |(low, high), (x, y)| (low.min(x + y), high.max(x + y)));
        let mut sum = low + 5.0;
        while sum < high {
            let crossings = crossings(points, sum);
            if let [a, b] = crossings.as_slice() {
                self.push(Shape::Line { points: vec![*a, *b], colour: Colour::Withheld });
            }
            sum += 7.0;
        }
    }
}

/// Where the line x + y = `sum` enters and leaves a convex polygon.
fn crossings(points: &[(f64, f64)], sum: f64) -> Points {
    let next = points.iter().cycle().skip(1);
    let crossing = |(a, b): (&(f64, f64), &(f64, f64))| {
        let (from, to) = (a.0 + a.1 - sum, b.0 + b.1 - sum);
        let share = from / (from - to);
        ((from < 0.0) != (to < 0.0)).then_some((a.0 + (b.0 - a.0) * share, a.1 + (b.1 - a.1) * share))
    };
    points.iter().zip(next).filter_map(crossing).collect()
}
