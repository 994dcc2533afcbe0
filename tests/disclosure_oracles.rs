//! Disclosure control does what the tools of official statistics do: cell keys, thresholds and dominance.
#![cfg(test)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use harness::data::{DatasetFiles, Format, NodeData};
use harness::federation::{Federation, Policy};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::python::{Environment, run};

/// What is installed into an environment of its own, below the build folder: the tools need other versions than the drivers.
const PACKAGES: &[&str] = &["acro==1.0.2", "cell-key-perturbation==3.1.0"];

const TYPES: [&str; 4] = ["hostel", "assessment bed", "night shelter", "supported flat"];
const MOVES: [&str; 6] =
    ["private rented", "social tenancy", "reconnection", "abandoned", "evicted", "other hostel"];

/// One stay each of 900 people; some cells are small, some are mostly one or two people's.
fn rows() -> String {
    let mut dice = ChaCha8Rng::seed_from_u64(11);
    let mut text =
        "person_key,borough_gss,accom_type,start_date,end_date,move_on,weekly_charge,full_name,nino\n"
            .to_owned();
    for person in 0..900 {
        let (kind, left) = (dice.random_range(0..4_usize), dice.random_range(0..6_usize));
        // The last row of the table is thin, and its last cells are empty.
        let left = if kind == 3 && dice.random_range(0..3) > 0 { 0 } else { left };
        let charge = match (kind, left, person % 40) {
            (0, 1, 0..=2) => 990.0,
            (0, 1, _) => 0.25,
            (1, 2, 0) => 900.0,
            (1, 2, _) => 1.5,
            _ => 40.0 + f64::from(dice.random_range(0..800_u32)) / 4.0,
        };
        let (kind, left) = (TYPES[kind], MOVES[left]);
        // Infallible: writing to a String.
        _ = writeln!(text, "p{person:04},E09000007,{kind},2024-01-01,2024-02-01,{left},{charge:.2},,");
    }
    text
}

/// What is added to a count depends on its key, so that a wrong key shows.
fn ptable() -> String {
    let mut text = "pcv,ckey,pvalue\n".to_owned();
    for (count, key) in (1..=750).flat_map(|count| (0..256).map(move |key| (count, key))) {
        // Infallible: writing to a String.
        _ = writeln!(text, "{count},{key},{}", (count * 7 + key * 13) % 9 - 4);
    }
    text
}

/// Perturbation on, the guard off: it would round a table so that it adds up.
fn perturbing(folder: &Path) {
    let file = folder.join("camden/node.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(file, text + "overlap_guard = false\nperturbation = \"ptable.csv\"\n").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "whoever reads the log must see that a check was left out")]
async fn releases_are_those_of_the_tools_of_official_statistics() {
    let environment = Environment { name: "disclosure-check", packages: PACKAGES };
    let Some(python) = tokio::task::spawn_blocking(move || environment.python()).await.unwrap() else {
        eprintln!("SKIPPED: there is no python3 on this machine");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("camden");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("stays.csv"), rows()).unwrap();
    fs::write(folder.join("ptable.csv"), ptable()).unwrap();
    let node = NodeData {
        id: "camden".to_owned(),
        title: "Camden".to_owned(),
        datasets: vec![DatasetFiles {
            dataset: "accommodation_stay",
            contract: "accommodation_stay.toml".to_owned(),
            source: "stays.csv".to_owned(),
            format: Format::Csv { delimiter: ',', null_values: vec![] },
            select: None,
        }],
    };
    let builder = Federation::builder(dir.path(), vec![node]).policy(Policy::Contract);
    let federation = builder.edit(perturbing).start().await.unwrap();
    let sql = "SELECT accom_type, move_on, COUNT(*) AS stays, SUM(weekly_charge) AS charges \
               FROM accommodation_stay GROUP BY 1, 2";
    let answer = federation.ask(sql).await.unwrap();
    let mut writer = arrow::csv::Writer::new(fs::File::create(folder.join("released.csv")).unwrap());
    for batch in &answer {
        writer.write(batch).unwrap();
    }
    drop(writer);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/disclosure_check.py");
    let mut check = Command::new(python);
    check.arg("-B").arg(script);
    check.args(
        ["stays.csv", "audit/audit.disclosure/secret", "ptable.csv", "released.csv"]
            .map(|file| folder.join(file)),
    );
    tokio::task::spawn_blocking(move || run(&mut check)).await.unwrap();
    federation.stop().await.unwrap();
}
