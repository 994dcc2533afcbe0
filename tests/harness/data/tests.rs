use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;

const FROZEN: &str = "deffdf2043e8db57ff7841898a89bd5077806e98f8ee9514a70e47ed7dd1a2dc";

fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = fs::read(&path).unwrap();
                found.insert(path.strip_prefix(dir).unwrap().to_owned(), bytes);
            }
        }
    }
    found
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let [one, two] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let nodes = Synthetic::new(7, Scale::test()).write_to(one.path()).unwrap();
    assert_eq!(nodes, Synthetic::new(7, Scale::test()).write_to(two.path()).unwrap());
    assert_eq!(nodes.len(), 41);
    let (one, two) = (files(one.path()), files(two.path()));
    assert_eq!(one.keys().collect::<Vec<_>>(), two.keys().collect::<Vec<_>>());
    assert!(one == two, "two runs wrote other bytes");
}

#[test]
fn the_rows_of_a_seed_are_frozen() {
    let fingerprint = Synthetic::new(7, Scale::test()).fingerprint().unwrap();
    assert_eq!(fingerprint, FROZEN, "if the change is meant, freeze the new value");
    assert_ne!(Synthetic::new(8, Scale::test()).fingerprint().unwrap(), FROZEN);
}

#[test]
fn every_contract_can_be_opened() {
    use jigsaw_proto::contract::Floor;
    for (name, text) in contracts() {
        assert_eq!(contract(name).unwrap().name.as_str(), name);
        assert_eq!(Contract::parse(&opened(text)).unwrap().floor, Floor::Open, "{name}");
    }
}

#[test]
fn every_dataset_has_rows() {
    let counts = Synthetic::new(7, Scale::test()).row_counts().unwrap();
    assert_eq!(counts.len(), 13);
    assert!(counts.values().all(|rows| *rows >= 30), "{counts:?}");
}

#[test]
fn canaries_are_in_the_files_only_when_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let with = Synthetic::new(7, Scale::test()).with_canaries();
    with.write_to(dir.path()).unwrap();
    let croydon = fs::read_to_string(dir.path().join("croydon/data/homelessness_case.csv")).unwrap();
    let mut checked = 0;
    for canary in with.canaries().unwrap() {
        if canary.node == "croydon" && canary.dataset == "homelessness_case" {
            let text = match canary.value {
                canary::Value::Text(text) => text,
                canary::Value::Double(number) => number.to_string(),
                canary::Value::Long(number) => number.to_string(),
                canary::Value::Decimal(number) => number.to_string(),
            };
            assert!(croydon.contains(&text), "{text}");
            checked += 1;
        }
    }
    assert_eq!(checked, 4);
    Synthetic::new(7, Scale::test()).write_to(dir.path()).unwrap();
    for (path, bytes) in files(dir.path()) {
        assert!(!bytes.windows(12).any(|window| window == b"Quillfeather"), "{}", path.display());
    }
}

#[test]
fn reference_tables_agree_with_themselves() {
    let london = London::read().unwrap();
    assert_eq!(london.boroughs.len(), 33);
    for (index, borough) in london.boroughs.iter().enumerate() {
        assert!(!borough.neighbours.is_empty() && !borough.primary.is_empty(), "{}", borough.id);
        for neighbour in &borough.neighbours {
            assert!(london.boroughs[*neighbour].neighbours.contains(&index), "{}", borough.id);
        }
    }
    let shares: f64 = london.boroughs.iter().map(|borough| borough.rough).sum();
    assert!((950.0..1_100.0).contains(&shares), "{shares}");
}

/// Where the open data are, if they are on this machine.
fn open_data(folder: &str) -> Option<PathBuf> {
    let dir = std::env::var_os("JIGSAW_OPEN_DATA").map(PathBuf::from)?.join(folder);
    dir.is_dir().then_some(dir)
}

#[test]
fn collisions_take_their_vehicles_and_casualties_with_them() {
    let Some(from) = open_data("stats19") else { return }; // not on this machine
    let to = tempfile::tempdir().unwrap();
    let split = real::stats19(&from, to.path()).unwrap();
    assert_eq!(split.nodes.len(), 33);
    assert!(split.nodes.iter().all(|node| node.datasets.len() == 3));
    let left_out: Vec<_> = split.left_out.iter().map(|left| (left.dataset, left.rows)).collect();
    assert_eq!(left_out, [("vehicle", 70_107), ("casualty", 3_341)]);
}

#[test]
fn sites_and_readings_go_to_the_borough_of_the_site() {
    let Some(from) = open_data("laqn") else { return };
    let to = tempfile::tempdir().unwrap();
    let split = real::laqn(&from, to.path()).unwrap();
    assert_eq!(split.nodes.len(), 24);
    assert!(split.left_out.is_empty(), "{:?}", split.left_out);
}
