//! A picture as SVG: text that any browser and office program draws, with no script and nothing from elsewhere.

use super::picture::{Align, Colour, Picture, Shape};

/// The whole file.
pub(super) fn encode(picture: &Picture) -> String {
    let Picture { width, height, shapes } = picture;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"sans-serif\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"{}\"/>\n",
        colour(Colour::Paper)
    );
    for shape in shapes {
        svg.push_str(&element(shape));
        svg.push('\n');
    }
    svg.push_str("</svg>\n");
    svg
}

fn element(shape: &Shape) -> String {
    match shape {
        Shape::Area { points, fill, outline } => {
            let outline =
                if *outline { format!(" stroke=\"{}\"", colour(Colour::Withheld)) } else { String::new() };
            format!("<polygon points=\"{}\" fill=\"{}\"{outline}/>", places(points), colour(*fill))
        }
        Shape::Line { points, colour: stroke } => {
            format!("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\"/>", places(points), colour(*stroke))
        }
        Shape::Text { x, y, size, align, colour: fill, text } => {
            let anchor = match align {
                Align::Start => "start",
                Align::Middle => "middle",
                Align::End => "end",
            };
            format!(
                "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size:.0}\" text-anchor=\"{anchor}\" fill=\"{}\">{}</text>",
                colour(*fill),
                escaped(text)
            )
        }
    }
}

fn places(points: &[(f64, f64)]) -> String {
    points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ")
}

fn colour(colour: Colour) -> String {
    let [red, green, blue] = colour.rgb();
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// Text from rows stays text; XML has no form for control characters.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}
