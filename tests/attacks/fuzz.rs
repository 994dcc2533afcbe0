//! Errors say nothing: thousands of random expressions over rows with planted values, most of them nonsense to some row, sent
//! straight to a node and asked of the coordinator. Then every byte that left, every log line and every audit line is searched.
//!
//! `JIGSAW_FUZZ` for more expressions, `JIGSAW_SEED` to repeat a run.

use harness::data::canary::{Canary, Value as Planted};
use harness::federation::{Federation, Policy};
use harness::logs::Logs;
use jigsaw_proto::aggregate::State;
use jigsaw_proto::contract::Contract;
use jigsaw_proto::expr::{BinaryOp, Branch, Expr, Literal, UnaryOp};
use jigsaw_proto::fragment::{Fragment, Measure};
use jigsaw_proto::function::Function;
use jigsaw_proto::types::{DataType, TimeUnit};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::fragment::{all, column, double, filtered, grouped, int, scan, words};
use super::population::{self, NODES, Population};
use super::target::request;
use crate::nothing_leaves::Needles;

/// Expressions in a run that nobody asked to be long.
const EXPRESSIONS: usize = 5_000;
const DATASET: &str = "people";
const NAME: &str = "Zoroaster Vandersteen-Whipplethorpe";
const KEY: &str = "7e57c0de7e57c0de";
const WARD: &str = "w9 Xanthippe Quayside";
const CONDITION: &str = "porphyria cutanea tarda";
const INCOME: i64 = 7_654_321;
const SCORE: f64 = 97.656_25;

/// Somebody at the first node whose every value occurs nowhere else.
fn plant(people: &mut Population) -> Vec<Canary> {
    let mut person = people.target.clone();
    (person.name, person.key) = (NAME.to_owned(), KEY.to_owned());
    (person.ward, person.condition) = (Some(WARD), CONDITION);
    (person.income, person.score) = (INCOME, SCORE);
    people.rows[0].push(person);
    [
        ("full_name", Planted::Text(NAME.to_owned())),
        ("person_key", Planted::Text(KEY.to_owned())),
        ("ward", Planted::Text(WARD.to_owned())),
        ("condition", Planted::Text(CONDITION.to_owned())),
        ("income", Planted::Long(INCOME)),
        ("score", Planted::Double(SCORE)),
    ]
    .map(|(column, value)| Canary { node: NODES[0].to_owned(), dataset: DATASET, column, value })
    .into()
}

/// Random expressions, of a wanted type more often than not.
struct Expressions {
    random: ChaCha8Rng,
    /// over dimensions alone, so that the roles of columns refuse none
    tame: bool,
}

const TYPES: [DataType; 7] = [
    DataType::Boolean,
    DataType::Int32,
    DataType::Int64,
    DataType::Float64,
    DataType::Decimal { precision: 4, scale: 1 },
    DataType::Text,
    DataType::Date,
];
const STAMP: DataType = DataType::Timestamp { unit: TimeUnit::Microsecond, zone: None };

impl Expressions {
    fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.random.random_range(0..items.len())].clone()
    }

    fn once_in(&mut self, times: u32) -> bool {
        self.random.random_range(0..times) == 0
    }

    fn leaf(&mut self, wanted: &DataType) -> Expr {
        // Now and then a column that fits nowhere.
        if !self.tame && self.once_in(25) {
            return column(self.pick(&["person_key", "full_name", "income", "nothing"]));
        }
        match wanted {
            DataType::Text if self.once_in(3) => {
                words(self.pick(&["", "w1", "7", "2020-02-30", "%", "\u{1f600}"]))
            }
            DataType::Text => column(self.pick(&["ward", "zone", "sex", "condition", "ward", "condition"])),
            DataType::Int64 if self.once_in(3) => int(self.pick(&[0, 1, -1, 97, i64::MAX, i64::MIN])),
            DataType::Int64 if self.tame => column("age"),
            DataType::Int64 => column(self.pick(&["age", "age", "income"])),
            DataType::Float64 if self.once_in(3) => double(self.pick(&[0.0, 1.5, -0.0, 1e308, 97.65])),
            DataType::Float64 if !self.tame => column("score"),
            DataType::Boolean => Expr::Literal(Literal::boolean(self.once_in(2))),
            other => {
                let from = self.pick(&[DataType::Text, DataType::Int64]);
                Expr::TryCast { operand: Box::new(self.leaf(&from)), to: other.clone() }
            }
        }
    }

    fn expr(&mut self, wanted: &DataType, depth: usize) -> Expr {
        if depth == 0 {
            return self.leaf(wanted);
        }
        if self.once_in(5) {
            let from = self.pick(&TYPES);
            return Expr::TryCast { operand: Box::new(self.expr(&from, depth - 1)), to: wanted.clone() };
        }
        if self.once_in(8) {
            let branch =
                Branch { when: self.expr(&DataType::Boolean, depth - 1), then: self.expr(wanted, depth - 1) };
            let otherwise = Some(Box::new(self.leaf(wanted)));
            return Expr::Case { branches: vec![branch], otherwise };
        }
        match wanted {
            DataType::Boolean => self.condition(depth - 1),
            DataType::Int64 | DataType::Float64 => self.number(wanted, depth - 1),
            DataType::Text => self.text(depth - 1),
            other => self.leaf(other),
        }
    }

    fn condition(&mut self, depth: usize) -> Expr {
        let of = self.pick(&[DataType::Text, DataType::Int64, DataType::Float64, DataType::Boolean]);
        let operand = self.expr(&of, depth);
        match self.random.random_range(0..7) {
            0 => operand.unary(self.pick(&[UnaryOp::IsNull, UnaryOp::IsNotNull])),
            1 => Expr::Like {
                operand: Box::new(self.expr(&DataType::Text, depth)),
                pattern: self.pick(&["%", "w_", "\\", "Xan%", "%a%"]).to_owned(),
                negated: self.once_in(2),
                ignore_case: self.once_in(2),
            },
            2 => self.expr(&DataType::Boolean, depth).unary(UnaryOp::Not),
            3 => {
                let op = self.pick(&[BinaryOp::And, BinaryOp::Or]);
                self.expr(&DataType::Boolean, depth).binary(op, self.expr(&DataType::Boolean, depth))
            }
            _ => {
                let ops =
                    [BinaryOp::Eq, BinaryOp::NotEq, BinaryOp::Lt, BinaryOp::GtEq, BinaryOp::IsDistinctFrom];
                operand.binary(self.pick(&ops), self.expr(&of, depth))
            }
        }
    }

    fn number(&mut self, wanted: &DataType, depth: usize) -> Expr {
        let functions = [
            Function::Ceil,
            Function::Exp,
            Function::Floor,
            Function::Ln,
            Function::Log10,
            Function::Round,
            Function::Signum,
            Function::Sqrt,
            Function::Trunc,
            Function::Abs,
        ];
        if *wanted == DataType::Float64 && self.once_in(2) {
            let arguments = vec![self.expr(&DataType::Float64, depth)];
            return Expr::Call { function: self.pick(&functions), arguments };
        }
        if self.once_in(6) {
            let stamp = Expr::TryCast { operand: Box::new(self.expr(&DataType::Text, depth)), to: STAMP };
            let part = words(self.pick(&["year", "epoch", "century"]));
            return Expr::Call { function: Function::DatePart, arguments: vec![part, stamp] };
        }
        let ops = [BinaryOp::Add, BinaryOp::Subtract, BinaryOp::Multiply, BinaryOp::Divide, BinaryOp::Modulo];
        self.expr(wanted, depth).binary(self.pick(&ops), self.expr(wanted, depth))
    }

    fn text(&mut self, depth: usize) -> Expr {
        let operand = self.expr(&DataType::Text, depth);
        match self.random.random_range(0..6) {
            0 => Expr::Call {
                function: Function::Substr,
                arguments: vec![operand, int(self.random.random_range(0..9))],
            },
            1 => Expr::Call {
                function: Function::Left,
                arguments: vec![operand, int(self.random.random_range(-1..9))],
            },
            2 => Expr::Call {
                function: Function::Concat,
                arguments: vec![operand, self.leaf(&DataType::Text)],
            },
            3 => Expr::Call { function: Function::Coalesce, arguments: vec![operand, words("none")] },
            4 => Expr::Call { function: Function::Nullif, arguments: vec![operand, words("w1")] },
            _ => {
                let function =
                    self.pick(&[Function::Upper, Function::Lower, Function::Trim, Function::Ltrim]);
                Expr::Call { function, arguments: vec![operand] }
            }
        }
    }

    /// Twelve counts, each of an expression under a condition, all of the right types: a node computes every one of them.
    fn pack(&mut self, contract: &Contract) -> (Fragment, usize) {
        self.tame = true;
        let mut measures = Vec::new();
        while measures.len() < 12 {
            let wanted = self.pick(&TYPES);
            let argument = Some(self.expr(&wanted, 3));
            let measure = Measure {
                state: State::Count,
                argument,
                paired: None,
                time: None,
                filter: Some(self.expr(&DataType::Boolean, 2)),
            };
            if all(scan(DATASET), vec![measure.clone()]).columns(&|_| Some(contract)).is_ok() {
                measures.push(measure);
            }
        }
        self.tame = false;
        let expressions = 2 * measures.len();
        (all(scan(DATASET), measures), expressions)
    }

    /// A fragment with one to three expressions in its clauses, of whatever kind.
    fn wild(&mut self) -> (Fragment, usize) {
        let depth = self.random.random_range(1..4);
        let wanted = self.pick(&TYPES);
        let expr = self.expr(&wanted, depth);
        let rows = Measure { state: State::Rows, argument: None, paired: None, time: None, filter: None };
        match self.random.random_range(0..4) {
            0 => (grouped(scan(DATASET), vec![expr], vec![rows]), 1),
            1 => {
                let condition = self.expr(&DataType::Boolean, depth);
                (all(filtered(scan(DATASET), condition), vec![rows]), 1)
            }
            2 => {
                let states = [
                    State::Sum,
                    State::Mean,
                    State::Count,
                    State::Min,
                    State::M2,
                    State::CoMoment,
                    State::MouldIndex,
                ];
                let state = self.pick(&states);
                let argument = Some(self.expr(&DataType::Float64, depth));
                let paired = state.is_of_pairs().then(|| self.expr(&DataType::Float64, depth));
                let time = state.is_in_time().then(|| self.expr(&STAMP, depth));
                (all(scan(DATASET), vec![Measure { state, argument, paired, time, filter: None }]), 1)
            }
            _ => {
                let filter = Some(self.expr(&DataType::Boolean, depth));
                let counted =
                    Measure { state: State::Count, argument: Some(expr), paired: None, time: None, filter };
                (grouped(scan(DATASET), vec![self.expr(&DataType::Text, 1)], vec![counted]), 3)
            }
        }
    }
}

fn expressions() -> usize {
    std::env::var("JIGSAW_FUZZ")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(EXPRESSIONS)
        .max(EXPRESSIONS)
}

fn seed() -> u64 {
    std::env::var("JIGSAW_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_expression_makes_a_node_quote_a_row() {
    let logs = Logs::record();
    let dir = tempfile::tempdir().unwrap();
    let mut people = Population::new(5);
    let needles = Needles::of(&plant(&mut people));
    let mut nodes = people.write_to(dir.path(), &[DATASET]).unwrap();
    nodes.truncate(1);
    let builder = Federation::builder(dir.path(), nodes).policy(Policy::Contract).policy_text(super::ANY);
    let builder = builder.contracts(population::contracts(&[DATASET])).tap_all();
    let federation = builder.start().await.unwrap();
    let mut line = federation.line(NODES[0]).await.unwrap();
    let mut random = Expressions { random: ChaCha8Rng::seed_from_u64(seed()), tame: false };
    let contract = Contract::parse(&population::contracts(&[DATASET])[0].1).unwrap();
    let (mut asked, mut computed, mut refused, mut told) = (0, 0, 0, Vec::new());
    for run in 1.. {
        if asked >= expressions() {
            break;
        }
        let (fragment, expressions) = if run % 6 == 0 { random.pack(&contract) } else { random.wild() };
        asked += expressions;
        let sql = run % 10 == 0;
        // What is asked of the coordinator travels as SQL; what the engine there makes of it is told as well.
        if sql
            && let Err(problem) = federation.sql(&fragment.to_string().replace("count(*)", "COUNT(*)")).await
        {
            told.extend(problem.to_string().into_bytes());
        }
        match line.answer(request(fragment, "ada").encode()).await {
            Ok(messages) => {
                computed += expressions;
                told.extend(messages.iter().flat_map(prost::Message::encode_to_vec));
            }
            Err(status) => {
                refused += 1;
                told.extend(format!("{status:?}").into_bytes());
                told.extend(status.details());
            }
        }
    }
    for recording in federation.tap(NODES[0]).recordings() {
        told.extend(recording.from_node);
    }
    told.extend(federation.audit(NODES[0]).iter().flat_map(|line| line.to_string().into_bytes()));
    told.extend(logs.bytes());
    println!(
        "{asked} expressions, {computed} computed, {refused} fragments refused, {} bytes searched",
        told.len()
    );
    assert!(
        computed > asked / 2 && refused > asked / 20,
        "{computed} of {asked} computed, {refused} refused"
    );
    assert_eq!(needles.found_in(&told), [""; 0], "JIGSAW_SEED={}: left the node, or was logged", seed());
}
