//! `R16`: what a series of tables and margins leaves of a cell that is not shown, as an attacker with a linear program sees it.
//!
//! Random tables of two dimensions are asked for whole, by margins and in total, in random orders. The attacker knows that nobody costs less
//! than nothing or more than the bound, and that every figure is within half a rounding step of the truth. The least and the greatest
//! amount that a cell may then have are found by the simplex method, exactly but for the rounding of doubles; both must be as far from
//! the true one as the p % rule asks: a tenth of the largest holding (Hundepool et al. 2012, *Statistical Disclosure Control*, §4.3).
#![expect(clippy::cast_precision_loss, reason = "amounts of seven digits")]

use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::*;

const WARDS: [&str; 3] = ["a", "b", "c"];
pub(super) const BEDS: [i64; 4] = [1, 2, 3, 4];
/// The greatest cost of one person, which everybody knows.
const MOST: i64 = 500_000;
/// Half of the step that sums are rounded to: base × resolution / 2.
const HALF: f64 = 250.0;

/// What one person of a cell costs.
pub(super) type Table = Vec<Vec<i64>>;

fn place(ward: usize, beds: usize) -> usize {
    ward * BEDS.len() + beds
}

fn random_table(random: &mut ChaCha8Rng) -> Table {
    let cell = |random: &mut ChaCha8Rng| {
        let people = match random.random_range(0..10) {
            0 => 0,
            1..=3 => random.random_range(1..10),
            _ => random.random_range(12..30),
        };
        (0..people).map(|_| random.random_range(50_000..=MOST)).collect()
    };
    (0..WARDS.len() * BEDS.len()).map(|_| cell(random)).collect()
}

fn batch(table: &Table) -> RecordBatch {
    let (mut people, mut wards, mut beds, mut costs) = (vec![], vec![], vec![], vec![]);
    for (at, cell) in table.iter().enumerate() {
        for (person, cost) in cell.iter().enumerate() {
            people.push(format!("{at}-{person}"));
            wards.push(WARDS[at / BEDS.len()]);
            beds.push(BEDS[at % BEDS.len()]);
            costs.push(*cost);
        }
    }
    let rows = people.len();
    let columns: [(&str, ArrayRef); 6] = [
        ("person", Arc::new(StringArray::from(people))),
        ("ward", Arc::new(StringArray::from(wards))),
        ("beds", Arc::new(Int64Array::from(beds))),
        ("cost", Arc::new(Int64Array::from(costs))),
        ("temp", Arc::new(Float64Array::from(vec![18.0; rows]))),
        ("note", Arc::new(StringArray::from(vec![""; rows]))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// A node with these people, under a policy.
pub(super) async fn bench(table: &Table, policy: &'static str) -> Bench {
    let rows = batch(table);
    Bench::with(move |settings| {
        let stay =
            settings.datasets.iter_mut().find(|dataset| dataset.contract.name.as_str() == "stay").unwrap();
        let file = File::create(&stay.source).unwrap();
        let mut writer = ArrowWriter::try_new(file, rows.schema(), None).unwrap();
        writer.write(&rows).unwrap();
        writer.close().unwrap();
        stay.policy = Policy::parse(policy, &stay.contract).unwrap();
    })
    .await
}

/// A figure that was shown: of which cells it is the sum.
struct Shown {
    cells: Vec<usize>,
    sum: f64,
}

/// Asks for the whole table, both margins, the total, and each line by itself, in a random order.
async fn asked(bench: &Bench, random: &mut ChaCha8Rng) -> Vec<Shown> {
    let sum = || vec![measure(State::Sum, t("cost"))];
    let mut questions = vec![
        fragment(scan("stay"), vec![t("ward"), t("beds")], sum()),
        fragment(scan("stay"), vec![t("ward")], sum()),
        fragment(scan("stay"), vec![t("beds")], sum()),
        fragment(scan("stay"), vec![], sum()),
    ];
    questions.extend(
        WARDS.map(|ward| {
            fragment(filtered(scan("stay"), equal(t("ward"), text(ward))), vec![t("beds")], sum())
        }),
    );
    questions.extend(
        BEDS.map(|beds| fragment(filtered(scan("stay"), equal(t("beds"), int(beds))), vec![], sum())),
    );
    questions.shuffle(random);
    let mut shown = vec![];
    for question in questions {
        let answer = bench.ask(question.clone()).await.unwrap();
        shown.extend(figures(&question, &answer.batch));
    }
    shown
}

/// The figures of an answer that are not withheld.
fn figures(question: &Fragment, batch: &RecordBatch) -> Vec<Shown> {
    if batch.num_rows() == 0 {
        return vec![];
    }
    let tested = |column: &Expr| match &question.input {
        Relation::Filter { predicate: Expr::Binary { left, right, .. }, .. } if **left == *column => {
            match &**right {
                Expr::Literal(literal) => Some(literal.to_string()),
                _ => None,
            }
        }
        _ => None,
    };
    let of = |row: usize, name: &str, word: &dyn Fn(usize) -> String, many: usize| -> Vec<usize> {
        let key = question.keys.iter().position(|key| *key == t(name));
        let key = key.map(|key| arrow::util::display::array_value_to_string(batch.column(key), row).unwrap());
        let wanted = key.or_else(|| tested(&t(name)).map(|word| word.trim_matches('\'').to_owned()));
        (0..many).filter(|at| wanted.as_ref().is_none_or(|wanted| *wanted == word(*at))).collect()
    };
    let sums = batch.column(question.keys.len()).as_primitive::<Int64Type>();
    let row = |(row, sum): (usize, Option<i64>)| {
        let wards = of(row, "ward", &|at| WARDS[at].to_owned(), WARDS.len());
        let beds = of(row, "beds", &|at| BEDS[at].to_string(), BEDS.len());
        let cells = wards.iter().flat_map(|ward| beds.iter().map(move |beds| place(*ward, *beds))).collect();
        sum.map(|sum| Shown { cells, sum: sum as f64 })
    };
    sums.iter().enumerate().filter_map(row).collect()
}

/// The greatest of `sign · x[of]` beyond its true value, where x are deviations from the true amounts: `rows · x ≤ slack`, and the slack is
/// never negative, so that the truth is where the simplex method begins. Bland's rule ends it.
fn farthest(rows: &[(Vec<f64>, f64)], of: usize, sign: f64) -> f64 {
    const DUST: f64 = 1e-7;
    let cells = rows[0].0.len();
    let width = 2 * cells + rows.len();
    // x = u − v; then one slack for each row; then the right side.
    let mut tableau: Vec<Vec<f64>> = (rows.iter().enumerate())
        .map(|(at, (row, slack))| {
            let slacks = (0..rows.len()).map(|other| if other == at { 1.0 } else { 0.0 });
            row.iter()
                .copied()
                .chain(row.iter().map(|factor| -factor))
                .chain(slacks)
                .chain([*slack])
                .collect()
        })
        .collect();
    let mut goal = vec![0.0; width + 1];
    (goal[of], goal[cells + of]) = (-sign, sign);
    let mut basis: Vec<usize> = (2 * cells..width).collect();
    while let Some(enters) = (0..width).find(|column| goal[*column] < -DUST) {
        let ratio = |row: usize| tableau[row][width] / tableau[row][enters];
        let leaves = (0..rows.len())
            .filter(|row| tableau[*row][enters] > DUST)
            .min_by(|one, other| ratio(*one).total_cmp(&ratio(*other)).then(basis[*one].cmp(&basis[*other])));
        let leaves = leaves.expect("every cell has a greatest amount");
        let pivot = tableau[leaves][enters];
        tableau[leaves].iter_mut().for_each(|value| *value /= pivot);
        let chosen = tableau[leaves].clone();
        let others = tableau.iter_mut().enumerate().filter(|(row, _)| *row != leaves).map(|(_, row)| row);
        for row in others.chain([&mut goal]) {
            let factor = row[enters];
            row.iter_mut().zip(&chosen).for_each(|(value, chosen)| *value -= factor * chosen);
        }
        basis[leaves] = enters;
    }
    goal[width]
}

/// How far below and above its true amount a cell may be, for all that an attacker knows.
fn interval(table: &Table, shown: &[Shown], of: usize) -> (f64, f64) {
    let truth = |cell: &usize| table[*cell].iter().sum::<i64>() as f64;
    let cells = table.len();
    let unit = |chosen: &[usize], sign: f64| -> Vec<f64> {
        (0..cells).map(|cell| if chosen.contains(&cell) { sign } else { 0.0 }).collect()
    };
    let mut rows = vec![];
    for (cell, people) in table.iter().enumerate() {
        // Nobody costs less than nothing; and a cell that is not shown has nine people at most.
        rows.push((unit(&[cell], -1.0), truth(&cell)));
        let most = people.len().max(9) as f64 * MOST as f64;
        rows.push((unit(&[cell], 1.0), most - truth(&cell)));
    }
    for Shown { cells, sum } in shown {
        let exact: f64 = cells.iter().map(truth).sum();
        // The figure of others who are nearly the same: whoever takes it for these is misled.
        if (exact - sum).abs() <= HALF {
            rows.push((unit(cells, 1.0), sum + HALF - exact));
            rows.push((unit(cells, -1.0), exact - (sum - HALF)));
        }
    }
    (farthest(&rows, of, -1.0), farthest(&rows, of, 1.0))
}

/// The cells of fewer than ten people that are not shown. Others are hidden for their sake.
fn hidden(table: &Table, shown: &[Shown]) -> Vec<usize> {
    let is_shown = |cell: usize| shown.iter().any(|shown| shown.cells == [cell]);
    (0..table.len()).filter(|cell| (1..10).contains(&table[*cell].len()) && !is_shown(*cell)).collect()
}

/// Those of them that can be told more closely than the p % rule allows.
fn told(table: &Table, shown: &[Shown]) -> Vec<String> {
    let told = |cell: usize| {
        let level = *table[cell].iter().max()? as f64 / 10.0;
        let (below, above) = interval(table, shown, cell);
        let figures = shown.iter().map(|shown| format!("{:?}={}", shown.cells, shown.sum));
        let figures = figures.collect::<Vec<_>>().join(" ");
        (below < level && above < level)
            .then(|| format!("{cell} {:?} to −{below:.0} +{above:.0} by {figures}", table[cell]))
    };
    hidden(table, shown).into_iter().filter_map(told).collect()
}

/// Nothing that is left of a small cell tells it, and what is shown is not nothing.
#[tokio::test]
async fn margins_tell_no_hidden_cell() {
    let (mut small, mut told_of, mut problems) = (0, 0, vec![]);
    for seed in 0..40 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let table = random_table(&mut random);
        let shown = asked(&bench(&table, "release = \"protected\"").await, &mut random).await;
        small += hidden(&table, &shown).len();
        told_of += shown.len();
        problems.extend(told(&table, &shown).into_iter().map(|cell| format!("seed {seed}: cell {cell}")));
    }
    assert!(told_of > 800, "only {told_of} figures");
    assert!(small > 40, "only {small} small cells");
    assert!(problems.is_empty(), "{} of {small}:\n{}", problems.len(), problems.join("\n"));
}

/// The attacker can find: all margins of a table, and all cells but the small ones.
#[test]
fn the_attacker_finds_a_cell_that_closes_a_line() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut table = random_table(&mut random);
    table.fill(vec![100_000; 20]);
    table[5] = vec![333_300];
    let sum = |cells: Vec<usize>| {
        let sum = cells.iter().flat_map(|cell| &table[*cell]).sum::<i64>();
        Shown { sum: (sum as f64 / 500.0).round() * 500.0, cells }
    };
    let mut shown: Vec<Shown> =
        (0..table.len()).filter(|cell| *cell != 5).map(|cell| sum(vec![cell])).collect();
    assert!(told(&table, &shown).is_empty());
    shown.push(sum((4..8).collect()));
    assert_eq!(told(&table, &shown).len(), 1, "to within 1,000 of 333,300");
}
