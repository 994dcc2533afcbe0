//! Attacks of people who know disclosure control, as code, against a live federation; and how often each succeeds.
//!
//! The ids are those of the attack table in the design (`A01` to `A50`). An attack *recovers* a secret when it claims it, and is
//! right. It claims only what it is sure of, unless its goal says that guessing is what it is measured against.
//!
//! `JIGSAW_POPULATIONS=200` for the long run. The scoreboard is printed (`--nocapture`) and written to `attacks.md` in the
//! folder for temporary files of the build.
#![cfg(test)]
#![expect(
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "small numbers, and a scoreboard to be read"
)]

use std::fs;
use std::path::Path;

use futures::{StreamExt as _, stream};
use harness::federation::{Federation, Policy};

mod aggregates;
mod amplified;
mod cells;
mod channels;
mod cube;
mod differencing;
mod forms;
mod fragment;
mod fuzz;
mod grid;
mod keys;
mod paired;
mod population;
mod score;
mod target;

use population::Population;
use score::Score;
use target::{Attack, Target};

/// The policy of every dataset: what holds where nothing is said, and a sensitive column.
const POLICY: &str = "release = \"protected\"\nsensitive = [\"condition\"]";

/// The same without the cube: any condition of the language, and no budget to speak of.
const ANY: &str = "release = \"protected\"\nsensitive = [\"condition\"]\nconditions = \"any\"\nbudget = { cells_per_day = 1000000 }";

/// Attacks that no rule ends. Their success is reported, not asserted.
///
/// `A36b` is the threshold itself: a cell is shown from ten people on, so whoever knows nine of a cell sees whether there is a
/// tenth. Another threshold, or one that is drawn, moves the limit and does not end it.
const AWAITED: &[&str] = &["A36b"];

/// Attacks that the cube ends, or the budget: without them, they succeed.
const ENDED_BY_THE_CUBE: &[&str] = &["A04b", "A05", "A06b", "A06c", "A08", "A36"];

/// Attacks that recover what they look for when the policy is open.
const FOUND_IN_THE_OPEN: &[&str] = &[
    "A02", "A03", "A04", "A04b", "A05", "A05b", "A06b", "A06c", "A08", "A08b", "A10", "A10b", "A10c", "A10d",
    "A11", "A12", "A12b", "A12c", "A12d", "A12e", "A12f", "A12g", "A12h", "A12i", "A12j", "A13", "A14",
    "A15", "A15b", "A16", "A17", "A18", "A19", "A20", "A21", "A21b", "A21c", "A22", "A23", "A24", "A25",
    "A26", "A26b", "A26c", "A27b", "A29", "A30", "A33", "A36", "A36b", "A38", "A40", "A41", "A43", "A43b",
    "A44", "A45", "A46", "A48", "A49b",
];

/// The attack that other questions at the same time would disturb.
const TIMING: &str = "A31";

/// Populations in a run that nobody asked to be long.
const POPULATIONS: u64 = 3;

fn populations() -> u64 {
    std::env::var("JIGSAW_POPULATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(POPULATIONS)
}

/// Every attack, in the order of the table.
fn attacks() -> Vec<&'static Attack> {
    let mut attacks: Vec<&Attack> = [
        forms::ATTACKS,
        aggregates::ATTACKS,
        cells::ATTACKS,
        differencing::ATTACKS,
        cube::ATTACKS,
        amplified::ATTACKS,
        channels::ATTACKS,
    ]
    .into_iter()
    .flatten()
    .collect();
    attacks.sort_by_key(|attack| attack.id);
    attacks
}

/// The name of an attack's own dataset.
fn dataset(attack: &Attack) -> &'static str {
    // As many strings as attacks, for as long as the tests run.
    String::leak(format!("people_{}", attack.id.to_lowercase()))
}

/// A federation in which every one of these datasets has the rows of a population, under that policy; without one, open.
async fn federation(
    dir: &Path,
    people: &Population,
    datasets: &[&'static str],
    policy: Option<&str>,
) -> Federation {
    let nodes = people.write_to(dir, datasets).unwrap();
    let builder = Federation::builder(dir, nodes).contracts(population::contracts(datasets));
    let builder = match policy {
        Some(lines) => builder.policy(Policy::Contract).policy_text(lines),
        None => builder.policy(Policy::Open),
    };
    builder.start().await.unwrap()
}

/// Runs these attacks over a population, and adds what came of them to their scores.
async fn run(scores: &mut [Score<'_>], people: &Population, policy: Option<&str>) {
    let dir = tempfile::tempdir().unwrap();
    let datasets: Vec<&'static str> = scores.iter().map(|score| dataset(score.attack)).collect();
    let federation = federation(dir.path(), people, &datasets, policy).await;
    let attack = async |(attack, dataset): (&Attack, &'static str)| {
        let target = Target { federation: &federation, people, dataset };
        (attack.run)(&target).await
    };
    let (alone, together): (Vec<usize>, Vec<usize>) =
        (0..scores.len()).partition(|place| scores[*place].attack.id == TIMING);
    for (places, at_once) in [(together, 4), (alone, 1)] {
        let attacks: Vec<_> = places.iter().map(|place| (scores[*place].attack, datasets[*place])).collect();
        let outcomes: Vec<_> = stream::iter(attacks).map(attack).buffered(at_once).collect().await;
        for (place, outcome) in places.into_iter().zip(outcomes) {
            scores[place].add(outcome);
        }
    }
    federation.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_attack_recovers_a_secret() {
    let mut scores: Vec<Score<'_>> = attacks().into_iter().map(Score::new).collect();
    for seed in 0..populations() {
        run(&mut scores, &Population::new(seed), Some(POLICY)).await;
    }
    let board = published(&scores, AWAITED, "attacks.md");
    let broken = scores.iter().filter(|score| !score.held() && !AWAITED.contains(&score.attack.id));
    let broken: Vec<&str> = broken.map(|score| score.attack.id).collect();
    assert_eq!(broken, [""; 0], "recovered what must not be recovered:\n{board}");
}

/// Prints a scoreboard, and writes it to a file of that name.
fn published(scores: &[Score<'_>], awaited: &[&str], file: &str) -> String {
    let board = score::board(scores, awaited);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(file), &board).unwrap();
    println!("{board}");
    board
}

/// What the cube is for: attacks by comparing answers, under any conditions. Those that succeed are those that it ends.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_cube_differences_are_found() {
    let comparing = differencing::ATTACKS.iter().chain(cube::ATTACKS);
    let mut scores: Vec<Score<'_>> = comparing.map(Score::new).collect();
    scores.sort_by_key(|score| score.attack.id);
    for seed in 0..populations() {
        run(&mut scores, &Population::new(seed), Some(ANY)).await;
    }
    let known = [AWAITED, ENDED_BY_THE_CUBE].concat();
    let board = published(&scores, &known, "attacks_any.md");
    let recovered = |id: &&&str| scores.iter().any(|score| score.attack.id == **id && score.recovered > 0);
    assert!(ENDED_BY_THE_CUBE.iter().filter(recovered).count() >= 3, "they do not find:\n{board}");
    let other = scores.iter().filter(|score| !score.held() && !known.contains(&score.attack.id));
    assert_eq!(other.map(|score| score.attack.id).collect::<Vec<_>>(), [""; 0], "{board}");
}

/// The attacks can find: where nothing protects, they recover what they look for. What is not here is refused in any mode, or needs
/// rules that only protection has.
#[tokio::test(flavor = "multi_thread")]
async fn attacks_succeed_where_nothing_protects() {
    let people = (0..64).map(Population::new).find(|people| people.maybe).unwrap();
    let attacks = attacks().into_iter().filter(|attack| attack.id != TIMING);
    let mut scores: Vec<Score<'_>> = attacks.map(Score::new).collect();
    run(&mut scores, &people, None).await;
    let recovered: Vec<&str> =
        scores.iter().filter(|score| score.recovered > 0).map(|score| score.attack.id).collect();
    assert_eq!(recovered, FOUND_IN_THE_OPEN);
}
