//! Pictures as text: what is withheld, what is left out, what is far too wide.

mod files;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};

use super::london::{BOROUGHS, HALVES, ROWS, find};
use super::scale::{Scale, short};
use super::{Drawing, Medium, Screen};
use crate::cli::Chart;
use crate::failure::Failure;

const WIDE: Screen = Screen { width: 72, blocks: true, colour: false };
const DUMB: Screen = Screen { blocks: false, ..WIDE };

fn protected() -> HashMap<String, String> {
    HashMap::from([("jigsaw.cell".to_owned(), "protected".to_owned())])
}

fn answer(names: &[&str], figures: &[Option<i64>]) -> RecordBatch {
    let people = Field::new("people", DataType::Int64, true).with_metadata(protected());
    let schema = Schema::new(vec![Field::new("node", DataType::Utf8, false), people]);
    let columns: Vec<ArrayRef> =
        vec![Arc::new(StringArray::from(names.to_vec())), Arc::new(Int64Array::from(figures.to_vec()))];
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

fn draw(chart: Chart, medium: Medium, batch: &RecordBatch) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::new();
    let mut drawing = Drawing::new(chart, medium, &batch.schema(), &mut out)?;
    drawing.push(batch)?;
    drawing.finish()?;
    Ok(out)
}

fn text(chart: Chart, medium: Medium, batch: &RecordBatch) -> String {
    String::from_utf8(draw(chart, medium, batch).unwrap()).unwrap()
}

#[test]
fn bars_are_as_long_as_figures_and_what_is_withheld_has_none() {
    let batch = answer(&["camden", "barnet", "city"], &[Some(400), Some(100), None]);
    let bars = text(Chart::Bar, Medium::Screen(Screen { width: 30, ..WIDE }), &batch);
    assert_eq!(
        bars, "people by node\ncamden │██████████████████ 400\nbarnet │████▌ 100\ncity   │ [c]\n",
        "\n{bars}"
    );
    let bars = text(Chart::Bar, Medium::Screen(Screen { width: 30, ..DUMB }), &batch);
    assert!(
        bars.is_ascii() && bars.contains("camden |################## 400\nbarnet |##### 100\ncity   | [c]"),
        "{bars}"
    );
    let below = answer(&["a", "b"], &[Some(-10), Some(10)]);
    let bars = text(Chart::Bar, Medium::Screen(Screen { width: 16, ..DUMB }), &below);
    assert_eq!(bars, "people by node\na #####| -10\nb      |##### 10\n", "\n{bars}");
}

#[test]
fn a_line_is_broken_where_a_figure_is_withheld() {
    let batch = answer(&["a", "b", "c", "d", "e"], &[Some(10), Some(10), None, Some(10), Some(10)]);
    let plot = text(Chart::Line, Medium::Screen(Screen { width: 24, ..DUMB }), &batch);
    let top = plot.lines().find(|line| line.contains('*')).unwrap();
    let marks = top.split_once('|').unwrap().1;
    assert!(marks.starts_with("*****") && marks.ends_with("*****") && marks.contains("     "), "{plot}");
    assert!(plot.contains("[c] 1 figure withheld: the line is broken there"), "{plot}");
    assert!(plot.contains(" 0 |"), "the axis begins at zero: {plot}");
    assert!(!marks.is_empty() && !plot.lines().any(|line| line.starts_with(" 0 |*")), "{plot}");
}

#[test]
fn dates_stand_at_their_distance() {
    let schema = Schema::new(vec![
        Field::new("day", DataType::Date32, false),
        Field::new("people", DataType::Int64, true),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Date32Array::from(vec![19_723, 19_724, 19_733])),
        Arc::new(Int64Array::from(vec![0, 10, 0])),
    ];
    let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
    let plot = text(Chart::Line, Medium::Screen(Screen { width: 36, ..DUMB }), &batch);
    let peak = plot.lines().find(|line| line.contains('*')).unwrap();
    let at = peak.split_once('|').unwrap().1.find('*').unwrap();
    assert!((2..=4).contains(&at), "a tenth of the way, and not a half:\n{plot}");
    assert!(plot.contains("2024-01-01") && plot.contains("2024-01-11"), "{plot}");
}

#[test]
fn every_borough_has_a_tile_of_its_own_and_is_found_however_it_is_written() {
    let mut places: Vec<(usize, usize)> = BOROUGHS.iter().map(|tile| (tile.row, tile.half)).collect();
    places.sort_unstable();
    for pair in places.windows(2) {
        assert!(pair[0].0 < pair[1].0 || pair[0].1 + 2 <= pair[1].1, "{pair:?} overlap");
    }
    for (index, borough) in BOROUGHS.iter().enumerate() {
        assert_eq!(borough.half % 2, borough.row % 2, "{borough:?} is between two tiles");
        assert!(borough.row < ROWS && borough.half < HALVES);
        assert_eq!(borough.code, format!("E090000{:02}", index + 1));
        let id = borough.name.to_lowercase().replace(' ', "-");
        let title = format!("London Borough of {}", borough.name);
        let title = if index == 0 { borough.name } else { &title };
        let written = [borough.code, borough.name, &id, title];
        for text in written {
            assert_eq!(find(text), Some(index), "{text}");
        }
    }
    for (text, name) in [
        ("City of London Corporation", "City of London"),
        ("city-of-london", "City of London"),
        ("City of Westminster", "Westminster"),
        ("Royal Borough of Kingston upon Thames", "Kingston upon Thames"),
        ("richmond", "Richmond upon Thames"),
        ("Hammersmith & Fulham", "Hammersmith and Fulham"),
    ] {
        assert_eq!(find(text).map(|index| BOROUGHS[index].name), Some(name), "{text}");
    }
    for text in ["", "London", "st-brides-outreach", "open-door-croydon", "E09000034", "NULL"] {
        assert_eq!(find(text), None, "{text}");
    }
}

#[test]
fn a_map_tells_withheld_from_absent_and_names_what_it_cannot_place() {
    let batch =
        answer(&["camden", "barnet", "hackney", "lantern-trust"], &[Some(1200), Some(0), None, Some(35)]);
    let map = text(Chart::Map, Medium::Screen(WIDE), &batch);
    assert!(map.contains("██Cam██") && map.contains(" 1200 "), "{map}");
    assert!(map.contains("··Bnt··"), "nought is a figure: {map}");
    assert!(map.contains("//Hac//") && map.contains("[c]"), "{map}");
    assert!(map.contains("/[c]/ withheld") && map.contains("- not in the answer"), "{map}");
    assert!(map.contains("not on the map:\nlantern-trust 35\n"), "{map}");
    assert!(map.lines().all(|line| line.chars().count() <= 72), "{map}");
    assert!(text(Chart::Map, Medium::Screen(DUMB), &batch).is_ascii());
    let coloured = text(Chart::Map, Medium::Screen(Screen { colour: true, ..WIDE }), &batch);
    assert!(coloured.contains("\u{1b}[48;5;25;38;5;231m  Cam  \u{1b}[0m"), "{coloured:?}");
    let narrow = draw(Chart::Map, Medium::Screen(Screen { width: 40, ..WIDE }), &batch).unwrap_err();
    assert!(narrow.to_string().contains("needs 54 columns"), "{narrow}");
    let twice = answer(&["camden", "Camden"], &[Some(1), Some(2)]);
    let refused = draw(Chart::Map, Medium::Svg, &twice).unwrap_err();
    assert!(refused.to_string().contains("Camden has several rows"), "{refused}");
    let nowhere = draw(Chart::Map, Medium::Svg, &answer(&["york"], &[Some(1)])).unwrap_err();
    assert!(nowhere.to_string().contains("boroughs of London"), "{nowhere}");
}

#[test]
fn files_hold_the_picture_and_text_from_rows_stays_text() {
    let batch = answer(&["<script>&\u{1b}", "barnet"], &[Some(5), None]);
    for chart in [Chart::Bar, Chart::Line] {
        let svg = text(chart, Medium::Svg, &batch);
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{svg}");
        assert!(
            !svg.contains("<script") && !svg.contains('\u{1b}') && svg.contains("&lt;script&gt;&amp;"),
            "{svg}"
        );
        assert!(svg.contains("[c]"), "what is withheld is said: {svg}");
    }
    let boroughs = answer(&["camden", "barnet"], &[Some(5), None]);
    let map = text(Chart::Map, Medium::Svg, &boroughs);
    assert_eq!(map.matches("<polygon").count(), 34, "33 tiles and the key of what is withheld");
    assert!(map.contains(">Cam</text>") && map.contains(">[c]</text>"), "{map}");
    for chart in [Chart::Bar, Chart::Line, Chart::Map] {
        let png = draw(chart, Medium::Png, &boroughs).unwrap();
        let pixels = tiny_skia::Pixmap::decode_png(&png).unwrap();
        let dark = pixels.pixels().iter().filter(|pixel| pixel.red() < 60 && pixel.blue() < 60).count();
        assert!(pixels.width() >= 1600 && dark > 100, "{chart:?}: letters are drawn: {dark}");
    }
}

#[test]
fn what_cannot_be_drawn_says_why() {
    let only = answer(&["a"], &[Some(1)]);
    let labels = only.project(&[0]).unwrap();
    let refused = draw(Chart::Bar, Medium::Svg, &labels).unwrap_err();
    assert!(refused.to_string().contains("a column of labels and a column of numbers"), "{refused}");
    let many: Vec<String> = (0..10_001).map(|row| row.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let refused = draw(Chart::Bar, Medium::Screen(WIDE), &answer(&many, &vec![Some(1); 10_001])).unwrap_err();
    assert!(refused.to_string().contains("more than 10000 rows"), "{refused}");
    assert!(Medium::of_file(std::path::Path::new("x.jpeg")).is_err());
}

#[test]
fn scales_are_round_and_short_numbers_are_short() {
    assert_eq!(Scale::from_zero(3.0, 97.0, 5.0).marks(), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
    assert_eq!(Scale::from_zero(-3.0, 4.0, 4.0).marks(), [-4.0, -2.0, 0.0, 2.0, 4.0]);
    let shorts = [0.0, 7.5, 0.25, 999.0, 1000.0, 12_345.0, 999_999.0, 1.5e6, -20_500.0, 3.0e9];
    let said = shorts.map(short);
    assert_eq!(said, ["0", "7.5", "0.25", "999", "1k", "12.3k", "1M", "1.5M", "-20.5k", "3G"]);
}
