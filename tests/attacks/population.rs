//! Seeded people at three nodes, and what an attacker would like to know about them.
//!
//! Every population has the same traps, each with another secret: somebody who is alone in a cell, somebody of whom not even
//! the attacker knows that she exists, a cell that one person dominates, a class whose members are all alike, a small cell, a few
//! people of many rows, and people without a ward. Every attack asks a dataset of its own over the same rows, so that what a node
//! remembers of one attack is no hindrance to another.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use harness::data::{DatasetFiles, Format, NodeData, Result};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

pub(super) const NODES: [&str; 3] = ["north", "east", "south"];
pub(super) const CONDITIONS: [&str; 4] = ["none", "asthma", "diabetes", "epilepsy"];

/// People at each node, without the planted ones.
const PEOPLE: usize = 150;

/// The age of the person who is alone in a cell: nobody else is so old.
pub(super) const TARGET_AGE: i64 = 97;
/// The age of the person who exists in half of the populations.
pub(super) const MAYBE_AGE: i64 = 96;
/// An age that nobody has.
pub(super) const NOBODYS_AGE: i64 = 98;
/// Ages that one person each has, all in ward `w2` of the first node, as everybody knows.
pub(super) const KNOWN_AGES: [i64; 9] = [82, 83, 84, 85, 91, 92, 93, 94, 95];
/// The age of the few people with many rows.
pub(super) const HEAVY_AGE: i64 = 88;

/// A contract whose `name` is still to be said.
const CONTRACT: &str = r#"
version = 1
description = "One row per assessment of a resident."
release = "protected"
threshold = 10
rounding = 5
conditions = "any"

[[column]]
name = "person_key"
type = "text"
role = "entity"
description = "Keyed hash of the person."

[[column]]
name = "ward"
type = "text"
role = "dimension"
description = "Ward."
codes = ["w1", "w2", "w3", "w4"]

[[column]]
name = "zone"
type = "text"
role = "dimension"
description = "Catchment area: much the same as the ward."
codes = ["z1", "z2", "z3", "z4", "z5"]

[[column]]
name = "sex"
type = "text"
role = "dimension"
description = "Sex."
codes = ["f", "m", "x"]

[[column]]
name = "age"
type = "int64"
role = "dimension"
description = "Age in years."

[[column]]
name = "condition"
type = "text"
role = "dimension"
description = "What the person is treated for: sensitive."
codes = ["none", "asthma", "diabetes", "epilepsy"]

[[column]]
name = "income"
type = "int64"
role = "measure"
description = "Income a year."
unit = "GBP"
bounds = [0.0, 10000000.0]
resolution = 1.0

[[column]]
name = "score"
type = "float64"
role = "measure"
description = "Score of the assessment."
bounds = [0.0, 100.0]
resolution = 0.01

[[column]]
name = "savings"
type = "int64"
role = "measure"
description = "Savings."
unit = "GBP"
bounds = [0.0, 100000.0]
resolution = 1.0

[[column]]
name = "full_name"
type = "text"
role = "hidden"
description = "Name; never leaves the node."
"#;

/// A public table at every node.
const PLACE: &str = r#"
name = "place"
version = 1
description = "One row per bench in a ward."
release = "open"

[[column]]
name = "ward"
type = "text"
role = "dimension"
description = "Ward."

[[column]]
name = "bench"
type = "int64"
role = "dimension"
description = "Number of the bench."
"#;

/// One row.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) key: String,
    pub(super) ward: Option<&'static str>,
    pub(super) zone: &'static str,
    pub(super) sex: &'static str,
    pub(super) age: i64,
    pub(super) condition: &'static str,
    pub(super) income: i64,
    pub(super) score: f64,
    /// far below the bound, but for the target's, which are far above it
    pub(super) savings: i64,
    pub(super) name: String,
}

/// The rows of every node, and the secrets in them.
#[derive(Debug, Clone)]
pub(super) struct Population {
    pub(super) seed: u64,
    pub(super) rows: [Vec<Person>; 3],
    /// who is alone in a cell of the first node
    pub(super) target: Person,
    /// whether the person of [`MAYBE_AGE`] exists
    pub(super) maybe: bool,
    /// people in ward `w4` of the last node, 1 to 6
    pub(super) tiny: usize,
    /// income of the one who dominates ward `w3` of the last node
    pub(super) dominant: i64,
    /// what all men of 40 to 49 in ward `w2` of the second node have
    pub(super) class: &'static str,
    /// people without a ward at the second node, 1 to 6
    pub(super) wardless: usize,
    /// rows of each of the three people of [`HEAVY_AGE`] at the second node
    pub(super) heavy: usize,
}

struct Maker {
    random: ChaCha8Rng,
    made: usize,
}

impl Maker {
    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.random.random_range(0..items.len())]
    }

    fn person(&mut self) -> Person {
        const WARDS: [(&str, &str); 4] = [("w1", "z1"), ("w2", "z2"), ("w3", "z3"), ("w4", "z4")];
        self.made += 1;
        let (ward, zone) = self.pick(&WARDS);
        let key = format!("{:016x}", self.random.random::<u64>());
        Person {
            name: format!("Quillon Farthingale {key}"),
            key,
            ward: Some(ward),
            zone,
            sex: self.pick(&["f", "m"]),
            age: self.random.random_range(18..80),
            condition: self.pick(&["none", "none", "none", "none", "asthma", "diabetes", "epilepsy"]),
            income: self.random.random_range(20_000..100_000),
            score: f64::from(self.random.random_range(0..10_000)) / 100.0,
            savings: i64::try_from(self.made).unwrap_or(0) * 7919 % 20_000,
        }
    }

    /// Somebody at the first node.
    fn north(&mut self, ward: &'static str, zone: &'static str, sex: &'static str, age: i64) -> Person {
        Person { ward: Some(ward), zone, sex, age, ..self.person() }
    }
}

impl Population {
    pub(super) fn new(seed: u64) -> Self {
        let mut maker = Maker { random: ChaCha8Rng::seed_from_u64(seed), made: 0 };
        let mut rows: [Vec<Person>; 3] =
            std::array::from_fn(|_| (0..PEOPLE).map(|_| maker.person()).collect());
        let target =
            Person { condition: maker.pick(&CONDITIONS), ..maker.north("w1", "z2", "x", TARGET_AGE) };
        let target = Person { savings: 150_000 + 3 * target.income, ..target };
        let maybe = maker.pick(&[true, false]);
        // One more would be the tenth of their zone.
        let known = KNOWN_AGES.map(|age| maker.north("w2", "z5", "f", age));
        rows[0].push(target.clone());
        rows[0].extend(known);
        if maybe {
            let person = maker.north("w2", "z5", "m", MAYBE_AGE);
            rows[0].push(person);
        }
        let class = maker.pick(&CONDITIONS[1..]);
        let (wardless, heavy) = (maker.random.random_range(1..=6), maker.random.random_range(30..60));
        maker.plant_east(&mut rows[1], class, wardless, heavy);
        let (tiny, dominant) =
            (maker.random.random_range(1..=6), maker.random.random_range(5_000_000..10_000_000));
        maker.plant_south(&mut rows[2], tiny, dominant);
        Self { seed, rows, target, maybe, tiny, dominant, class, wardless, heavy }
    }

    /// How many people of the first node fit.
    pub(super) fn north(&self, fits: impl Fn(&Person) -> bool) -> usize {
        self.rows[0].iter().filter(|person| fits(person)).count()
    }

    /// Writes every node's files into its folder below `dir`, and says which datasets are over them.
    pub(super) fn write_to(&self, dir: &Path, datasets: &[&'static str]) -> Result<Vec<NodeData>> {
        let nodes = NODES.iter().zip(&self.rows).map(|(node, rows)| {
            let folder = dir.join(node).join("data");
            fs::create_dir_all(&folder)?;
            fs::write(folder.join("people.csv"), csv(rows))?;
            let mut places = "ward,bench\n".to_owned();
            for bench in 0..60 {
                // Infallible: writing to a String.
                _ = writeln!(places, "w{},{bench}", bench % 4 + 1);
            }
            fs::write(folder.join("place.csv"), places)?;
            let mut files: Vec<DatasetFiles> =
                datasets.iter().map(|dataset| of_csv(dataset, "people")).collect();
            files.push(of_csv("place", "place"));
            Ok(NodeData { id: (*node).to_owned(), title: format!("The {node}"), datasets: files })
        });
        nodes.collect()
    }
}

impl Maker {
    /// A class, people without a ward, people of many rows.
    fn plant_east(&mut self, rows: &mut Vec<Person>, class: &'static str, wardless: usize, heavy: usize) {
        for person in rows.iter_mut().filter(|person| (40..50).contains(&person.age)) {
            person.age += 10;
        }
        for _ in 0..15 {
            let age = self.random.random_range(40..50);
            rows.push(Person { condition: class, ..self.north("w2", "z2", "m", age) });
        }
        for _ in 0..wardless {
            rows.push(Person { ward: None, ..self.person() });
        }
        for _ in 0..3 {
            let person = self.north("w1", "z1", "m", HEAVY_AGE);
            rows.extend(std::iter::repeat_n(person, heavy));
        }
    }

    /// A small cell and a dominated one.
    fn plant_south(&mut self, rows: &mut Vec<Person>, tiny: usize, dominant: i64) {
        for person in rows.iter_mut().filter(|person| person.ward == Some("w4")) {
            (person.ward, person.zone) = (Some("w1"), "z1");
        }
        for person in rows.iter_mut().filter(|person| person.ward == Some("w3")) {
            person.income = self.random.random_range(1..100);
        }
        for _ in 0..tiny {
            let age = self.random.random_range(18..80);
            rows.push(self.north("w4", "z4", "f", age));
        }
        let age = self.random.random_range(18..80);
        rows.push(Person { income: dominant, ..self.north("w3", "z3", "f", age) });
    }
}

/// The contracts of these datasets and of the public table.
pub(super) fn contracts(datasets: &[&str]) -> Vec<(String, String)> {
    let people = datasets.iter().map(|name| ((*name).to_owned(), format!("name = \"{name}\"\n{CONTRACT}")));
    people.chain([("place".to_owned(), PLACE.to_owned())]).collect()
}

fn of_csv(dataset: &'static str, file: &str) -> DatasetFiles {
    DatasetFiles {
        dataset,
        contract: format!("{dataset}.toml"),
        source: format!("data/{file}.csv"),
        format: Format::Csv { delimiter: ',', null_values: vec![] },
        select: None,
    }
}

/// The rows as a file.
pub(super) fn csv(rows: &[Person]) -> String {
    let mut text = "person_key,ward,zone,sex,age,condition,income,score,savings,full_name\n".to_owned();
    for person in rows {
        let Person { key, ward, zone, sex, age, condition, income, score, savings, name } = person;
        let ward = ward.unwrap_or_default();
        _ = writeln!(text, "{key},{ward},{zone},{sex},{age},{condition},{income},{score},{savings},{name}");
    }
    text
}
