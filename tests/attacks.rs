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

use futures::{StreamExt as _, stream};
use harness::federation::{Federation, Policy};

mod amplified;
mod cells;
mod channels;
mod differencing;
mod forms;
mod fragment;
mod paired;
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
const AWAITED: &[&str] = &[
    "A04", "A04b", "A05", "A06", "A08", "A10", "A10b", "A10c", "A11", "A12b", "A15b", "A19", "A21b", "A21c", "A26b",
    "A26c", "A27", "A36", "A41", "A42b", "A43", "A44", "A46b",
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
    let mut attacks: Vec<&Attack> = [forms::ATTACKS, cells::ATTACKS, differencing::ATTACKS, amplified::ATTACKS, channels::ATTACKS].into_iter().flatten().collect();
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
        let run = async |(attack, dataset): (&'static Attack, &'static str)| {
            let target = Target { federation: &federation, people: &people, dataset };
            (attack.run)(&target).await
        };
        // The attack on timing is alone, after the others.
        let (timing, others): (Vec<_>, Vec<_>) =
            attacks.iter().copied().zip(datasets.iter().copied()).partition(|(attack, _)| attack.id == TIMING);
        for (many, attacks) in [(4, others), (1, timing)] {
            let ids: Vec<&str> = attacks.iter().map(|(attack, _)| attack.id).collect();
            let outcomes: Vec<_> = stream::iter(attacks).map(run).buffered(many).collect().await;
            for (id, outcome) in ids.into_iter().zip(outcomes) {
                scores.iter_mut().filter(|score| score.attack.id == id).for_each(|score| score.add(outcome.clone()));
            }
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
