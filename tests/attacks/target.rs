//! What an attack is, and what it may use: a dataset of its own, asked as an analyst or as a hostile coordinator.

use std::sync::atomic::{AtomicU32, Ordering};

use arrow::util::display::array_value_to_string;
use futures::future::BoxFuture;
use harness::exchange::Released;
use harness::federation::{Answer, Federation, Problem};
use jigsaw_proto::fragment::Fragment;
use jigsaw_proto::wire::{FragmentRequest, unix_ms};
use tonic::Status;

use super::population::Population;

/// One attack of the table.
pub(super) struct Attack {
    /// its number, with a letter where a number has several
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    /// what is to be learned
    pub(super) secret: &'static str,
    pub(super) channel: Channel,
    pub(super) goal: Goal,
    pub(super) run: for<'a> fn(&'a Target<'a>) -> BoxFuture<'a, Outcome>,
}

/// The attacks of a module: id, name, secret, channel, goal (never found, if none is said), and what does it.
macro_rules! attacks {
    ($($id:literal, $name:literal, $secret:expr, $channel:ident, $run:ident;)*) => {
        attacks! { $($id, $name, $secret, $channel, $crate::attacks::target::Goal::Never, $run;)* }
    };
    ($($id:literal, $name:literal, $secret:expr, $channel:ident, $goal:expr, $run:ident;)*) => {
        pub(super) const ATTACKS: &[$crate::attacks::target::Attack] = &[$($crate::attacks::target::Attack {
            id: $id,
            name: $name,
            secret: $secret,
            channel: $crate::attacks::target::Channel::$channel,
            goal: $goal,
            run: |target| Box::pin($run(target)),
        }),*];
    };
}

pub(super) use attacks;

/// Who attacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    /// SQL through the coordinator
    Analyst,
    /// fragments of its own making, with the coordinator's certificate
    Coordinator,
    /// both
    Both,
}

/// How often it may succeed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Goal {
    /// never
    Never,
    /// no more often than somebody who guesses without asking: that share of the populations
    Guess(f64),
}

/// What came of it in one population.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// the secret, and by which question
    Recovered(String),
    /// a claim, and it is wrong
    Wrong,
    /// not even a claim
    Nothing,
}

/// A live federation as one attack sees it.
pub(super) struct Target<'a> {
    pub(super) federation: &'a Federation,
    pub(super) people: &'a Population,
    pub(super) dataset: &'static str,
}

/// An answer as text; NULL is `None`.
pub(super) type Rows = Vec<Vec<Option<String>>>;

impl Target<'_> {
    /// Asks as an analyst; `{t}` is the dataset.
    pub(super) async fn sql(&self, sql: &str) -> Result<Rows, Problem> {
        Ok(rows(&self.answer(sql).await?.batches))
    }

    /// The whole answer to an analyst's question; `{t}` is the dataset.
    pub(super) async fn answer(&self, sql: &str) -> Result<Answer, Problem> {
        self.federation.sql(&sql.replace("{t}", self.dataset)).await
    }

    /// The first row as numbers: nothing where it is NULL, refused or not there.
    pub(super) async fn numbers(&self, sql: &str) -> Vec<Option<f64>> {
        let rows = self.sql(sql).await.unwrap_or_default();
        let first = rows.into_iter().next().unwrap_or_default();
        first.into_iter().map(|cell| cell?.parse().ok()).collect()
    }

    /// The first number of the first row.
    pub(super) async fn number(&self, sql: &str) -> Option<f64> {
        self.numbers(sql).await.first().copied().flatten()
    }

    /// `SELECT` of these aggregates under a condition, each a number, in as many questions as needed.
    pub(super) async fn aggregates(&self, aggregates: &[String], condition: &str) -> Vec<Option<f64>> {
        let mut all = Vec::new();
        for some in aggregates.chunks(64) {
            let sql = format!("SELECT {} FROM {{t}} WHERE {condition}", some.join(", "));
            let mut numbers = self.numbers(&sql).await;
            numbers.resize(some.len(), None);
            all.extend(numbers);
        }
        all
    }

    /// Sends a fragment straight to a node.
    pub(super) async fn fragment(&self, node: &str, fragment: Fragment) -> Result<Released, Status> {
        self.fragment_as(node, fragment, "ada").await
    }

    /// Sends a fragment in the name of somebody.
    pub(super) async fn fragment_as(
        &self,
        node: &str,
        fragment: Fragment,
        principal: &str,
    ) -> Result<Released, Status> {
        let request = request(fragment, principal);
        let mut line = self.federation.line(node).await.unwrap();
        let messages = line.answer(request.encode()).await?;
        Ok(Released::read(request, messages).await.unwrap().expect("an answer ends with a manifest"))
    }

    /// The first row of the measures of a fragment as numbers: nothing where it is NULL, refused or not there.
    pub(super) async fn measured(&self, node: &str, fragment: Fragment) -> Vec<Option<f64>> {
        let Ok(released) = self.fragment(node, fragment).await else { return vec![] };
        let first = rows(&released.batches).into_iter().next().unwrap_or_default();
        first.into_iter().map(|cell| cell?.parse().ok()).collect()
    }

    /// Whether any of these questions shows the target's income (to the pound, or as a rounded sum of one), name or key.
    pub(super) async fn search(&self, questions: &[&str]) -> Outcome {
        for sql in questions {
            let found = match self.sql(sql).await {
                Ok(rows) => rows.iter().flatten().flatten().any(|cell| self.shows_target(cell)),
                Err(problem) => self.quotes_target(&problem.message, sql),
            };
            if found {
                return Outcome::Recovered((*sql).to_owned());
            }
        }
        Outcome::Nothing
    }

    /// The same, asked of the first node by its coordinator.
    pub(super) async fn search_fragments(&self, fragments: Vec<Fragment>) -> Outcome {
        for fragment in fragments {
            let words = fragment.to_string();
            let found = match self.fragment("north", fragment).await {
                Ok(released) => {
                    rows(&released.batches).iter().flatten().flatten().any(|cell| self.shows_target(cell))
                }
                Err(status) => self.quotes_target(status.message(), &words),
            };
            if found {
                return Outcome::Recovered(words);
            }
        }
        Outcome::Nothing
    }

    /// Whether any of these is answered at all.
    pub(super) async fn answered(&self, questions: &[&str]) -> Outcome {
        for sql in questions {
            if self.sql(sql).await.is_ok() {
                return Outcome::Recovered((*sql).to_owned());
            }
        }
        Outcome::Nothing
    }

    fn shows_target(&self, cell: &str) -> bool {
        let target = &self.people.target;
        let income = cell.parse::<f64>().is_ok_and(|number| near(number, target.income as f64, 5.0));
        income || cell.contains(&target.key) || cell.contains(&target.name)
    }

    /// Whether a sentence has something of the target that the question does not have.
    fn quotes_target(&self, words: &str, question: &str) -> bool {
        let target = &self.people.target;
        [&target.key, &target.name, &target.income.to_string()]
            .into_iter()
            .any(|secret| words.contains(secret) && !question.contains(secret))
    }
}

/// A fragment with the circumstances of asking.
pub(super) fn request(fragment: Fragment, principal: &str) -> FragmentRequest {
    static TICKETS: AtomicU32 = AtomicU32::new(0);
    FragmentRequest {
        query: "q-00000000000000000000000000000000".to_owned().try_into().unwrap(),
        principal: principal.to_owned(),
        purpose: "an attack".to_owned(),
        deadline_ms: 30_000,
        fragment,
        serial: TICKETS.fetch_add(1, Ordering::Relaxed),
        issued_ms: unix_ms(),
        assertion: jigsaw_proto::identity::Assertion::default(),
    }
}

/// Every cell as text.
pub(super) fn rows(batches: &[arrow::array::RecordBatch]) -> Rows {
    let cells = |batch: &arrow::array::RecordBatch, row| {
        let cell = |column: &arrow::array::ArrayRef| {
            (!column.is_null(row)).then(|| array_value_to_string(column, row).unwrap())
        };
        batch.columns().iter().map(cell).collect()
    };
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| cells(batch, row))).collect()
}

/// Whether a number is another, to within so much.
pub(super) fn near(number: f64, other: f64, tolerance: f64) -> bool {
    (number - other).abs() <= tolerance
}

/// What a claimed number is worth; `by` says how it was come by.
pub(super) fn number(claim: Option<f64>, truth: f64, tolerance: f64, by: &str) -> Outcome {
    match claim {
        Some(claim) if near(claim, truth, tolerance) => Outcome::Recovered(format!("{by}: {claim}")),
        Some(_) => Outcome::Wrong,
        None => Outcome::Nothing,
    }
}

/// What a claimed text is worth.
pub(super) fn text(claim: Option<&str>, truth: &str, by: &str) -> Outcome {
    match claim {
        Some(claim) if claim == truth => Outcome::Recovered(by.to_owned()),
        Some(_) => Outcome::Wrong,
        None => Outcome::Nothing,
    }
}

/// What it is worth to claim that something holds.
pub(super) fn claim(claimed: bool, truth: bool, by: &str) -> Outcome {
    match (claimed, truth) {
        (true, true) => Outcome::Recovered(by.to_owned()),
        (true, false) => Outcome::Wrong,
        (false, _) => Outcome::Nothing,
    }
}

impl Outcome {
    /// The first success of several ways.
    pub(super) fn or(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Recovered(_), _) => self,
            (_, Self::Recovered(_)) | (Self::Nothing, _) => other,
            _ => self,
        }
    }
}
