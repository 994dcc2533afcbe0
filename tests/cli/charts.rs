//! `--chart`: each kind of picture, on the screen and in each kind of file, of what nodes released.

use std::fs;

use jigsaw_client::Exit;

use super::{jigsaw, start};

const COUNT: &str = "SELECT node, COUNT(*) AS homes FROM property GROUP BY node ORDER BY node";

#[tokio::test(flavor = "multi_thread")]
async fn charts_are_drawn_on_the_screen_and_into_files() {
    let (dir, federation) = start().await;
    let csv = jigsaw(&federation, "", &["query", COUNT, "--format", "csv"]).await;
    let rows: Vec<(String, String)> = csv.text().lines().skip(1).map(split).collect();
    assert_eq!(rows.len(), 6, "{}", csv.stderr);
    for kind in ["bar", "line", "map", "hex"] {
        let screen = jigsaw(&federation, "", &["query", COUNT, "--chart", kind]).await;
        assert_eq!(screen.exit, Exit::Answered, "{}", screen.stderr);
        let drawn = screen.text();
        assert!(
            drawn.starts_with(if kind == "map" || kind == "hex" { "homes\n" } else { "homes by node\n" }),
            "{drawn}"
        );
        assert!(drawn.lines().all(|line| line.chars().count() <= 100) && !drawn.contains('\x1b'), "{drawn}");
        assert!(
            screen.stderr.contains("6 of 6 nodes answered"),
            "caveats go beside a picture: {}",
            screen.stderr
        );
        assert!(screen.stderr.contains("[1]"), "{}", screen.stderr);
        let svg = file(&federation, &dir, kind, "svg").await;
        let svg = String::from_utf8(svg).unwrap();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{svg:.200}");
        expect_figures(kind, drawn, &svg, &rows);
        let png = file(&federation, &dir, kind, "png").await;
        assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
        let side = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        let declared = |name: &str| -> u32 {
            let number = svg.split(&format!(" {name}=\"")).nth(1).unwrap().split('"').next().unwrap();
            number.parse().unwrap()
        };
        assert_eq!(
            (side(16), side(20)),
            (2 * declared("width"), 2 * declared("height")),
            "{kind}: twice the SVG"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_that_cannot_be_drawn_says_why_and_leaves_no_file() {
    let (dir, federation) = start().await;
    let path = |name: &str| dir.path().join(name).display().to_string();
    let (jpeg, svg) = (path("x.jpeg"), path("x.svg"));
    for (args, exit, words) in [
        (&[COUNT, "--chart", "map", "-o", &jpeg][..], Exit::Usage, "ends in .svg or .png"),
        (&[COUNT, "--chart", "map", "--format", "csv"], Exit::Usage, "cannot be used with"),
        (&[COUNT, "--chart", "pie"], Exit::Usage, "bar, line, map"),
        (
            &["SELECT wall_type FROM property GROUP BY wall_type", "--chart", "bar", "-o", &svg],
            Exit::Usage,
            "a column of labels and a column of numbers",
        ),
        (
            &["SELECT wall_type, COUNT(*) FROM property GROUP BY wall_type", "--chart", "map", "-o", &svg],
            Exit::Usage,
            "boroughs of London",
        ),
    ] {
        let ran = jigsaw(&federation, "", &[&["query"], args].concat()).await;
        assert_eq!(ran.exit, exit, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{args:?}: {}", ran.stderr);
    }
    assert!(!fs::exists(jpeg).unwrap() && !fs::exists(svg).unwrap());
}

/// Every figure stands at its label, on the screen and in the file.
#[track_caller]
fn expect_figures(kind: &str, drawn: &str, svg: &str, rows: &[(String, String)]) {
    match kind {
        "bar" => {
            for (node, homes) in rows {
                assert!(drawn.lines().any(|line| line.starts_with(node) && line.ends_with(homes)), "{drawn}");
                assert!(
                    svg.contains(&format!(">{node}</text>")) && svg.contains(&format!(">{homes}</text>"))
                );
            }
        }
        "line" => {
            assert!(drawn.contains("barnet") && drawn.contains("lambeth"), "{drawn}");
            assert!(
                drawn.chars().any(|c| ('\u{2801}'..='\u{28ff}').contains(&c)),
                "a line is drawn: {drawn}"
            );
            assert!(svg.contains("<polyline") && svg.contains(">barnet</text>"), "{svg:.300}");
        }
        _ => {
            for (short, (_, homes)) in ["Bnt", "Cam", "Cro", "Gre", "Hac", "Lam"].iter().zip(rows) {
                assert!(drawn.contains(short), "{short}: {drawn}");
                let place = svg.find(&format!(">{short}</text>")).unwrap();
                let next = svg.get(place..).unwrap().lines().nth(1).unwrap();
                assert!(next.contains(&format!(">{homes}</text>")), "{short} has {homes}: {next}");
            }
            let absent = drawn.split_whitespace().filter(|word| *word == "-").count();
            assert_eq!(absent, 28, "27 boroughs and the key: {drawn}");
        }
    }
}

fn split(line: &str) -> (String, String) {
    let (node, homes) = line.split_once(',').unwrap();
    (node.to_owned(), homes.trim().to_owned())
}

/// The picture as a file, which takes the whole answer.
async fn file(federation: &super::Federation, dir: &tempfile::TempDir, kind: &str, ending: &str) -> Vec<u8> {
    let file = dir.path().join(format!("{kind}.{ending}"));
    let args = ["query", COUNT, "--chart", kind, "-o", file.to_str().unwrap()];
    let ran = jigsaw(federation, "", &args).await;
    assert_eq!((ran.exit, ran.stdout.len()), (Exit::Answered, 0), "{}", ran.stderr);
    fs::read(file).unwrap()
}
