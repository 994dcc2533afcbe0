//! Attacks of people who know disclosure control, as code, against a live federation; and how often each succeeds.
//!
//! The ids are those of the attack table in the design (`A01` to `A50`). An attack *recovers* a secret when it claims it, and is
//! right. It claims only what it is sure of, unless its goal says that guessing is what it is measured against.
//!
//! `JIGSAW_POPULATIONS=200` for the long run. The scoreboard is printed (`--nocapture`) and written to `attacks.md` in the
//! folder for temporary files of the build.
#![cfg(test)]
#![expect(clippy::cast_precision_loss, clippy::print_stdout, reason = "small numbers, and a scoreboard to be read")]

use std::fs;
use std::path::Path;

use harness::federation::{Federation, Policy};

mod forms;
mod fragment;
mod population;
mod score;
mod target;

use population::Population;
use score::Score;
use target::{Attack, Target};

/// The policy of every dataset: the rules that are on. Add a rule's words here, and take the attacks that it ends off [`AWAITED`].
const POLICY: &str = "
release = \"protected\"
threshold = 10
rounding = 5
";

/// Attacks that no rule ends yet. Their success is reported, not asserted.
const AWAITED: &[&str] = &[];

/// Populations in a run that nobody asked to be long.
const POPULATIONS: u64 = 2;

fn populations() -> u64 {
    std::env::var("JIGSAW_POPULATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(POPULATIONS)
}

/// Every attack, in the order of the table.
fn attacks() -> Vec<&'static Attack> {
    let mut attacks: Vec<&Attack> = [forms::ATTACKS].into_iter().flatten().collect();
    attacks.sort_by_key(|attack| attack.id);
    attacks
}

/// The name of an attack's own dataset.
fn dataset(attack: &Attack) -> &'static str {
    // As many strings as attacks, for as long as the tests run.
    String::leak(format!("people_{}", attack.id.to_lowercase()))
}

/// A federation in which every one of these datasets has the rows of a population.
async fn federation(dir: &Path, people: &Population, datasets: &[&'static str]) -> Federation {
    let nodes = people.write_to(dir, datasets).unwrap();
    let builder = Federation::builder(dir, nodes).policy(Policy::Contract).policy_text(POLICY.trim());
    builder.contracts(population::contracts(datasets)).start().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_attack_recovers_a_secret() {
    let attacks = attacks();
    let datasets: Vec<&'static str> = attacks.iter().map(|attack| dataset(attack)).collect();
    let mut scores: Vec<Score<'_>> = attacks.iter().map(|attack| Score::new(attack)).collect();
    for seed in 0..populations() {
        let people = Population::new(seed);
        let dir = tempfile::tempdir().unwrap();
        let federation = federation(dir.path(), &people, &datasets).await;
        for (score, dataset) in scores.iter_mut().zip(&datasets) {
            let start = std::time::Instant::now();
            let target = Target { federation: &federation, people: &people, dataset };
            score.add((score.attack.run)(&target).await);
            score.took += start.elapsed();
        }
        federation.stop().await.unwrap();
    }
    let board = score::board(&scores, AWAITED);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("attacks.md"), &board).unwrap();
    println!("{board}");
    let broken = scores.iter().filter(|score| !score.held() && !AWAITED.contains(&score.attack.id));
    let broken: Vec<&str> = broken.map(|score| score.attack.id).collect();
    assert_eq!(broken, [""; 0], "recovered what must not be recovered:\n{board}");
}
